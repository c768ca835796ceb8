import { assert } from '../errors.ts';
import { diverged, isRunaway } from './divergence.ts';
import { METRIC_RULES, type MetricRules } from './metric.ts';
import { MetricKeeper, type MetricState, NO_METRIC } from './metric-keeper.ts';
import { nullLossOf, type Point, pointOf, progressOf, startingPoints } from './objective.ts';
import type { EndReason, Next, Optimizer, OptimizerOptions, Outcome, Problem, Progress } from './optimizer.ts';
import type { Sums, Vector } from './pass.ts';
import { beginRate, halvedRate, type Rate, ratePass, refinedRate, sampledRate } from './rate.ts';
import { type Best, bestOf, isConverged, isExhausted, isPowerOfTwo, LEAST_PROGRESS, NOISE, notesOf, requireFinite, STALE } from './stop.ts';
import { axpy } from './vectors.ts';

/** Passes without progress that mean: no more precision is to be had (at this rate). */
const MAX_IDLE = 50;
/** Halvings of an automatic rate at one point. */
const MAX_HALVINGS = 40;
/** A gap of more than this × what was gained, at the end: the rate was too small to get on. */
const FAR = 1e-3;

export interface GradientDescentState {
  readonly problem: Problem;
  readonly metric: MetricState;
  readonly point: Point | undefined;
  readonly gap: number;
  readonly nullLoss: number;
  readonly rate: Rate;
  readonly halvings: number;
  readonly best: Best | undefined;
  /** Objective at the last progress, and passes since. */
  readonly lowest: number;
  readonly idle: number;
  /** Passes in a row whose objective was above the lowest seen, noise apart. */
  readonly minimum: number;
  readonly rising: number;
  readonly builtObjective: number;
  readonly builtIteration: number;
  readonly iteration: number;
  readonly passes: number;
  readonly done: 'converged' | 'precision reached' | undefined;
}

/**
 * Plain gradient descent, w ← w − rate·g: the method of the textbooks, and slow where columns are correlated. The rate is
 * fixed, or 1/λmax, halved where the objective rises all the same. M serves the stop rule only, on the smallest sample.
 */
export class GradientDescent implements Optimizer<GradientDescentState> {
  readonly name = 'gradient-descent';
  readonly #options: OptimizerOptions;
  readonly #keeper: MetricKeeper;

  constructor(options: OptimizerOptions, rules: MetricRules = METRIC_RULES) {
    this.#options = options;
    this.#keeper = new MetricKeeper(rules);
  }

  init(problem: Problem): GradientDescentState {
    return {
      problem,
      metric: NO_METRIC,
      point: undefined,
      gap: NaN,
      nullLoss: NaN,
      rate: beginRate(problem, this.#options.learningRate),
      halvings: 0,
      best: undefined,
      lowest: NaN,
      idle: 0,
      minimum: NaN,
      rising: 0,
      builtObjective: NaN,
      builtIteration: -1,
      iteration: 0,
      passes: 0,
      done: undefined,
    };
  }

  next(state: GradientDescentState): Next {
    const { problem, point } = state;
    if (state.done !== undefined) return { kind: 'done', reason: state.done };
    const forMetric = this.#keeper.pass(problem, state.metric);
    if (forMetric !== undefined) return { kind: 'pass', pass: forMetric };
    if (point === undefined) return { kind: 'pass', pass: { kind: 'gradient', at: startingPoints(problem) } };
    return { kind: 'pass', pass: ratePass(state.rate, point) ?? { kind: 'gradient', at: [trialOf(point, state.rate)] } };
  }

  absorb(state: GradientDescentState, sums: Sums): GradientDescentState {
    const { problem, point } = state;
    if (this.#keeper.pass(problem, state.metric) !== undefined) return this.#absorbSample(state, sums);
    const counted = { ...state, passes: state.passes + 1 };
    if (sums.kind === 'curvature') return { ...counted, rate: refinedRate(problem, state.rate, sums.sums) };
    assert(sums.kind === 'gradient', `gradient descent did not ask for a ${sums.kind} pass`);
    if (point !== undefined) return this.#moved(counted, point, pointOf(problem, trialOf(point, state.rate), sums.sums[0]));
    const start = pointOf(problem, problem.start, sums.sums[0]);
    requireFinite(problem, start);
    const { objective } = start;
    return this.#build({ ...counted, nullLoss: nullLossOf(problem, start, sums.sums), lowest: objective, minimum: objective }, start);
  }

  #build(state: GradientDescentState, point: Point): GradientDescentState {
    const metric = this.#keeper.request(state.problem, state.metric, point.vector, 1);
    return { ...state, point, metric, builtObjective: point.objective, builtIteration: state.iteration };
  }

  #absorbSample(state: GradientDescentState, sums: Sums): GradientDescentState {
    const { problem } = state;
    const restored = this.#keeper.isLost(state.metric);
    const columns = this.#keeper.columnsOf(problem);
    const metric = this.#keeper.absorb(problem, state.metric, sums);
    if (restored || metric.pending !== undefined || sums.kind !== 'gram') return { ...state, metric };
    const point = state.point as Point;
    const gap = this.#gap({ ...state, metric }, point);
    const rate = sampledRate(problem, state.rate, sums.sums, columns);
    return this.#judge({ ...state, metric, rate, gap, best: bestOf(point, gap) });
  }

  #gap({ problem, metric }: GradientDescentState, point: Point): number {
    return this.#keeper.gap(problem, metric, point.gradient);
  }

  /** The point after a step; with an automatic rate a step that rises is taken back. */
  #moved(state: GradientDescentState, from: Point, point: Point): GradientDescentState {
    const { problem, minimum, nullLoss } = state;
    const noise = NOISE[problem.layout.dtype] * Math.abs(minimum);
    if (state.rate.automatic && !(point.objective <= from.objective + noise)) return this.#halved(state);
    const rising = point.objective <= minimum + noise ? 0 : state.rising + 1;
    if (isRunaway(problem, { objective: point.objective, gradient: point.gradient, start: Math.max(minimum, nullLoss), rising }))
      throw diverged(problem, state.rate.value, state.rate.curvature.value, point.objective);
    const gap = this.#gap(state, point);
    const best = state.best as Best;
    const lowered = point.objective < state.lowest && point.objective <= state.lowest - LEAST_PROGRESS[problem.layout.dtype] * nullLoss;
    return this.#judge({
      ...state,
      point,
      gap,
      rising,
      halvings: 0,
      best: gap < best.gap ? bestOf(point, gap) : best,
      lowest: lowered ? point.objective : state.lowest,
      idle: lowered || gap <= 0.5 * best.gap ? 0 : state.idle + 1,
      minimum: Math.min(minimum, point.objective),
      iteration: state.iteration + 1,
    });
  }

  #halved(state: GradientDescentState): GradientDescentState {
    if (state.halvings >= MAX_HALVINGS) return { ...state, done: 'precision reached' };
    return { ...state, rate: halvedRate(state.rate), halvings: state.halvings + 1 };
  }

  #judge(state: GradientDescentState): GradientDescentState {
    const { problem, gap, iteration } = state;
    const point = state.point as Point;
    const fresh = state.builtIteration === iteration;
    if (isConverged(gap, this.#options.tolerance, state.nullLoss, point.objective)) {
      const stale = !problem.quadratic && !fresh && point.objective < STALE * state.builtObjective;
      return stale ? this.#build(state, point) : { ...state, best: bestOf(point, gap), done: 'converged' };
    }
    if (state.idle >= MAX_IDLE || isExhausted(problem, state.nullLoss, point.objective)) return { ...state, done: 'precision reached' };
    return !problem.quadratic && !fresh && isPowerOfTwo(iteration + 1) ? this.#build(state, point) : state;
  }

  progress(state: GradientDescentState): Progress {
    return progressOf(state);
  }

  outcome(state: GradientDescentState, reason: EndReason): Outcome {
    const { problem, point, nullLoss } = state;
    const best = state.best ?? { vector: problem.start, objective: point?.objective ?? NaN, gap: NaN };
    const notes = notesOf(problem, state.metric, nullLoss, best.objective);
    if (reason === 'precision reached' && best.gap > FAR * Math.max(0, nullLoss - best.objective))
      notes.push(
        `gradient descent at the rate ${state.rate.value} no longer lowers the objective noticeably although the optimum is far: use --learning-rate auto, or --optimizer auto`,
      );
    return { reason, ...best, notes };
  }
}

function trialOf(point: Point, rate: Rate): Vector {
  return axpy(-rate.value, point.gradient, point.vector);
}
