import { decayOf, vectorOn } from '../coordinates.ts';
import type { Point } from '../objective.ts';
import type { OptimizerOptions, Problem } from '../optimizer.ts';
import type { GradientSums, Pass, PlainSteps, Vector } from '../pass.ts';
import { DEFAULT_COSINE_EPOCHS } from './defaults.ts';
import type { Preconditioners } from './preconditioners.ts';
import { factorAt, type Schedule } from './schedule.ts';
import type { MiniBatchMethod, MiniBatchState } from './state.ts';

/** Values of x, and batches, that steps in one go take at most: limits and other work are looked at between. */
const MOST_VALUES = 2 ** 19;
const MOST_STEPS = 1024;

/** The steps of mini-batches: what each asks for, and what it changes, in place. */
export class BatchSteps {
  readonly size: number;
  readonly schedule: Schedule;
  readonly #method: MiniBatchMethod;
  readonly #options: OptimizerOptions;
  readonly #preconditioners: Preconditioners;
  #gradient = new Float64Array(0);
  #decay: Float64Array | undefined;
  #factors = new Float64Array(0);
  #view: { readonly of: Float64Array; readonly weights: Float64Array } | undefined;

  constructor(method: MiniBatchMethod, options: OptimizerOptions, size: number, preconditioners: Preconditioners) {
    this.size = size;
    this.schedule = options.schedule ?? (options.learningRate === 'auto' ? 'auto' : 'constant');
    this.#method = method;
    this.#options = options;
    this.#preconditioners = preconditioners;
  }

  /** Whether epochs decide on the rate, and the mean of an epoch's weights may be what it ends with. */
  get averages(): boolean {
    return this.schedule === 'auto';
  }

  batches({ layout }: Problem): number {
    return Math.ceil(layout.rows / this.size);
  }

  /** The pass of the next batch. */
  pass(state: MiniBatchState, point: Point): Pass {
    const now = this.#nowOf(state);
    const batch = { epoch: state.epoch, index: state.index, size: this.size };
    return { kind: 'gradient', at: this.#method.reducesVariance ? [now, point.vector] : [now], batch };
  }

  /** A view on the current weights, with the intercepts of now. */
  #nowOf({ problem, coordinates }: MiniBatchState): Vector {
    const { classes = 1 } = problem;
    if (classes > 1) return vectorOn(coordinates, classes);
    if (this.#view?.of !== coordinates) this.#view = { of: coordinates, weights: coordinates.subarray(0, coordinates.length - 1) };
    return { weights: this.#view.weights, intercept: coordinates[coordinates.length - 1] };
  }

  /** One step, from the sums of the batch. */
  take(state: MiniBatchState, point: Point, sums: readonly GradientSums[]): void {
    const { problem, coordinates } = state;
    const rows = this.#rowsOf(problem, state.index);
    this.#fill(problem, coordinates, point, sums, divisorOf(problem, rows));
    this.#preconditioners.of(state).apply(this.#gradient);
    const rate = state.rate * state.factor * this.#scheduled(problem, state.steps);
    this.#method.rule.apply(state.rule, coordinates, this.#gradient, rate, this.#decayAt(state));
    state.steps += 1;
    state.index += 1;
    state.rowsRead += rows;
    if (!this.averages) return;
    state.averaged += 1;
    const share = 1 / state.averaged;
    const { mean } = state;
    for (let j = 0; j < mean.length; j += 1) mean[j] += (coordinates[j] - mean[j]) * share;
  }

  /** The next steps, as many as fit in one go and begin before `maxPasses`; undefined where they are not plain. */
  ahead(state: MiniBatchState, maxPasses: number): PlainSteps | undefined {
    const { rule, reducesVariance } = this.#method;
    if (!rule.plain || reducesVariance || state.problem.classes !== undefined || this.#preconditioners.of(state).kind !== 'none')
      return undefined;
    const { problem, coordinates, mean, epoch, index } = state;
    const { rows, columns } = problem.layout;
    const inOneGo = Math.min(MOST_STEPS, Math.floor(MOST_VALUES / (this.size * (columns + 1))));
    const most = Math.min(Math.max(1, inOneGo), this.batches(problem) - index);
    if (this.#factors.length < 3 * most) this.#factors = new Float64Array(3 * most);
    const factors = this.#factors;
    let count = 0;
    for (let read = state.rowsRead; count < most && state.wholePasses + read / rows < maxPasses; count += 1) {
      const own = this.#rowsOf(problem, index + count);
      factors[3 * count] = divisorOf(problem, own);
      factors[3 * count + 1] = state.rate * state.factor * this.#scheduled(problem, state.steps + count);
      factors[3 * count + 2] = this.averages ? 1 / (state.averaged + count + 1) : 0;
      read += own;
    }
    const batch = { epoch, index, size: this.size };
    return { batch, count, factors, l2: problem.l2, intercept: problem.intercept, coordinates, mean };
  }

  /** So many steps were taken: of coordinates and mean alone. */
  took(state: MiniBatchState, count: number): void {
    const { rows } = state.problem.layout;
    state.rowsRead += Math.min(rows, (state.index + count) * this.size) - state.index * this.size;
    state.steps += count;
    state.index += count;
    state.rule.steps += count;
    if (this.averages) state.averaged += count;
  }

  #rowsOf({ layout }: Problem, index: number): number {
    return Math.min(this.size, layout.rows - index * this.size);
  }

  #scheduled(problem: Problem, step: number): number {
    const { warmup = 0, epochs = DEFAULT_COSINE_EPOCHS } = this.#options;
    if (warmup === 0 && (this.schedule === 'auto' || this.schedule === 'constant')) return 1;
    return factorAt({ schedule: this.schedule, warmup, epochs }, step, this.batches(problem));
  }

  /** The batch's gradient of the objective, from its raw sums and their divisor. */
  #fill(problem: Problem, coordinates: Float64Array, point: Point, sums: readonly GradientSums[], divisor: number): void {
    const count = coordinates.length - (problem.classes ?? 1);
    if (this.#gradient.length !== coordinates.length) this.#gradient = new Float64Array(coordinates.length);
    const g = this.#gradient;
    const l2 = this.#method.rule.decays ? 0 : problem.l2;
    const now = sums[0];
    for (let j = 0; j < count; j += 1) g[j] = now.columns[j] / divisor + l2 * coordinates[j];
    g[count] = problem.intercept ? now.intercept / divisor : 0;
    const { others } = now;
    if (others !== undefined) for (let c = 0; c < others.length; c += 1) g[count + 1 + c] = problem.intercept ? others[c] / divisor : 0;
    if (!this.#method.reducesVariance) return;
    const { vector, gradient } = point;
    const before = sums[1];
    for (let j = 0; j < count; j += 1) g[j] += gradient.weights[j] - (before.columns[j] / divisor + l2 * vector.weights[j]);
    if (!problem.intercept) return;
    g[count] += gradient.intercept - before.intercept / divisor;
    if (before.others === undefined || gradient.others === undefined) return;
    for (let c = 0; c < before.others.length; c += 1) g[count + 1 + c] += gradient.others[c] - before.others[c] / divisor;
  }

  /** The penalty of a rule that takes it itself. */
  #decayAt({ problem, coordinates }: MiniBatchState): Float64Array | undefined {
    if (!this.#method.rule.decays) return undefined;
    if (this.#decay?.length !== coordinates.length) this.#decay = decayOf(problem);
    return this.#decay;
  }
}

/** What the sums of a batch of so many rows are divided by: their part of the weight of all. */
function divisorOf({ weightSum, layout }: Problem, rows: number): number {
  return (weightSum * rows) / layout.rows;
}
