import { assert } from '../errors.ts';
import { applyInverse, METRIC_RULES, type MetricRules } from './metric.ts';
import { MetricKeeper, type MetricState, NO_METRIC } from './metric-keeper.ts';
import { nullLossOf, type Point, pointOf, progressOf, startingPoints } from './objective.ts';
import type { EndReason, Next, Optimizer, OptimizerOptions, Outcome, Problem, Progress } from './optimizer.ts';
import { inverseHessian, LEAST_CURVATURE, type Pair, withPair } from './pairs.ts';
import type { Sums, Vector } from './pass.ts';
import { type Best, bestOf, isConverged, isExhausted, isPowerOfTwo, LEAST_PROGRESS, NOISE, notesOf, requireFinite, STALE } from './stop.ts';
import { axpy, dot, scale, subtract } from './vectors.ts';

/** Shorter steps tried along one direction: five halvings, then eighths, down to 2⁻²⁰. */
const MAX_SHORTER = 10;
const HALVINGS = 5;
/** Sufficient decrease of the objective, as a share of what the slope promises. */
const ARMIJO = 1e-4;
/** Where the objective is lost in noise, the slope must at least not have grown: this × the first slope. */
const MAX_SLOPE = 0.9998;
/**
 * A pair is kept if yᵀM⁻¹y, too, is below this × sᵀy: more is rounding errors along directions in which M has next to no curvature, and a few
 * such pairs blow a direction up without bound.
 */
const MAX_RATIO = 1e4;
/** Accepted points in a row without progress that mean: no more precision is to be had. */
const MAX_STALLS = 4;

interface Search {
  readonly direction: Vector;
  readonly slope: number;
  readonly step: number;
  /** Steps tried so far that were too long. */
  readonly shorter: number;
  /** The direction is −M⁻¹g, without pairs: there is nothing left to try when it fails. */
  readonly plain: boolean;
}

export interface LbfgsState {
  readonly problem: Problem;
  readonly metric: MetricState;
  readonly point: Point | undefined;
  readonly gap: number;
  readonly nullLoss: number;
  /** Oldest first. */
  readonly pairs: readonly Pair[];
  readonly search: Search | undefined;
  /** Objective where M was last built, or was to be built. */
  readonly builtObjective: number;
  /** Iteration at which it was. */
  readonly builtIteration: number;
  readonly best: Best | undefined;
  /** Objective at the last progress. */
  readonly lowest: number;
  readonly stalls: number;
  readonly iteration: number;
  readonly passes: number;
  readonly done: 'converged' | 'precision reached' | undefined;
}

/** L-BFGS with M⁻¹ as its initial metric, for every loss (docs/numerics.md §6). */
export class Lbfgs implements Optimizer<LbfgsState> {
  readonly name = 'lbfgs';
  readonly #options: OptimizerOptions;
  readonly #keeper: MetricKeeper;

  constructor(options: OptimizerOptions, rules: MetricRules = METRIC_RULES) {
    this.#options = options;
    this.#keeper = new MetricKeeper(rules);
  }

  init(problem: Problem): LbfgsState {
    return {
      problem,
      metric: NO_METRIC,
      point: undefined,
      gap: NaN,
      nullLoss: NaN,
      pairs: [],
      search: undefined,
      builtObjective: NaN,
      builtIteration: -1,
      best: undefined,
      lowest: NaN,
      stalls: 0,
      iteration: 0,
      passes: 0,
      done: undefined,
    };
  }

  next(state: LbfgsState): Next {
    const { problem, point, search } = state;
    if (state.done !== undefined) return { kind: 'done', reason: state.done };
    const forMetric = this.#keeper.pass(problem, state.metric);
    if (forMetric !== undefined) return { kind: 'pass', pass: forMetric };
    if (point === undefined) return { kind: 'pass', pass: { kind: 'gradient', at: startingPoints(problem) } };
    assert(search !== undefined, 'a point that is not final has a search');
    return { kind: 'pass', pass: { kind: 'gradient', at: [trialOf(point, search)] } };
  }

  absorb(state: LbfgsState, sums: Sums): LbfgsState {
    const { problem, point, search } = state;
    if (this.#keeper.pass(problem, state.metric) !== undefined) {
      const restored = this.#keeper.isLost(state.metric);
      const metric = this.#keeper.absorb(problem, state.metric, sums);
      const next = { ...state, metric };
      return restored || metric.pending !== undefined ? next : this.#built(next);
    }
    assert(sums.kind === 'gradient', `L-BFGS did not ask for a ${sums.kind} pass`);
    const counted = { ...state, passes: state.passes + 1 };
    if (point !== undefined && search !== undefined)
      return this.#tried(counted, point, search, pointOf(problem, trialOf(point, search), sums.sums[0]));
    const start = pointOf(problem, problem.start, sums.sums[0]);
    requireFinite(problem, start);
    return this.#build({ ...counted, nullLoss: nullLossOf(problem, start, sums.sums), lowest: start.objective }, start);
  }

  /** Asks for an M at the point. */
  #build(state: LbfgsState, point: Point): LbfgsState {
    const metric = this.#keeper.request(state.problem, state.metric, point.vector, state.iteration + 1);
    return { ...state, point, metric, search: undefined, builtObjective: point.objective, builtIteration: state.iteration };
  }

  /** A new M: gaps under the old one count no longer. */
  #built(state: LbfgsState): LbfgsState {
    const point = state.point as Point;
    const gap = this.#gap(state, point);
    return this.#judge({ ...state, gap, best: bestOf(point, gap) });
  }

  #gap({ problem, metric }: LbfgsState, point: Point): number {
    return this.#keeper.gap(problem, metric, point.gradient);
  }

  /** The stop rule at an accepted point; then a new M where one is due, or a new direction. */
  #judge(state: LbfgsState): LbfgsState {
    const { problem, gap, iteration } = state;
    const point = state.point as Point;
    const fresh = state.builtIteration === iteration;
    if (isConverged(gap, this.#options.tolerance, state.nullLoss, point.objective)) {
      const stale = !problem.quadratic && !fresh && this.#isStale(state, point);
      if (stale) return this.#build(state, point);
      if (gap === 0 || this.#isFull(state) || this.#pairsAgree(state, point))
        return { ...state, best: bestOf(point, gap), done: 'converged' };
    }
    if (state.stalls >= MAX_STALLS || isExhausted(problem, state.nullLoss, point.objective)) return { ...state, done: 'precision reached' };
    if (!problem.quadratic && !fresh && isPowerOfTwo(iteration + 1)) return this.#build(state, point);
    return this.#direct(state, point);
  }

  /**
   * Whether M is too old to judge by. Curvature that went since it was built (a rare category whose rows are all of one class)
   * makes its gap too small, and the objective may not show it: the pairs do, in ½ gᵀHg.
   */
  #isStale(state: LbfgsState, point: Point): boolean {
    return point.objective < STALE * state.builtObjective || (this.#isFull(state) && !this.#pairsAgree(state, point));
  }

  #isFull(state: LbfgsState): boolean {
    return this.#keeper.metric(state.problem, state.metric).columns === undefined;
  }

  /** Whether the gap by the pairs, too, is small enough: M may not see what they do, and less so where it is not in full. */
  #pairsAgree(state: LbfgsState, point: Point): boolean {
    const gap = 0.5 * dot(state.problem.layout, point.gradient, this.#inverseHessian(state, point.gradient));
    return isConverged(gap, this.#options.tolerance, state.nullLoss, point.objective);
  }

  /** Starts a search along −H·g, or −M⁻¹g where that does not descend. */
  #direct(state: LbfgsState, point: Point): LbfgsState {
    const { problem } = state;
    const direction = scale(-1, this.#inverseHessian(state, point.gradient));
    const slope = dot(problem.layout, point.gradient, direction);
    const plain = state.pairs.length === 0;
    if (slope < 0 && Number.isFinite(slope)) return { ...state, search: { direction, slope, step: 1, shorter: 0, plain } };
    return plain ? { ...state, search: undefined, done: 'precision reached' } : this.#direct({ ...state, pairs: [] }, point);
  }

  /** The two loops of L-BFGS around M⁻¹. */
  #inverseHessian(state: LbfgsState, gradient: Vector): Vector {
    const { problem, pairs } = state;
    const metric = this.#keeper.metric(problem, state.metric);
    return inverseHessian(problem.layout, pairs, gradient, (q) => applyInverse(problem, metric, q));
  }

  /** Accepts a trial point, or shortens the step. */
  #tried(state: LbfgsState, from: Point, search: Search, trial: Point): LbfgsState {
    const { layout } = state.problem;
    const slope = dot(layout, trial.gradient, search.direction);
    const promised = ARMIJO * search.step * search.slope;
    const noise = NOISE[layout.dtype] * Math.abs(from.objective);
    const level = trial.objective <= from.objective + noise && slope <= MAX_SLOPE * Math.abs(search.slope);
    if (Number.isFinite(slope) && (trial.objective <= from.objective + promised || level)) return this.#accept(state, from, search, trial);
    if (search.shorter < MAX_SHORTER)
      return { ...state, search: { ...search, step: search.step / (search.shorter < HALVINGS ? 2 : 8), shorter: search.shorter + 1 } };
    return search.plain ? { ...state, search: undefined, done: 'precision reached' } : this.#direct({ ...state, pairs: [] }, from);
  }

  #accept(state: LbfgsState, from: Point, search: Search, point: Point): LbfgsState {
    const { problem, nullLoss } = state;
    const s = scale(search.step, search.direction);
    const y = subtract(point.gradient, from.gradient);
    const product = dot(problem.layout, s, y);
    const spread = 2 * this.#gap(state, { ...point, gradient: y });
    const kept = product > LEAST_CURVATURE * search.step * Math.abs(search.slope) && spread < MAX_RATIO * product;
    const pairs = kept ? withPair(state.pairs, { s, y, product }) : state.pairs;
    const gap = this.#gap(state, point);
    const best = state.best as Best;
    const lowered = point.objective <= state.lowest - LEAST_PROGRESS[problem.layout.dtype] * nullLoss && point.objective < state.lowest;
    const progressed = lowered || gap <= 0.5 * best.gap;
    return this.#judge({
      ...state,
      point,
      gap,
      pairs,
      search: undefined,
      best: gap < best.gap ? bestOf(point, gap) : best,
      lowest: lowered ? point.objective : state.lowest,
      stalls: progressed ? 0 : state.stalls + 1,
      iteration: state.iteration + 1,
    });
  }

  progress(state: LbfgsState): Progress {
    return progressOf(state);
  }

  outcome(state: LbfgsState, reason: EndReason): Outcome {
    const { problem, point } = state;
    const best = state.best ?? { vector: problem.start, objective: point?.objective ?? NaN, gap: NaN };
    return { reason, ...best, notes: notesOf(problem, state.metric, state.nullLoss, best.objective) };
  }
}

function trialOf(point: Point, search: Search): Vector {
  return axpy(search.step, search.direction, point.vector);
}
