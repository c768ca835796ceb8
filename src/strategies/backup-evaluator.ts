import { CONTROL, type ControlWord } from '../communicate/collective.ts';
import { assert } from '../errors.ts';
import type { Share } from '../partition/plan.ts';
import type { Pass, SumsOf } from '../update/pass.ts';
import { CellEvaluator, type CellEvaluatorOptions } from './cell-evaluator.ts';
import type { Evaluator } from './evaluator.ts';
import type { RankHost } from './strategy.ts';

/** The evaluator of a rank: of a worker, or of a backup of workers. */
export function evaluatorOf(backups: RankHost['backups'], options: CellEvaluatorOptions): Evaluator {
  if (backups === undefined) return new CellEvaluator(options);
  const backed = { ...options, isReduced: () => backups.known.isReduced() };
  return options.rank < options.partition.workers ? new CellEvaluator(backed) : new BackupEvaluator(backups, backed);
}

/**
 * Computes the sums of the worker that rank 0 names, once its cells are here; until then it only takes the sums of the others, as
 * every rank does.
 */
class BackupEvaluator implements Evaluator {
  readonly #backups: NonNullable<RankHost['backups']>;
  readonly #options: CellEvaluatorOptions;
  #inner: CellEvaluator;
  /** Whose cells `#inner` has, and whose are being read. */
  #has: number | undefined;
  #reads: number | undefined;
  #failure: unknown;

  constructor(backups: NonNullable<RankHost['backups']>, options: CellEvaluatorOptions) {
    this.#backups = backups;
    const { chunks, blocks } = options.store.training.layout;
    const { partition, rank } = options;
    assert(partition.grid.columns === 1, 'backups of workers that share rows');
    const nothing = (each: number): Share => ({ rank: each, chunkBegin: chunks, chunkEnd: chunks, blockBegin: 0, blockEnd: blocks });
    const more = Array.from({ length: rank + 1 - partition.workers }, (_, i) => nothing(partition.workers + i));
    this.#options = { ...options, partition: { ...partition, shares: [...partition.shares, ...more] } };
    this.#inner = new CellEvaluator(this.#options);
  }

  get lastControl(): ControlWord {
    return this.#inner.lastControl ?? CONTROL.go;
  }

  evaluate<P extends Pass>(pass: P, control?: ControlWord): Promise<SumsOf<P['kind']>> {
    if (this.#failure !== undefined) throw this.#failure;
    const { known } = this.#backups;
    const target = known.targetOf(this.#options.rank);
    if (target !== this.#has && target !== this.#reads && target !== undefined) this.#read(target);
    known.as = this.#has;
    return this.#inner.evaluate(pass, control);
  }

  #read(target: number): void {
    this.#reads = target;
    this.#backups.load(target).then(
      (store) => {
        if (this.#reads !== target) return;
        this.#inner = new CellEvaluator({ ...this.#options, store, rank: target });
        this.#has = target;
      },
      (error: unknown) => {
        this.#failure = error;
      },
    );
  }
}
