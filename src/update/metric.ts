import type { Dtype } from '../partition/layout.ts';
import { columnBase, type Factor, factorise, packedLength, solve } from './cholesky.ts';
import type { Problem } from './optimizer.ts';
import type { GramSums, Vector } from './pass.ts';
import { axpy, centred, dot, dotWeights, joined, outputOf } from './vectors.ts';

/**
 * The metric M: a sampled Hessian, regularised and factored, with the intercept eliminated (docs/numerics.md §6). It
 * preconditions conjugate gradient and L-BFGS, and measures in every optimizer how far the optimum is.
 */
export interface Metric {
  /** Mean curvature over the sample; > 0. */
  readonly curvature: number;
  /** Curvature-weighted column means; 0 without intercept. */
  readonly means: Vector;
  /** Columns of the factor, ascending; undefined: all. */
  readonly columns: Uint32Array | undefined;
  readonly factor: Factor;
  /** Diagonal of the columns that are not in the factor (0 for those that are). */
  readonly diagonal: Float64Array;
  /** Columns that are (nearly) combinations of others and not held by l2, as far as the sample shows. */
  readonly weak: number;
  /** Those of the outputs after the first, where there are any: M is block-diagonal over classes. */
  readonly others?: readonly Metric[];
}

/** When M is in full, and how many columns are when it is not. */
export interface MetricRules {
  readonly maxFullColumns: number;
  readonly chosenColumns: number;
}
export const METRIC_RULES: MetricRules = { maxFullColumns: 4096, chosenColumns: 2048 };

/** ε: a column's variance is lost in rounding below this × its second moment. δ: least relative regularisation. */
const UNSEEN: Record<Dtype, number> = { f32: 1e-5, f64: 1e-12 };
const LEAST_RIDGE: Record<Dtype, number> = { f32: 1e-7, f64: 1e-12 };

/** What a column gives without a sample: variance, or second moment where no intercept takes the mean out. */
function spreadOf(problem: Problem, j: number): number {
  const mean = problem.columnMeans[j];
  if (problem.indicators[j] === 1) return problem.intercept ? mean * (1 - mean) : mean;
  return problem.intercept ? problem.columnVariances[j] : problem.columnVariances[j] + mean * mean;
}

/**
 * The columns of largest variance over all rows (ties: lower index), ascending; undefined where M is in full. The blocks of k classes
 * together are no larger than the M of one output.
 */
export function chosenColumns(problem: Problem, rules: MetricRules = METRIC_RULES): Uint32Array | undefined {
  const { columns } = problem.layout;
  const share = Math.sqrt(problem.classes ?? 1);
  if (columns <= Math.floor(rules.maxFullColumns / share)) return undefined;
  const variance = Float64Array.from({ length: columns }, (_, j) => {
    const mean = problem.columnMeans[j];
    return problem.indicators[j] === 1 ? mean * (1 - mean) : problem.columnVariances[j];
  });
  const order = Uint32Array.from({ length: columns }, (_, j) => j).sort((a, b) => variance[b] - variance[a] || a - b);
  return order.slice(0, Math.floor(rules.chosenColumns / share)).sort();
}

/** λ_j = max(l2, δ·Ĝ_jj), 1 if that is 0. */
function ridgeOf(problem: Problem, diagonal: number): number {
  const ridge = Math.max(problem.l2, LEAST_RIDGE[problem.layout.dtype] * diagonal);
  return ridge > 0 ? ridge : 1;
}

/** M from the sums of a `gram` pass over `columns`; undefined where it is not usable (no curvature left, not finite). */
export function metricFrom(problem: Problem, columns: Uint32Array | undefined, gram: GramSums): Metric | undefined {
  if (problem.classes === undefined) return outputMetric(problem, columns, gram);
  const metrics = classGrams(gram).map((each) => outputMetric(problem, columns, each));
  return metrics.every((metric) => metric !== undefined) ? ofClasses(metrics) : undefined;
}

/**
 * Gram matrices of all classes, each divided by 1 − 1/k (docs/numerics.md §6): with two classes, and where all rows have the same
 * probability for every class, the blocks then are the Hessian as far as centred vectors see it.
 */
export function classGrams(gram: GramSums): GramSums[] {
  const grams = [gram, ...(gram.others ?? [])];
  return grams.map((each) => ({ ...each, weight: each.weight * (1 - 1 / grams.length) }));
}

function ofClasses(metrics: readonly Metric[]): Metric {
  const [first, ...others] = metrics;
  return { ...first, weak: Math.max(...metrics.map(({ weak }) => weak)), others };
}

function outputMetric(problem: Problem, columns: Uint32Array | undefined, gram: GramSums): Metric | undefined {
  const curvature = gram.c / gram.weight;
  if (!(curvature > 0 && Number.isFinite(curvature))) return undefined;
  const size = gram.columns.length;
  const local = problem.intercept ? gram.columns.map((sum) => sum / gram.c) : new Float64Array(size);
  const centred = centre(gram, curvature, local);
  if (centred === undefined) return undefined;
  const ridges = regularise(problem, columns, curvature, gram, centred);
  const factor = factorise(size, centred, ridges);
  return {
    curvature,
    columns,
    factor,
    weak: factor.weak.filter((j) => ridges[j] > problem.l2).length,
    ...others(problem, columns, curvature, local),
  };
}

/** Rows of the triangle that are turned into columns together: written one by one, every number would be in another cache line. */
const TURNED_ROWS = 16;

/** Ĝ = G − c̄·μμᵀ in packed columns; undefined where it is not finite. */
function centre(gram: GramSums, curvature: number, means: Float64Array): Float64Array | undefined {
  const size = means.length;
  const centred = new Float64Array(packedLength(size));
  let zero = 0;
  for (let begin = 0; begin < size; begin += TURNED_ROWS) {
    const end = Math.min(size, begin + TURNED_ROWS);
    for (let b = 0; b < end; b += 1) {
      const base = columnBase(size, b);
      for (let a = Math.max(b, begin); a < end; a += 1) {
        const value = gram.lower[(a * (a + 1)) / 2 + b] / gram.weight - curvature * (means[a] * means[b]);
        zero += 0 * value;
        centred[base + a] = value;
      }
    }
  }
  return zero === 0 ? centred : undefined;
}

/** Replaces columns that the sample does not show, adds λ to the diagonal, and returns λ. */
function regularise(
  problem: Problem,
  columns: Uint32Array | undefined,
  curvature: number,
  gram: GramSums,
  centred: Float64Array,
): Float64Array {
  const size = gram.columns.length;
  const unseen = UNSEEN[problem.layout.dtype];
  return Float64Array.from({ length: size }, (_, j) => {
    const at = columnBase(size, j) + j;
    const moment = gram.lower[(j * (j + 1)) / 2 + j] / gram.weight;
    if (centred[at] <= unseen * moment) {
      for (let k = 0; k < j; k += 1) centred[columnBase(size, k) + j] = 0;
      centred.fill(0, at, at + size - j);
      centred[at] = curvature * spreadOf(problem, columns === undefined ? j : columns[j]);
    }
    const ridge = ridgeOf(problem, centred[at]);
    centred[at] += ridge;
    return ridge;
  });
}

/** Means of all columns, and the diagonal of those outside the factor: c̄ · variance + λ. */
function others(
  problem: Problem,
  columns: Uint32Array | undefined,
  curvature: number,
  local: Float64Array,
): { means: Vector; diagonal: Float64Array } {
  const count = problem.layout.columns;
  const diagonal = new Float64Array(count);
  if (columns === undefined) return { means: { weights: local, intercept: 0 }, diagonal };
  const means = problem.intercept ? problem.columnMeans.slice() : new Float64Array(count);
  for (let j = 0; j < count; j += 1) {
    const spread = curvature * spreadOf(problem, j);
    diagonal[j] = spread + ridgeOf(problem, spread);
  }
  columns.forEach((j, at) => {
    means[j] = local[at];
    diagonal[j] = 0;
  });
  return { means: { weights: means, intercept: 0 }, diagonal };
}

/** M where no sample could be had (all its rows weigh 0, say): the diagonal alone, at the largest curvature that the loss has. */
export function diagonalMetric(problem: Problem): Metric {
  const columns = new Uint32Array(0);
  const curvature = problem.curvatureBound ?? 1;
  const factor: Factor = { size: 0, values: new Float64Array(0), weak: [] };
  const metric = { curvature, columns, factor, weak: 0, ...others(problem, columns, curvature, new Float64Array(0)) };
  return problem.classes === undefined ? metric : ofClasses(Array.from({ length: problem.classes }, () => metric));
}

/** u = M⁻¹·g: solved from g − μ·g_b; u_b = g_b/c̄ − μᵀu. Of several classes: each by its own M, then centred over them. */
export function applyInverse(problem: Problem, metric: Metric, g: Vector): Vector {
  if (metric.others === undefined) return applyOne(problem, metric, g);
  return centred(joined([metric, ...metric.others].map((each, c) => applyOne(problem, each, outputOf(g, c)))));
}

function applyOne(problem: Problem, metric: Metric, g: Vector): Vector {
  const { weights } = axpy(-g.intercept, metric.means, g);
  if (metric.columns === undefined) solve(metric.factor, weights);
  else solveChosen(metric, metric.columns, weights);
  const shift = dotWeights(problem.layout, metric.means.weights, weights);
  return { weights, intercept: problem.intercept ? g.intercept / metric.curvature - shift : 0 };
}

function solveChosen(metric: Metric, columns: Uint32Array, h: Float64Array): void {
  const chosen = Float64Array.from(columns, (j) => h[j]);
  solve(metric.factor, chosen);
  for (let j = 0; j < h.length; j += 1) h[j] /= metric.diagonal[j];
  columns.forEach((j, at) => {
    h[j] = chosen[at];
  });
}

/** Estimated distance of the objective from its optimum: ½ gᵀM⁻¹g. */
export function gapOf(problem: Problem, metric: Metric, g: Vector): number {
  return 0.5 * dot(problem.layout, g, applyInverse(problem, metric, g));
}
