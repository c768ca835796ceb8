import { assert, ParagradError } from '../../errors.ts';
import type { Batch } from '../../partition/batch.ts';
import { applyInverse, METRIC_RULES, type MetricRules } from '../metric.ts';
import { MetricKeeper, type MetricRecord, type MetricState, NO_METRIC } from '../metric-keeper.ts';
import { nullLossOf, type Point, pointOf, startingPoints } from '../objective.ts';
import type { EndReason, Next, Optimizer, OptimizerOptions, Outcome, Problem, Progress } from '../optimizer.ts';
import type { GradientSums, GramSums, Pass, Sums, Vector } from '../pass.ts';
import { type Best, bestOf, isConverged, isPowerOfTwo, LEAST_PROGRESS, notesOf, requireFinite } from '../stop.ts';
import { dot, isFiniteVector, norm } from '../vectors.ts';
import { choosePrecondition, type Precondition, type Preconditioner, preconditionerOf } from './precondition.ts';
import type { RuleState, UpdateRule } from './rules.ts';
import { factorAt, type Schedule } from './schedule.ts';

export const DEFAULT_BATCH_ROWS = 256;
/** Of the way from the intercept-only model to the optimum: less than the hundredth that is promised, since the gap is an estimate. */
export const DEFAULT_BATCH_TOLERANCE = 5e-3;
export const DEFAULT_COSINE_EPOCHS = 20;
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

export interface MiniBatchMethod {
  readonly name: string;
  readonly rule: UpdateRule;
  /** Momentum of the rule: the automatic rate is multiplied with 1 − momentum. */
  readonly momentum: number;
  /** SVRG: gradients are corrected by those at the last epoch's end. */
  readonly reducesVariance: boolean;
}

export interface MiniBatchState {
  readonly problem: Problem;
  metric: MetricState;
  /** The last point that all rows judged: where the epoch began. */
  point: Point | undefined;
  gap: number;
  gradientNorm: number;
  nullLoss: number;
  best: Best | undefined;
  lowest: number;
  idle: number;
  /** Current weights, then the intercept; the mean of this epoch's, of so many. */
  readonly coordinates: Float64Array;
  readonly mean: Float64Array;
  averaged: number;
  rule: RuleState;
  /** Base rate, and the halvings of it that epochs brought. */
  rate: number;
  factor: number;
  halvings: number;
  epoch: number;
  /** Next batch of the epoch, and steps since the start. */
  index: number;
  steps: number;
  rowsRead: number;
  wholePasses: number;
  iteration: number;
  builtIteration: number;
  done: 'converged' | 'precision reached' | 'epochs done' | undefined;
}

/**
 * Mini-batch training: one step for every batch, in the order of docs/numerics.md §7, and at the end of every epoch a true gradient
 * that judges how far the optimum is. A step allocates next to nothing: unlike other optimizers' states, this one's is changed in place.
 */
export class MiniBatch implements Optimizer<MiniBatchState> {
  readonly name: string;
  readonly #method: MiniBatchMethod;
  readonly #options: OptimizerOptions;
  readonly #size: number;
  readonly #schedule: Schedule;
  readonly #keeper: MetricKeeper;
  /** Made of the sums that a metric was made of. */
  readonly #preconditioners = new WeakMap<MetricRecord, Preconditioner>();
  /** Needs no pass. */
  #settled: MetricState | undefined;
  /** The last one that was asked for. */
  #last: { readonly record: MetricRecord; readonly made: Preconditioner } | undefined;
  #gradient = new Float64Array(0);
  #decay: Float64Array | undefined;
  #view: { readonly of: Float64Array; readonly weights: Float64Array } | undefined;

  constructor(method: MiniBatchMethod, options: OptimizerOptions, rules: MetricRules = METRIC_RULES) {
    this.name = method.name;
    this.#method = method;
    this.#options = options;
    this.#size = options.batchSize ?? DEFAULT_BATCH_ROWS;
    this.#schedule = options.schedule ?? (options.learningRate === 'auto' ? 'auto' : 'constant');
    this.#keeper = new MetricKeeper(rules);
  }

  init(problem: Problem): MiniBatchState {
    if (problem.classes !== undefined)
      throw new ParagradError(
        'PARAGRAD_OPTION',
        'mini-batches (--batch-size, --optimizer sgd and its kind) train one output: use --optimizer lbfgs for several classes',
        {
          place: { option: '--batch-size' },
        },
      );
    const count = problem.layout.columns + 1;
    return {
      problem,
      metric: NO_METRIC,
      point: undefined,
      gap: NaN,
      gradientNorm: NaN,
      nullLoss: NaN,
      best: undefined,
      lowest: NaN,
      idle: 0,
      coordinates: coordinatesOf(problem.start),
      mean: new Float64Array(count),
      averaged: 0,
      rule: this.#method.rule.init(count),
      rate: NaN,
      factor: 1,
      halvings: 0,
      epoch: 0,
      index: 0,
      steps: 0,
      rowsRead: 0,
      wholePasses: 0,
      iteration: 0,
      builtIteration: -1,
      done: undefined,
    };
  }

  next(state: MiniBatchState): Next {
    const { problem } = state;
    if (state.done !== undefined) return { kind: 'done', reason: state.done };
    const forMetric = this.#metricPass(state);
    if (forMetric !== undefined) return { kind: 'pass', pass: forMetric };
    if (state.point === undefined) return { kind: 'pass', pass: { kind: 'gradient', at: startingPoints(problem) } };
    if (state.index >= this.#batches(problem)) return { kind: 'pass', pass: { kind: 'gradient', at: this.#candidates(state) } };
    return { kind: 'pass', pass: this.#batchPass(state, state.point) };
  }

  /** The next pass that M needs, if any. */
  #metricPass({ problem, metric }: MiniBatchState): Pass | undefined {
    if (metric === this.#settled) return undefined;
    const pass = this.#keeper.pass(problem, metric);
    if (pass === undefined) this.#settled = metric;
    return pass;
  }

  #batchPass(state: MiniBatchState, point: Point): Pass {
    const now: Vector = { weights: this.#weightsOf(state), intercept: state.coordinates[state.coordinates.length - 1] };
    return { kind: 'gradient', at: this.#method.reducesVariance ? [now, point.vector] : [now], batch: this.#batch(state) };
  }

  #batch({ epoch, index }: MiniBatchState): Batch {
    return { epoch, index, size: this.#size };
  }

  /** A view on the current weights. */
  #weightsOf({ coordinates }: MiniBatchState): Float64Array {
    if (this.#view?.of !== coordinates) this.#view = { of: coordinates, weights: coordinates.subarray(0, coordinates.length - 1) };
    return this.#view.weights;
  }

  #batches({ layout }: Problem): number {
    return Math.ceil(layout.rows / this.#size);
  }

  /** What an epoch ends with: the last weights, and their mean over the epoch where that tells noise. */
  #candidates(state: MiniBatchState): Vector[] {
    const last = vectorOf(state.coordinates);
    return this.#averages && state.averaged > 0 ? [last, vectorOf(state.mean)] : [last];
  }

  get #averages(): boolean {
    return this.#schedule === 'auto';
  }

  absorb(state: MiniBatchState, sums: Sums): MiniBatchState {
    const { problem } = state;
    if (this.#metricPass(state) !== undefined) return this.#absorbSample(state, sums);
    assert(sums.kind === 'gradient', `${this.name} did not ask for a ${sums.kind} pass`);
    if (state.point === undefined) return this.#absorbStart(state, sums.sums);
    if (state.index >= this.#batches(problem)) return this.#absorbEpoch(state, sums.sums);
    this.#step(state, state.point, sums.sums);
    return state;
  }

  #absorbStart(state: MiniBatchState, sums: readonly GradientSums[]): MiniBatchState {
    const start = pointOf(state.problem, state.problem.start, sums[0]);
    requireFinite(state.problem, start);
    state.nullLoss = nullLossOf(state.problem, start, sums);
    state.lowest = start.objective;
    state.wholePasses += 1;
    return this.#build(state, start);
  }

  /** Asks for a metric at a point. */
  #build(state: MiniBatchState, point: Point): MiniBatchState {
    state.point = point;
    state.metric = this.#keeper.request(state.problem, state.metric, point.vector, 1);
    state.builtIteration = state.iteration;
    return state;
  }

  #absorbSample(state: MiniBatchState, sums: Sums): MiniBatchState {
    const { problem } = state;
    const restored = this.#keeper.isLost(state.metric);
    const before = state.metric.record;
    state.metric = this.#keeper.absorb(problem, state.metric, sums);
    const { record, pending } = state.metric;
    if (sums.kind !== 'gram' || record === undefined) return state;
    if (restored || record !== before) this.#preconditioners.set(record, this.#made(problem, record, sums.sums));
    if (restored || pending !== undefined) return state;
    const point = state.point as Point;
    state.gap = this.#gap(state, point);
    state.best = bestOf(point, state.gap);
    state.rate = this.#rateOf(state, point);
    return this.#judge(state);
  }

  #made(problem: Problem, record: MetricRecord, gram: GramSums | undefined): Preconditioner {
    const kind = this.#preconditionOf(problem);
    return preconditionerOf(kind, problem, record.usable ? gram : undefined, this.#keeper.columnsOf(problem), this.#size);
  }

  #preconditionOf(problem: Problem): Precondition {
    const { precondition = 'auto' } = this.#options;
    return precondition === 'auto' ? choosePrecondition(problem, this.#size, this.#method.rule.adaptive) : precondition;
  }

  #preconditioner({ problem, metric }: MiniBatchState): Preconditioner {
    const record = metric.record as MetricRecord;
    if (this.#last?.record === record) return this.#last.made;
    let known = this.#preconditioners.get(record);
    if (known === undefined) {
      // Of a sample that was not usable: nothing was lost with it.
      assert(!record.usable, 'the preconditioner is lost');
      known = this.#made(problem, record, undefined);
      this.#preconditioners.set(record, known);
    }
    this.#last = { record, made: known };
    return known;
  }

  #rateOf(state: MiniBatchState, point: Point): number {
    const { learningRate } = this.#options;
    if (learningRate !== 'auto') return learningRate;
    const { rule, momentum } = this.#method;
    if (!rule.adaptive) return (1 - momentum) * this.#preconditioner(state).rate;
    if (!Number.isNaN(state.rate)) return state.rate;
    const { problem } = state;
    const way = norm(problem.layout, applyInverse(problem, this.#keeper.metric(problem, state.metric), point.gradient));
    return (ADAPTIVE_RATE * way) / Math.sqrt(state.coordinates.length) || 1;
  }

  #gap({ problem, metric }: MiniBatchState, { gradient }: Point): number {
    return 0.5 * dot(problem.layout, gradient, applyInverse(problem, this.#keeper.metric(problem, metric), gradient));
  }

  #step(state: MiniBatchState, point: Point, sums: readonly GradientSums[]): void {
    const { problem, coordinates } = state;
    const rows = Math.min(this.#size, problem.layout.rows - state.index * this.#size);
    this.#fill(problem, coordinates, point, sums, (problem.weightSum * rows) / problem.layout.rows);
    this.#preconditioner(state).apply(this.#gradient);
    const rate = state.rate * state.factor * this.#scheduled(state);
    this.#method.rule.apply(state.rule, coordinates, this.#gradient, rate, this.#decayAt(state));
    state.steps += 1;
    state.index += 1;
    state.rowsRead += rows;
    if (!this.#averages) return;
    state.averaged += 1;
    const share = 1 / state.averaged;
    const { mean } = state;
    for (let j = 0; j < mean.length; j += 1) mean[j] += (coordinates[j] - mean[j]) * share;
  }

  #scheduled({ steps, problem }: MiniBatchState): number {
    const { warmup = 0, epochs = DEFAULT_COSINE_EPOCHS } = this.#options;
    if (warmup === 0 && (this.#schedule === 'auto' || this.#schedule === 'constant')) return 1;
    return factorAt({ schedule: this.#schedule, warmup, epochs }, steps, this.#batches(problem));
  }

  /** The batch's gradient of the objective, from its raw sums and their divisor. */
  #fill(problem: Problem, coordinates: Float64Array, point: Point, sums: readonly GradientSums[], divisor: number): void {
    const count = coordinates.length - 1;
    if (this.#gradient.length !== coordinates.length) this.#gradient = new Float64Array(coordinates.length);
    const g = this.#gradient;
    const l2 = this.#method.rule.decays ? 0 : problem.l2;
    const now = sums[0];
    for (let j = 0; j < count; j += 1) g[j] = now.columns[j] / divisor + l2 * coordinates[j];
    g[count] = problem.intercept ? now.intercept / divisor : 0;
    if (!this.#method.reducesVariance) return;
    const { vector, gradient } = point;
    const before = sums[1];
    for (let j = 0; j < count; j += 1) g[j] += gradient.weights[j] - (before.columns[j] / divisor + l2 * vector.weights[j]);
    if (problem.intercept) g[count] += gradient.intercept - before.intercept / divisor;
  }

  /** The penalty of a rule that takes it itself. */
  #decayAt({ problem, coordinates }: MiniBatchState): Float64Array | undefined {
    if (!this.#method.rule.decays) return undefined;
    if (this.#decay?.length !== coordinates.length) {
      this.#decay = new Float64Array(coordinates.length).fill(problem.l2);
      this.#decay[coordinates.length - 1] = 0;
    }
    return this.#decay;
  }

  /** The true gradients at an epoch's end: where the next begins, and whether it is the end. */
  #absorbEpoch(state: MiniBatchState, sums: readonly GradientSums[]): MiniBatchState {
    const { problem, nullLoss } = state;
    const points = this.#candidates(state).map((vector, i) => pointOf(problem, vector, sums[i]));
    state.wholePasses += 1;
    state.iteration += 1;
    state.epoch += 1;
    state.index = 0;
    state.averaged = 0;
    state.mean.fill(0);
    const [last, mean] = points;
    const finite = points.filter(({ objective, gradient }) => Number.isFinite(objective) && isFiniteVector(gradient));
    const point = finite.length === 2 && mean.objective < last.objective ? mean : finite[0];
    const from = state.point as Point;
    if (point === undefined || this.#hasRisen(state, from, point)) return this.#takeBack(state, from, point);
    const gap = this.#gap(state, point);
    const { adaptive } = this.#method.rule;
    // Plain steps do not rise unless the rate is too large; adaptive ones keep their size, and do now and then.
    const rises = !adaptive && point.objective > from.objective;
    if (this.#averages && (rises || (point === mean && gap < NOISY * this.#gap(state, last)))) this.#halve(state, point);
    else if (this.#averages && point === last && adaptive && gap > SLOW * state.gap) state.factor *= 2;
    const best = state.best as Best;
    const lowered = point.objective < state.lowest && point.objective <= state.lowest - LEAST_PROGRESS[problem.layout.dtype] * nullLoss;
    state.point = point;
    state.gap = gap;
    state.gradientNorm = norm(problem.layout, point.gradient);
    state.idle = lowered || gap <= 0.5 * best.gap ? 0 : state.idle + 1;
    if (lowered) state.lowest = point.objective;
    if (gap < best.gap) state.best = bestOf(point, gap);
    else if (this.#averages && state.idle > 0 && state.idle % PATIENCE === 0) {
      this.#halve(state, best);
      state.factor /= 2;
    }
    return this.#judge(state);
  }

  #hasRisen({ nullLoss }: MiniBatchState, from: Point, point: Point): boolean {
    return this.#averages && point.objective > from.objective + RISEN * Math.max(0, nullLoss - from.objective);
  }

  /** On from weights that noise kept away from the optimum, with half the rate. */
  #halve(state: MiniBatchState, { vector }: Pick<Point, 'vector'>): void {
    state.coordinates.set(coordinatesOf(vector));
    state.factor /= 2;
  }

  /** An epoch that led nowhere: once more from where it began, with half the rate (a given rate has diverged). */
  #takeBack(state: MiniBatchState, from: Point, reached: Point | undefined): MiniBatchState {
    if (!this.#averages) throw this.#diverged(state);
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
    const advice = rule.adaptive ? state.rate / 10 : Math.min(state.rate / 2, (1 - momentum) * this.#preconditioner(state).rate);
    return new ParagradError(
      'PARAGRAD_DIVERGED',
      `training diverged (weights are no longer finite after epoch ${state.epoch}) at --learning-rate ${short(state.rate)} with batches of ${this.#size} rows: try --learning-rate ${short(advice)}, or auto`,
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
      if (!problem.quadratic && !fresh) return this.#build(state, point);
      state.best = bestOf(point, gap);
      state.done = 'converged';
    } else if (this.#isOver(state)) state.done = 'epochs done';
    else if (this.#options.epochs === undefined && state.idle >= MAX_IDLE) state.done = 'precision reached';
    else if (!problem.quadratic && !fresh && isPowerOfTwo(iteration + 1)) return this.#build(state, point);
    return state;
  }

  progress(state: MiniBatchState): Progress {
    const { iteration, nullLoss, gap, gradientNorm } = state;
    const passes = state.wholePasses + state.rowsRead / state.problem.layout.rows;
    return { iteration, passes, objective: state.point?.objective ?? NaN, nullLoss, gap, gradientNorm };
  }

  outcome(state: MiniBatchState, reason: EndReason): Outcome {
    const { problem, point, nullLoss } = state;
    const best = state.best ?? { vector: problem.start, objective: point?.objective ?? NaN, gap: NaN };
    const notes = notesOf(problem, state.metric, nullLoss, best.objective);
    const far = this.#options.epochs === undefined && reason !== 'converged' && best.gap > 0.05 * Math.max(0, nullLoss - best.objective);
    if (far)
      notes.push(
        `${this.name} with batches of ${this.#size} rows ended far from the optimum: use --learning-rate auto, a larger --batch-size, or --optimizer auto`,
      );
    return { reason, ...best, notes };
  }
}

function coordinatesOf({ weights, intercept }: Vector): Float64Array {
  const coordinates = new Float64Array(weights.length + 1);
  coordinates.set(weights);
  coordinates[weights.length] = intercept;
  return coordinates;
}

function vectorOf(coordinates: Float64Array): Vector {
  return { weights: coordinates.slice(0, -1), intercept: coordinates[coordinates.length - 1] };
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}
