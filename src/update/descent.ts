import { assert } from '../errors.ts';
import { applyInverse, METRIC_RULES, type MetricRules } from './metric.ts';
import { ALL_ROWS, MetricKeeper, type MetricState, NO_METRIC } from './metric-keeper.ts';
import { nullLossOf, type Point, pointOf, progressOf, startingPoints } from './objective.ts';
import type { EndReason, Next, Optimizer, OptimizerOptions, Outcome, Problem, Progress } from './optimizer.ts';
import type { GramSums, Pass, Sums, Vector } from './pass.ts';
import { type Best, bestOf, isConverged, isExhausted, isPowerOfTwo, LEAST_PROGRESS, notesOf, requireFinite } from './stop.ts';

/** Where M is not in full, the last iterations, this many, must not have lowered the objective by more than the gap may be. */
const MEMORY = 5;

/** Where a method stands: a point with its true gradient, and what the method remembers. */
export interface Place<Own> {
  readonly problem: Problem;
  readonly point: Point;
  readonly own: Own;
  readonly gap: number;
  /** What the point gained over the intercept-only model; at least 0. */
  readonly gained: number;
  /** M⁻¹·g. */
  readonly solve: (g: Vector) => Vector;
}

/** What a method makes of an answer: it asks again at the same point, moves to another, or has nothing left to try. */
export type Step<Own> =
  | { readonly kind: 'ask'; readonly own: Own }
  | { readonly kind: 'moved'; readonly point: Point; readonly own: Own }
  | { readonly kind: 'stuck' };

/**
 * How to get from a point to a better one; `Descent` does the rest. All functions are pure, and `Own` is plain data. Passes
 * are those that read all rows.
 */
export interface Method<Own> {
  readonly name: string;
  /** Accepted points in a row without progress that mean: no more precision is to be had. */
  readonly maxIdle: number;
  /** Rows that M is made of: a sample that grows with the iterations, the first one always, or all. */
  readonly sample: 'growing' | 'first' | 'all';
  /** @throws PARAGRAD_OPTIMIZER when the method is not for this problem. */
  begin(problem: Problem): Own;
  /** Sees the sample that a new M was made of. */
  sampled?(problem: Problem, own: Own, gram: GramSums, columns: Uint32Array | undefined): Own;
  /** Leaves a point that is not good enough; undefined: nothing left to try. */
  start(place: Place<Own>): Own | undefined;
  pass(place: Place<Own>): Pass;
  absorb(place: Place<Own>, sums: Sums): Step<Own>;
  /** Remarks on a run that ended far from the optimum. */
  notes?(own: Own, reason: EndReason): readonly string[];
}

/** A gap of more than this × what was gained, at the end: the optimum is far. */
const FAR = 1e-3;

export interface DescentState<Own> {
  readonly problem: Problem;
  readonly metric: MetricState;
  readonly point: Point | undefined;
  readonly own: Own;
  readonly gap: number;
  readonly nullLoss: number;
  readonly best: Best | undefined;
  /** Objective at the last progress, and accepted points since. */
  readonly lowest: number;
  readonly idle: number;
  /** Objectives of the last points, oldest first. */
  readonly recent: readonly number[];
  readonly builtObjective: number;
  readonly builtIteration: number;
  readonly iteration: number;
  readonly passes: number;
  readonly done: 'converged' | 'precision reached' | undefined;
}

/** What optimizers that go from point to point share: M, the stop rule, limits, and what they say at the end. */
export class Descent<Own> implements Optimizer<DescentState<Own>> {
  readonly name: string;
  readonly #method: Method<Own>;
  readonly #options: OptimizerOptions;
  readonly #keeper: MetricKeeper;

  constructor(method: Method<Own>, options: OptimizerOptions, rules: MetricRules = METRIC_RULES) {
    this.name = method.name;
    this.#method = method;
    this.#options = options;
    this.#keeper = new MetricKeeper(rules);
  }

  init(problem: Problem): DescentState<Own> {
    return {
      problem,
      metric: NO_METRIC,
      point: undefined,
      own: this.#method.begin(problem),
      gap: NaN,
      nullLoss: NaN,
      best: undefined,
      lowest: NaN,
      idle: 0,
      recent: [],
      builtObjective: NaN,
      builtIteration: -1,
      iteration: 0,
      passes: 0,
      done: undefined,
    };
  }

  next(state: DescentState<Own>): Next {
    const { problem, point } = state;
    if (state.done !== undefined) return { kind: 'done', reason: state.done };
    const forMetric = this.#keeper.pass(problem, state.metric);
    if (forMetric !== undefined) return { kind: 'pass', pass: forMetric };
    if (point === undefined) return { kind: 'pass', pass: { kind: 'gradient', at: startingPoints(problem) } };
    return { kind: 'pass', pass: this.#method.pass(this.#place(state, point)) };
  }

  absorb(state: DescentState<Own>, sums: Sums): DescentState<Own> {
    const { problem, point } = state;
    if (this.#keeper.pass(problem, state.metric) !== undefined) return this.#absorbSample(state, sums);
    const counted = { ...state, passes: state.passes + 1 };
    if (point === undefined) return this.#absorbStart(counted, sums);
    const step = this.#method.absorb(this.#place(counted, point), sums);
    if (step.kind === 'stuck') return { ...counted, done: 'precision reached' };
    return step.kind === 'ask' ? { ...counted, own: step.own } : this.#moved({ ...counted, own: step.own }, step.point);
  }

  #absorbStart(state: DescentState<Own>, sums: Sums): DescentState<Own> {
    const { problem } = state;
    assert(sums.kind === 'gradient', `${this.name} starts with a gradient, not ${sums.kind}`);
    const start = pointOf(problem, problem.start, sums.sums[0]);
    requireFinite(problem, start);
    const { objective } = start;
    return this.#build({ ...state, nullLoss: nullLossOf(problem, start, sums.sums), lowest: objective, recent: [objective] }, start);
  }

  /** Asks for an M at the point. */
  #build(state: DescentState<Own>, point: Point): DescentState<Own> {
    const outer = { growing: state.iteration + 1, first: 1, all: ALL_ROWS }[this.#method.sample];
    const metric = this.#keeper.request(state.problem, state.metric, point.vector, outer);
    return { ...state, point, metric, builtObjective: point.objective, builtIteration: state.iteration };
  }

  #absorbSample(state: DescentState<Own>, sums: Sums): DescentState<Own> {
    const { problem } = state;
    const restored = this.#keeper.isLost(state.metric);
    const metric = this.#keeper.absorb(problem, state.metric, sums);
    const next = { ...state, metric };
    if (restored || metric.pending !== undefined || sums.kind !== 'gram') return next;
    const point = state.point as Point;
    const gap = this.#gap(next, point);
    const own = this.#method.sampled?.(problem, state.own, sums.sums, this.#keeper.columnsOf(problem)) ?? state.own;
    const passes = state.passes + (this.#method.sample === 'all' ? 1 : 0);
    return this.#judge({ ...next, own, passes, gap, best: bestOf(point, gap) });
  }

  #place(state: DescentState<Own>, point: Point): Place<Own> {
    const { problem, own, gap } = state;
    const metric = this.#keeper.metric(problem, state.metric);
    const gained = Math.max(0, state.nullLoss - point.objective);
    return { problem, point, own, gap, gained, solve: (g) => applyInverse(problem, metric, g) };
  }

  #gap({ problem, metric }: DescentState<Own>, point: Point): number {
    return this.#keeper.gap(problem, metric, point.gradient);
  }

  #moved(state: DescentState<Own>, point: Point): DescentState<Own> {
    const { problem, nullLoss } = state;
    const gap = this.#gap(state, point);
    const best = state.best as Best;
    const lowered = point.objective < state.lowest && point.objective <= state.lowest - LEAST_PROGRESS[problem.layout.dtype] * nullLoss;
    return this.#judge({
      ...state,
      point,
      gap,
      best: gap < best.gap ? bestOf(point, gap) : best,
      lowest: lowered ? point.objective : state.lowest,
      idle: lowered || gap <= 0.5 * best.gap ? 0 : state.idle + 1,
      recent: [...state.recent, point.objective].slice(-MEMORY - 1),
      iteration: state.iteration + 1,
    });
  }

  /** The stop rule at a point; then a new M where one is due, or on to the next point. */
  #judge(state: DescentState<Own>): DescentState<Own> {
    const { problem, gap, iteration } = state;
    const point = state.point as Point;
    const fresh = state.builtIteration === iteration;
    if (this.#isConverged(state, point)) {
      // Curvature that went since M was built (a rare category whose rows are all of one class) makes its gap too small.
      return !problem.quadratic && !fresh ? this.#build(state, point) : { ...state, best: bestOf(point, gap), done: 'converged' };
    }
    if (state.idle >= this.#method.maxIdle || isExhausted(problem, state.nullLoss, point.objective))
      return { ...state, done: 'precision reached' };
    if (!problem.quadratic && !fresh && isPowerOfTwo(iteration + 1)) return this.#build(state, point);
    const own = this.#method.start(this.#place(state, point));
    return own === undefined ? { ...state, done: 'precision reached' } : { ...state, own };
  }

  /** The stop rule; where M is not in full it may not see what correlated columns still hold, but the last iterations do. */
  #isConverged(state: DescentState<Own>, { objective }: Point): boolean {
    const { gap, nullLoss, recent } = state;
    const { tolerance } = this.#options;
    if (!isConverged(gap, tolerance, nullLoss, objective)) return false;
    if (gap === 0 || this.#keeper.metric(state.problem, state.metric).columns === undefined) return true;
    return recent.length > MEMORY && isConverged(recent[0] - objective, tolerance, nullLoss, objective);
  }

  progress(state: DescentState<Own>): Progress {
    return progressOf(state);
  }

  outcome(state: DescentState<Own>, reason: EndReason): Outcome {
    const { problem, point, nullLoss } = state;
    const best = state.best ?? { vector: problem.start, objective: point?.objective ?? NaN, gap: NaN };
    const notes = notesOf(problem, state.metric, nullLoss, best.objective);
    const far = best.gap > FAR * Math.max(0, nullLoss - best.objective);
    return { reason, ...best, notes: far ? [...notes, ...(this.#method.notes?.(state.own, reason) ?? [])] : notes };
  }
}
