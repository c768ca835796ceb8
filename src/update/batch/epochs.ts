import { ParagradError } from '../../errors.ts';
import { coordinatesOf, vectorOn } from '../coordinates.ts';
import { applyInverse } from '../metric.ts';
import type { MetricKeeper } from '../metric-keeper.ts';
import { type Point, pointOf } from '../objective.ts';
import type { OptimizerOptions } from '../optimizer.ts';
import type { GradientSums, Vector } from '../pass.ts';
import { type Best, bestOf, isConverged, isPowerOfTwo, LEAST_PROGRESS } from '../stop.ts';
import { centred, copyOf, isFiniteVector, norm } from '../vectors.ts';
import type { Preconditioners } from './preconditioners.ts';
import type { MiniBatchMethod, MiniBatchState } from './state.ts';
import type { BatchSteps } from './steps.ts';

/** Epochs in a row without progress that mean: no more precision is to be had. */
const MAX_IDLE = 20;
/** After every so many of them: on from the best weights so far, with a quarter of the rate. */
const PATIENCE = 4;
/** The mean of an epoch's weights has less than this part of the last one's gap: noise keeps them from the optimum. */
const NOISY = 0.5;
/** An epoch that ends this part of what was gained above its beginning is taken back, where the rate is automatic. */
const RISEN = 0.1;
const MAX_HALVINGS = 60;
/** Of adaptive rules: part of the root mean square of what the coordinates have to go, at the start. */
const ADAPTIVE_RATE = 0.1;
/** Their rate is doubled after an epoch that neither noise kept from the optimum nor brought its gap below this part. */
const SLOW = 0.5;

interface Parts {
  readonly method: MiniBatchMethod;
  readonly options: OptimizerOptions;
  readonly keeper: MetricKeeper;
  readonly preconditioners: Preconditioners;
  readonly steps: BatchSteps;
}

/** What true gradients at the ends of epochs decide: where the next one begins, at which rate, and whether it is the end. */
export class Epochs {
  readonly #method: MiniBatchMethod;
  readonly #options: OptimizerOptions;
  readonly #keeper: MetricKeeper;
  readonly #preconditioners: Preconditioners;
  readonly #steps: BatchSteps;

  constructor({ method, options, keeper, preconditioners, steps }: Parts) {
    this.#method = method;
    this.#options = options;
    this.#keeper = keeper;
    this.#preconditioners = preconditioners;
    this.#steps = steps;
  }

  /** The first epoch of a metric: its gap, and the rate. */
  begin(state: MiniBatchState, point: Point): MiniBatchState {
    state.gap = this.#gap(state, point);
    state.best = bestOf(point, state.gap);
    state.rate = this.#rateOf(state, point);
    return this.#judge(state);
  }

  /** Asks for a metric at a point. */
  build(state: MiniBatchState, point: Point): MiniBatchState {
    state.point = point;
    state.metric = this.#keeper.request(state.problem, state.metric, point.vector, 1);
    state.builtIteration = state.iteration;
    return state;
  }

  /** What an epoch ends with: the last weights, and their mean over the epoch where that tells noise. */
  candidates(state: MiniBatchState): Vector[] {
    // What is common to all classes changes no loss, and has no part in the penalty's optimum.
    const vectorOf = (coordinates: Float64Array): Vector => centred(copyOf(vectorOn(coordinates, state.problem.classes ?? 1)));
    const last = vectorOf(state.coordinates);
    return this.#steps.averages && state.averaged > 0 ? [last, vectorOf(state.mean)] : [last];
  }

  #rateOf(state: MiniBatchState, point: Point): number {
    const { learningRate } = this.#options;
    if (learningRate !== 'auto') return learningRate;
    const { rule, momentum } = this.#method;
    if (!rule.adaptive) return (1 - momentum) * this.#preconditioners.of(state).rate;
    if (!Number.isNaN(state.rate)) return state.rate;
    const { problem } = state;
    const way = norm(problem.layout, applyInverse(problem, this.#keeper.metric(problem, state.metric), point.gradient));
    return (ADAPTIVE_RATE * way) / Math.sqrt(state.coordinates.length) || 1;
  }

  #gap({ problem, metric }: MiniBatchState, { gradient }: Point): number {
    return this.#keeper.gap(problem, metric, gradient);
  }

  #pointsOf(state: MiniBatchState, sums: readonly GradientSums[]): Point[] {
    return this.candidates(state).map((vector, i) => pointOf(state.problem, vector, sums[i]));
  }

  /** The weights of the smallest gap, where a run ends inside an epoch: true gradients at `candidates` are known, too. */
  closed(state: MiniBatchState, sums: readonly GradientSums[]): Best | undefined {
    const point = lowest(this.#pointsOf(state, sums));
    if (point === undefined) return state.best;
    const gap = this.#gap(state, point);
    return state.best === undefined || gap < state.best.gap ? bestOf(point, gap) : state.best;
  }

  /** The true gradients at an epoch's end: where the next begins, and whether it is the end. */
  end(state: MiniBatchState, sums: readonly GradientSums[]): MiniBatchState {
    const { problem, nullLoss } = state;
    const points = this.#pointsOf(state, sums);
    state.wholePasses += 1;
    state.iteration += 1;
    state.epoch += 1;
    state.index = 0;
    state.averaged = 0;
    state.mean.fill(0);
    const [last, mean] = points;
    const point = lowest(points);
    const from = state.point as Point;
    if (point === undefined || this.#hasRisen(state, from, point)) return this.#takeBack(state, from, point);
    const gap = this.#gap(state, point);
    const { adaptive } = this.#method.rule;
    // Plain steps do not rise unless the rate is too large; adaptive ones keep their size, and do now and then.
    const rises = !adaptive && point.objective > from.objective;
    if (this.#steps.averages && (rises || (point === mean && gap < NOISY * this.#gap(state, last)))) this.#halve(state, point);
    else if (this.#steps.averages && point === last && adaptive && gap > SLOW * state.gap) state.factor *= 2;
    const best = state.best as Best;
    const lowered = point.objective < state.lowest && point.objective <= state.lowest - LEAST_PROGRESS[problem.layout.dtype] * nullLoss;
    state.point = point;
    state.gap = gap;
    state.gradientNorm = norm(problem.layout, point.gradient);
    state.idle = lowered || gap <= 0.5 * best.gap ? 0 : state.idle + 1;
    if (lowered) state.lowest = point.objective;
    if (gap < best.gap) state.best = bestOf(point, gap);
    else if (this.#steps.averages && state.idle > 0 && state.idle % PATIENCE === 0) {
      this.#halve(state, best);
      state.factor /= 2;
    }
    return this.#judge(state);
  }

  #hasRisen({ nullLoss }: MiniBatchState, from: Point, point: Point): boolean {
    return this.#steps.averages && point.objective > from.objective + RISEN * Math.max(0, nullLoss - from.objective);
  }

  /** On from weights that noise kept away from the optimum, with half the rate. */
  #halve(state: MiniBatchState, { vector }: Pick<Point, 'vector'>): void {
    state.coordinates.set(coordinatesOf(vector));
    state.factor /= 2;
  }

  /** An epoch that led nowhere: once more from where it began, with half the rate (a given rate has diverged). */
  #takeBack(state: MiniBatchState, from: Point, reached: Point | undefined): MiniBatchState {
    if (!this.#steps.averages) throw this.#diverged(state);
    state.halvings += 1;
    state.factor /= reached === undefined ? 8 : 2;
    if (state.halvings > MAX_HALVINGS) state.done = 'precision reached';
    state.coordinates.set(coordinatesOf(from.vector));
    state.rule = this.#method.rule.init(state.coordinates.length);
    if (this.#isOver(state)) state.done = 'epochs done';
    return state;
  }

  #diverged(state: MiniBatchState): ParagradError {
    const { rule, momentum } = this.#method;
    const advice = rule.adaptive ? state.rate / 10 : Math.min(state.rate / 2, (1 - momentum) * this.#preconditioners.of(state).rate);
    return new ParagradError(
      'PARAGRAD_DIVERGED',
      `training diverged (weights are no longer finite after epoch ${state.epoch}) at --learning-rate ${short(state.rate)} with batches of ${this.#steps.size} rows: try --learning-rate ${short(advice)}, or auto`,
      { place: { option: '--learning-rate' } },
    );
  }

  #isOver({ epoch }: MiniBatchState): boolean {
    return this.#options.epochs !== undefined && epoch >= this.#options.epochs;
  }

  #judge(state: MiniBatchState): MiniBatchState {
    const { problem, gap, iteration } = state;
    const point = state.point as Point;
    const fresh = state.builtIteration === iteration;
    if (isConverged(gap, this.#options.tolerance, state.nullLoss, point.objective)) {
      if (!problem.quadratic && !fresh) return this.build(state, point);
      state.best = bestOf(point, gap);
      state.done = 'converged';
    } else if (this.#isOver(state)) state.done = 'epochs done';
    else if (this.#options.epochs === undefined && state.idle >= MAX_IDLE) state.done = 'precision reached';
    else if (!problem.quadratic && !fresh && isPowerOfTwo(iteration + 1)) return this.build(state, point);
    return state;
  }
}

/** The point of the lower objective, the first where they are equal; undefined where nothing is finite. */
function lowest(points: readonly Point[]): Point | undefined {
  const finite = points.filter(({ objective, gradient }) => Number.isFinite(objective) && isFiniteVector(gradient));
  return finite.length === 2 && finite[1].objective < finite[0].objective ? finite[1] : finite[0];
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}
