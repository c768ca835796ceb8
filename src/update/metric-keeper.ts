import { assert } from '../errors.ts';
import { applyInverse, chosenColumns, diagonalMetric, METRIC_RULES, type Metric, type MetricRules, metricFrom } from './metric.ts';
import type { Problem } from './optimizer.ts';
import type { PanelSample, Pass, Sums, Vector } from './pass.ts';
import { isEven, sampleAt, tiltOf } from './sampling.ts';
import { dot } from './vectors.ts';

/** What M was built from: enough to build it again with the same bits. Never changed once made. */
export interface MetricRecord {
  readonly at: Vector;
  readonly sample: PanelSample;
  readonly tilt: Float64Array;
  /** False: the sample gave no usable M and there was none before, so the diagonal stands in. */
  readonly usable: boolean;
  /** Columns that the sample shows to be (nearly) combinations of others, l2 apart. */
  readonly weak: number;
}

/** As outer iteration: M of all rows. */
export const ALL_ROWS = Number.POSITIVE_INFINITY;

/** The metric's part of an optimizer's state: plain data. */
export interface MetricState {
  /** The M in use. */
  readonly record: MetricRecord | undefined;
  /** The one being built: without tilt it waits for the sample's totals, with it for its Gram matrix. */
  readonly pending: { readonly at: Vector; readonly sample: PanelSample; readonly tilt: Float64Array | undefined } | undefined;
  /** Times that a new M was not usable and the previous one was kept. */
  readonly kept: number;
}

export const NO_METRIC: MetricState = { record: undefined, pending: undefined, kept: 0 };

/**
 * Builds metrics by asking for `totals` and `gram` passes, and keeps the factors, which are no part of the state. A record
 * whose factor it does not hold (a state from a checkpoint) is built again first.
 */
export class MetricKeeper {
  readonly #rules: MetricRules;
  readonly #metrics = new WeakMap<MetricRecord, Metric>();
  readonly #columns = new WeakMap<Problem, { columns: Uint32Array | undefined }>();

  constructor(rules: MetricRules = METRIC_RULES) {
    this.#rules = rules;
  }

  /** Starts to build M at a weight vector; `outerIteration`, from 1, decides the size of the sample. */
  request(problem: Problem, state: MetricState, at: Vector, outerIteration: number): MetricState {
    const sample = sampleAt(problem.layout, outerIteration);
    return { ...state, pending: { at, sample, tilt: isEven(problem, sample) ? tiltOf(problem, undefined) : undefined } };
  }

  /** Whether the M in use must be built again before anything else. */
  isLost(state: MetricState): boolean {
    return state.record !== undefined && state.record.usable && !this.#metrics.has(state.record);
  }

  /** The next pass that M needs, if any. */
  pass(problem: Problem, state: MetricState): Pass | undefined {
    const lost = this.isLost(state) ? state.record : undefined;
    const { at, sample, tilt } = lost ?? state.pending ?? {};
    if (at === undefined || sample === undefined) return undefined;
    if (tilt === undefined) return { kind: 'totals', set: sample };
    const columns = this.columnsOf(problem);
    return { kind: 'gram', at, sample, tilt, ...(columns === undefined ? {} : { columns }) };
  }

  /** Takes the answer. The state is the same object when a lost factor came back. */
  absorb(problem: Problem, state: MetricState, sums: Sums): MetricState {
    if (this.isLost(state) && state.record !== undefined) {
      assert(sums.kind === 'gram', `the metric waits for a gram pass, not ${sums.kind}`);
      const metric = metricFrom(problem, this.columnsOf(problem), sums.sums);
      assert(metric !== undefined, 'a metric that was usable is not when built again: other data?');
      this.#metrics.set(state.record, metric);
      return state;
    }
    const { pending } = state;
    assert(pending !== undefined, 'no metric is being built');
    if (sums.kind === 'totals') return { ...state, pending: { ...pending, tilt: tiltOf(problem, sums.sums) } };
    assert(
      sums.kind === 'gram' && pending.tilt !== undefined,
      `the metric waits for ${pending.tilt ? 'gram' : 'totals'}, not ${sums.kind}`,
    );
    const columns = this.columnsOf(problem);
    const metric = metricFrom(problem, columns, sums.sums);
    if (metric === undefined && state.record !== undefined) return { ...state, pending: undefined, kept: state.kept + 1 };
    const record: MetricRecord = {
      at: pending.at,
      sample: pending.sample,
      tilt: pending.tilt,
      usable: metric !== undefined,
      weak: metric?.weak ?? 0,
    };
    if (metric !== undefined) this.#metrics.set(record, metric);
    return { ...state, record, pending: undefined };
  }

  /** The M in use. */
  metric(problem: Problem, state: MetricState): Metric {
    assert(state.record !== undefined, 'no metric was built');
    const known = this.#metrics.get(state.record);
    if (known !== undefined) return known;
    assert(!state.record.usable, 'the factor of the metric is lost');
    const metric = diagonalMetric(problem);
    this.#metrics.set(state.record, metric);
    return metric;
  }

  /** ½·gᵀM⁻¹g: how far above the optimum a point with this gradient is estimated to be (docs/numerics.md §6). */
  gap(problem: Problem, state: MetricState, gradient: Vector): number {
    return 0.5 * dot(problem.layout, gradient, applyInverse(problem, this.metric(problem, state), gradient));
  }

  /** Columns of M in full; undefined: all. */
  columnsOf(problem: Problem): Uint32Array | undefined {
    let known = this.#columns.get(problem);
    if (known === undefined) {
      known = { columns: chosenColumns(problem, this.#rules) };
      this.#columns.set(problem, known);
    }
    return known.columns;
  }
}
