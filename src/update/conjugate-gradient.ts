import { assert, ParagradError } from '../errors.ts';
import { applyInverse, METRIC_RULES, type MetricRules } from './metric.ts';
import { MetricKeeper, type MetricState, NO_METRIC } from './metric-keeper.ts';
import { curvatureOf, nullLossOf, type Point, pointOf, progressOf, startingPoints } from './objective.ts';
import type { EndReason, Next, Optimizer, OptimizerOptions, Outcome, Problem, Progress } from './optimizer.ts';
import type { CurvatureSums, GradientSums, Sums, Vector } from './pass.ts';
import { bestOf, isConverged, LEAST_PROGRESS, notesOf, requireFinite } from './stop.ts';
import { axpy, dot, scale } from './vectors.ts';

/** A true gradient is taken after at most this many iterations on the recurrence … */
const MAX_ITERATIONS = 30;
/** … or when its gap fell to this × that of the last true gradient … */
const GAP_FALL = 1e-6;
/** … or set no new minimum in this many. */
const MAX_WITHOUT_MINIMUM = 5;
/**
 * Successive true gradients without the smallest gap halving that mean: no more precision is to be had. After the first, conjugate
 * gradient goes back to the best weights and takes a true gradient after every iteration: in f32 a recurrence may follow
 * rounding errors along directions without curvature, far away. While that helps, the iterations in between double again.
 */
const MAX_STALLS = 2;

/**
 * Where M is not in full it may not see what correlated columns still hold: then the last iterations, this many, must not have
 * lowered the objective by more than the gap may be, and a lower objective counts as progress even if the gap is none.
 */
const MEMORY = 5;

/** Conjugate gradient since the last true gradient. */
interface Recurrence {
  readonly direction: Vector;
  /** gᵀM⁻¹g at the point. */
  readonly square: number;
  readonly iterations: number;
  /** Gap of the true gradient that it started from. */
  readonly startGap: number;
  readonly lowestGap: number;
  readonly sinceLowest: number;
}

export interface ConjugateGradientState {
  readonly problem: Problem;
  readonly metric: MetricState;
  /** Where we are; its gradient and objective are true if `recurrence.iterations` is 0, else by recurrence. */
  readonly point: Point | undefined;
  readonly gap: number;
  readonly nullLoss: number;
  /** Undefined: the next pass is a true gradient. */
  readonly recurrence: Recurrence | undefined;
  /** The true gradient of the smallest gap. */
  readonly best: { readonly point: Point; readonly gap: number } | undefined;
  readonly stalls: number;
  /** What the last iterations lowered the objective by, oldest first. */
  readonly decreases: readonly number[];
  /** Iterations until the next true gradient, at most. */
  readonly cycle: number;
  readonly iteration: number;
  readonly passes: number;
  readonly done: 'converged' | 'precision reached' | undefined;
}

/** Conjugate gradient on the metric M, for losses that are quadratic in z (docs/numerics.md §6). */
export class ConjugateGradient implements Optimizer<ConjugateGradientState> {
  readonly name = 'conjugate-gradient';
  readonly #options: OptimizerOptions;
  readonly #keeper: MetricKeeper;

  constructor(options: OptimizerOptions, rules: MetricRules = METRIC_RULES) {
    this.#options = options;
    this.#keeper = new MetricKeeper(rules);
  }

  /** @throws PARAGRAD_OPTIMIZER when the loss is not quadratic. */
  init(problem: Problem): ConjugateGradientState {
    if (!problem.quadratic)
      throw new ParagradError('PARAGRAD_OPTIMIZER', `--optimizer conjugate-gradient is for squared loss, not ${problem.loss}: use lbfgs`, {
        place: { option: '--optimizer' },
      });
    return {
      problem,
      metric: NO_METRIC,
      point: undefined,
      gap: NaN,
      nullLoss: NaN,
      recurrence: undefined,
      best: undefined,
      stalls: 0,
      decreases: [],
      cycle: MAX_ITERATIONS,
      iteration: 0,
      passes: 0,
      done: undefined,
    };
  }

  next(state: ConjugateGradientState): Next {
    const { problem, point, recurrence } = state;
    if (state.done !== undefined) return { kind: 'done', reason: state.done };
    const forMetric = this.#keeper.pass(problem, state.metric);
    if (forMetric !== undefined) return { kind: 'pass', pass: forMetric };
    if (point === undefined) return { kind: 'pass', pass: { kind: 'gradient', at: startingPoints(problem) } };
    if (recurrence === undefined) return { kind: 'pass', pass: { kind: 'gradient', at: [point.vector] } };
    return { kind: 'pass', pass: { kind: 'curvature', at: point.vector, direction: recurrence.direction } };
  }

  absorb(state: ConjugateGradientState, sums: Sums): ConjugateGradientState {
    if (this.#keeper.pass(state.problem, state.metric) !== undefined) {
      const restored = this.#keeper.isLost(state.metric);
      const metric = this.#keeper.absorb(state.problem, state.metric, sums);
      const next = { ...state, metric };
      return restored || metric.pending !== undefined ? next : this.#restart(next);
    }
    const counted = { ...state, passes: state.passes + 1 };
    if (sums.kind === 'gradient') return this.#absorbGradient(counted, sums.sums);
    assert(sums.kind === 'curvature', `conjugate gradient did not ask for a ${sums.kind} pass`);
    return this.#absorbCurvature(counted, sums.sums);
  }

  #absorbGradient(state: ConjugateGradientState, sums: readonly GradientSums[]): ConjugateGradientState {
    const { problem } = state;
    const point = pointOf(problem, state.point?.vector ?? problem.start, sums[0]);
    requireFinite(problem, point);
    if (state.point !== undefined) return this.#restart({ ...state, point });
    const nullLoss = nullLossOf(problem, point, sums);
    return { ...state, point, nullLoss, metric: this.#keeper.request(problem, state.metric, point.vector, 1) };
  }

  /** Judges a true gradient, and starts conjugate gradient from it, or from the best one. */
  #restart(state: ConjugateGradientState): ConjugateGradientState {
    const { point } = state;
    assert(point !== undefined, 'a true gradient has a point');
    const { direction, square } = this.#steepest(state, point);
    const gap = 0.5 * square;
    if (this.#isConverged(state, gap, point)) return { ...state, gap, best: { point, gap }, done: 'converged' };
    const lowered = !this.#isFull(state) && state.best !== undefined && state.best.point.objective - point.objective > this.#least(state);
    const progressed = state.best === undefined || lowered || gap <= 0.5 * state.best.gap;
    const stalls = progressed ? 0 : state.stalls + 1;
    const best = state.best === undefined || lowered || gap < state.best.gap ? { point, gap } : state.best;
    const cycle = progressed ? Math.min(MAX_ITERATIONS, 2 * state.cycle) : 1;
    const judged = { ...state, gap, stalls, cycle, best };
    if (stalls >= MAX_STALLS || !Number.isFinite(best.gap)) return { ...judged, done: 'precision reached' };
    if (best.point === point) return { ...judged, recurrence: startOf(direction, square) };
    const from = this.#steepest(state, best.point);
    return { ...judged, point: best.point, gap: best.gap, recurrence: startOf(from.direction, from.square) };
  }

  /** The stop rule, and where M is not in full what the last iterations did. */
  #isConverged(state: ConjugateGradientState, gap: number, point: Point): boolean {
    const { tolerance } = this.#options;
    if (!isConverged(gap, tolerance, state.nullLoss, point.objective)) return false;
    if (gap === 0 || this.#isFull(state)) return true;
    const decrease = state.decreases.reduce((sum, value) => sum + value, 0);
    return state.decreases.length === MEMORY && isConverged(decrease, tolerance, state.nullLoss, point.objective);
  }

  #isFull(state: ConjugateGradientState): boolean {
    return this.#keeper.metric(state.problem, state.metric).columns === undefined;
  }

  #least(state: ConjugateGradientState): number {
    return LEAST_PROGRESS[state.problem.layout.dtype] * state.nullLoss;
  }

  #steepest(state: ConjugateGradientState, point: Point): { direction: Vector; square: number } {
    const { problem } = state;
    const u = applyInverse(problem, this.#keeper.metric(problem, state.metric), point.gradient);
    return { direction: scale(-1, u), square: dot(problem.layout, point.gradient, u) };
  }

  #absorbCurvature(state: ConjugateGradientState, sums: CurvatureSums): ConjugateGradientState {
    const { problem, point, recurrence } = state;
    assert(point !== undefined && recurrence !== undefined, 'a curvature pass has a direction');
    const { quadratic, product } = curvatureOf(problem, recurrence.direction, sums);
    if (!(quadratic > 0 && Number.isFinite(quadratic)))
      return recurrence.iterations === 0 ? { ...state, done: 'precision reached' } : { ...state, recurrence: undefined };
    const alpha = recurrence.square / quadratic;
    const moved: Point = {
      vector: axpy(alpha, recurrence.direction, point.vector),
      objective: point.objective - 0.5 * alpha * recurrence.square,
      gradient: axpy(alpha, product, point.gradient),
    };
    const { direction, square } = this.#steepest(state, moved);
    const decreases = [...state.decreases, 0.5 * alpha * recurrence.square].slice(-MEMORY);
    const next = { ...state, point: moved, gap: 0.5 * square, decreases, iteration: state.iteration + 1 };
    return { ...next, recurrence: this.#continued(next, recurrence, direction, square) };
  }

  /** The recurrence one iteration on, or undefined where a true gradient is due. */
  #continued(state: ConjugateGradientState, from: Recurrence, steepest: Vector, square: number): Recurrence | undefined {
    const { gap } = state;
    const sinceLowest = gap < from.lowestGap ? 0 : from.sinceLowest + 1;
    const iterations = from.iterations + 1;
    const due = iterations >= state.cycle || sinceLowest >= MAX_WITHOUT_MINIMUM || !(gap > GAP_FALL * from.startGap);
    if (due || this.#isConverged(state, gap, state.point as Point)) return undefined;
    return {
      direction: axpy(square / from.square, from.direction, steepest),
      square,
      iterations,
      startGap: from.startGap,
      lowestGap: Math.min(gap, from.lowestGap),
      sinceLowest,
    };
  }

  progress(state: ConjugateGradientState): Progress {
    return progressOf(state);
  }

  outcome(state: ConjugateGradientState, reason: EndReason): Outcome {
    const { problem, point, gap } = state;
    // A limit may end a run between two true gradients: then the recurrence's estimates are what is known.
    const current = point === undefined ? { vector: problem.start, objective: NaN, gap: NaN } : bestOf(point, gap);
    const known = state.best === undefined ? undefined : bestOf(state.best.point, state.best.gap);
    const best = state.done === undefined && (known === undefined || gap < known.gap) ? current : (known ?? current);
    return { reason, ...best, notes: notesOf(problem, state.metric, state.nullLoss, best.objective) };
  }
}

function startOf(direction: Vector, square: number): Recurrence {
  return { direction, square, iterations: 0, startGap: 0.5 * square, lowestGap: 0.5 * square, sinceLowest: 0 };
}
