import { assert } from '../../errors.ts';
import { METRIC_RULES, type MetricRules } from '../metric.ts';
import { MetricKeeper, type MetricState } from '../metric-keeper.ts';
import { nullLossOf, type Point, pointOf, startingPoints } from '../objective.ts';
import type { EndReason, Next, Optimizer, OptimizerOptions, Outcome, Problem, Progress } from '../optimizer.ts';
import type { GradientSums, Pass, PlainSteps, Sums } from '../pass.ts';
import { notesOf, requireFinite } from '../stop.ts';
import { DEFAULT_BATCH_ROWS } from './defaults.ts';
import { Epochs } from './epochs.ts';
import { Preconditioners } from './preconditioners.ts';
import { type MiniBatchMethod, type MiniBatchState, newState } from './state.ts';
import { BatchSteps } from './steps.ts';

/** Part of what there is to gain, by which a run that ended may miss the optimum without being told of it. */
const FAR = 0.05;

/**
 * Mini-batch training: one step for every batch, in the order of docs/numerics.md §7, and at the end of every epoch a true gradient
 * that judges how far the optimum is. A step allocates next to nothing: unlike other optimizers' states, this one's is changed in place.
 */
export class MiniBatch implements Optimizer<MiniBatchState> {
  readonly name: string;
  readonly #method: MiniBatchMethod;
  readonly #options: OptimizerOptions;
  readonly #keeper: MetricKeeper;
  readonly #preconditioners: Preconditioners;
  readonly #steps: BatchSteps;
  readonly #epochs: Epochs;
  /** Needs no pass. */
  #settled: MetricState | undefined;

  constructor(method: MiniBatchMethod, options: OptimizerOptions, rules: MetricRules = METRIC_RULES) {
    const size = options.batchSize ?? DEFAULT_BATCH_ROWS;
    this.name = method.name;
    this.#method = method;
    this.#options = options;
    this.#keeper = new MetricKeeper(rules);
    this.#preconditioners = new Preconditioners(options, method.rule.adaptive, size, this.#keeper);
    this.#steps = new BatchSteps(method, options, size, this.#preconditioners);
    const { keeper, preconditioners, steps } = { keeper: this.#keeper, preconditioners: this.#preconditioners, steps: this.#steps };
    this.#epochs = new Epochs({ method, options, keeper, preconditioners, steps });
  }

  init(problem: Problem): MiniBatchState {
    return newState(problem, this.#method.rule);
  }

  next(state: MiniBatchState): Next {
    const { problem } = state;
    if (state.done !== undefined) return { kind: 'done', reason: state.done };
    const forMetric = this.#metricPass(state);
    if (forMetric !== undefined) return { kind: 'pass', pass: forMetric };
    if (state.point === undefined) return { kind: 'pass', pass: { kind: 'gradient', at: startingPoints(problem) } };
    if (state.index >= this.#steps.batches(problem))
      return { kind: 'pass', pass: { kind: 'gradient', at: this.#epochs.candidates(state) } };
    return { kind: 'pass', pass: this.#steps.pass(state, state.point) };
  }

  /** The next pass that M needs, if any. */
  #metricPass({ problem, metric }: MiniBatchState): Pass | undefined {
    if (metric === this.#settled) return undefined;
    const pass = this.#keeper.pass(problem, metric);
    if (pass === undefined) this.#settled = metric;
    return pass;
  }

  absorb(state: MiniBatchState, sums: Sums): MiniBatchState {
    const { problem } = state;
    if (this.#metricPass(state) !== undefined) return this.#absorbSample(state, sums);
    assert(sums.kind === 'gradient', `${this.name} did not ask for a ${sums.kind} pass`);
    if (state.point === undefined) return this.#absorbStart(state, sums.sums);
    if (state.index >= this.#steps.batches(problem)) return this.#epochs.end(state, sums.sums);
    this.#steps.take(state, state.point, sums.sums);
    return state;
  }

  ahead(state: MiniBatchState, maxPasses: number): PlainSteps | undefined {
    return this.#steps.ahead(state, maxPasses);
  }

  took(state: MiniBatchState, { count }: PlainSteps): MiniBatchState {
    this.#steps.took(state, count);
    return state;
  }

  #absorbStart(state: MiniBatchState, sums: readonly GradientSums[]): MiniBatchState {
    const start = pointOf(state.problem, state.problem.start, sums[0]);
    requireFinite(state.problem, start);
    state.nullLoss = nullLossOf(state.problem, start, sums);
    state.lowest = start.objective;
    state.wholePasses += 1;
    return this.#epochs.build(state, start);
  }

  #absorbSample(state: MiniBatchState, sums: Sums): MiniBatchState {
    const { problem } = state;
    const restored = this.#keeper.isLost(state.metric);
    const before = state.metric.record;
    state.metric = this.#keeper.absorb(problem, state.metric, sums);
    const { record, pending } = state.metric;
    if (sums.kind !== 'gram' || record === undefined) return state;
    if (restored || record !== before) this.#preconditioners.put(problem, record, sums.sums);
    if (restored || pending !== undefined) return state;
    return this.#epochs.begin(state, state.point as Point);
  }

  progress(state: MiniBatchState): Progress {
    const { iteration, nullLoss, gap, gradientNorm } = state;
    const passes = state.wholePasses + state.rowsRead / state.problem.layout.rows;
    return { iteration, passes, objective: state.point?.objective ?? NaN, nullLoss, gap, gradientNorm };
  }

  closing(state: MiniBatchState): Pass | undefined {
    // Between epochs, and before the first, all weights have been judged.
    if (state.index === 0 || state.best === undefined || this.#keeper.isLost(state.metric)) return undefined;
    return { kind: 'gradient', at: this.#epochs.candidates(state) };
  }

  outcome(state: MiniBatchState, reason: EndReason, closing?: Sums): Outcome {
    const { problem, point, nullLoss } = state;
    const closed = closing?.kind === 'gradient' ? this.#epochs.closed(state, closing.sums) : state.best;
    const best = closed ?? { vector: problem.start, objective: point?.objective ?? NaN, gap: NaN };
    const notes = notesOf(problem, state.metric, nullLoss, best.objective);
    const far = this.#options.epochs === undefined && reason !== 'converged' && best.gap > FAR * Math.max(0, nullLoss - best.objective);
    if (far)
      notes.push(
        `${this.name} with batches of ${this.#steps.size} rows ended far from the optimum: use --learning-rate auto, a larger --batch-size, or --optimizer auto`,
      );
    return { reason, ...best, notes };
  }
}
