import { assert } from '../../errors.ts';
import type { MetricKeeper, MetricRecord } from '../metric-keeper.ts';
import type { OptimizerOptions, Problem } from '../optimizer.ts';
import type { GramSums } from '../pass.ts';
import { choosePrecondition, type Preconditioner, preconditionerOf } from './precondition.ts';
import type { MiniBatchState } from './state.ts';

/** Keeps preconditioners, which like the factors of metrics are no part of the state: each is made of the sums of a metric's sample. */
export class Preconditioners {
  readonly #kind: NonNullable<OptimizerOptions['precondition']>;
  readonly #adaptive: boolean;
  readonly #batchRows: number;
  readonly #keeper: MetricKeeper;
  readonly #known = new WeakMap<MetricRecord, Preconditioner>();
  /** The last one that was asked for. */
  #last: { readonly record: MetricRecord; readonly made: Preconditioner } | undefined;

  /** `adaptive`: of the rule (`choosePrecondition`). */
  constructor({ precondition = 'auto' }: OptimizerOptions, adaptive: boolean, batchRows: number, keeper: MetricKeeper) {
    this.#kind = precondition;
    this.#adaptive = adaptive;
    this.#batchRows = batchRows;
    this.#keeper = keeper;
  }

  /** Makes the one of a metric, from the sums that this was made of. */
  put(problem: Problem, record: MetricRecord, gram: GramSums | undefined): void {
    const kind = this.#kind === 'auto' ? choosePrecondition(problem, this.#batchRows, this.#adaptive) : this.#kind;
    const usable = record.usable ? gram : undefined;
    this.#known.set(record, preconditionerOf(kind, problem, usable, this.#keeper.columnsOf(problem), this.#batchRows));
  }

  /** The one of the metric in use. */
  of({ problem, metric }: MiniBatchState): Preconditioner {
    const record = metric.record as MetricRecord;
    if (this.#last?.record === record) return this.#last.made;
    if (!this.#known.has(record)) {
      // Of a sample that was not usable: nothing was lost with it.
      assert(!record.usable, 'the preconditioner is lost');
      this.put(problem, record, undefined);
    }
    const made = this.#known.get(record) as Preconditioner;
    this.#last = { record, made };
    return made;
  }
}
