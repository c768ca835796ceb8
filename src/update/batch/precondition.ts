import { solve } from '../cholesky.ts';
import { coordinatesOf, vectorOn } from '../coordinates.ts';
import { largestCurvature } from '../curvature-estimate.ts';
import { applyInverse, classGrams, diagonalMetric, type Metric, metricFrom } from '../metric.ts';
import type { Problem } from '../optimizer.ts';
import type { GramSums } from '../pass.ts';
import { centred, dotWeights } from '../vectors.ts';

/**
 * What a mini-batch gradient is multiplied with before it changes weights (docs/numerics.md §6), and the rate that goes with it. Both
 * come from the Gram matrix of the metric's sample. Coordinates are the weights, then the intercept; of several classes, each of
 * which has its own part of M, the weights of all, then the intercepts.
 */
export type Precondition = 'none' | 'diagonal' | 'sample';

export interface Preconditioner {
  readonly kind: Precondition;
  /** g ← M⁻¹·g in place; of all coordinates. */
  apply(gradient: Float64Array): void;
  /** RATE / (λmax(M⁻¹H) + mean xᵀM⁻¹x / batchRows), as far as the sample shows: the automatic rate of plain steps. */
  readonly rate: number;
}

/** Part of the largest stable rate: measured, 0.25 to 0.5 close the gap fastest. */
const RATE = 0.5;
/** Each λ_j is raised by this part of the diagonal. */
const RAISE = 0.01;
/** Columns that are not constant in the sample show more of their second moment than this. */
const SEEN = 1e-5;
const POWER_ITERATIONS = 30;
const SETTLED = 1e-2;
/** Columns up to which a solve may take several times as long as a batch: small problems take little time anyhow. */
const CHEAP_COLUMNS = 128;
const SOLVE_COST = 4;
const MAX_COLUMNS = 1024;

/**
 * What `auto` means: the whole matrix where a solve costs no more than a few times what a batch does, else its diagonal; nothing for
 * rules that divide by gradients themselves.
 */
export function choosePrecondition(problem: Problem, batchRows: number, adaptive: boolean): Precondition {
  if (adaptive) return 'none';
  const { columns } = problem.layout;
  return columns <= Math.min(MAX_COLUMNS, Math.max(CHEAP_COLUMNS, SOLVE_COST * batchRows)) ? 'sample' : 'diagonal';
}

/** From the sums of the metric's `gram` pass, over `columns` (undefined: all); undefined sums: there was no usable sample. */
export function preconditionerOf(
  kind: Precondition,
  problem: Problem,
  gram: GramSums | undefined,
  columns: Uint32Array | undefined,
  batchRows: number,
): Preconditioner {
  const usable = gram !== undefined && gram.c > 0 && Number.isFinite(gram.c) && gram.lower.every(Number.isFinite) ? gram : undefined;
  if (kind === 'none') return none(problem, usable, columns, batchRows);
  return kind === 'sample' ? sample(problem, usable, columns, batchRows) : diagonal(problem, usable, columns, batchRows);
}

function rateOf(largest: number, mean: number, batchRows: number): number {
  return RATE / (largest + mean / batchRows || 1);
}

/** Of every output, as the metric takes them; undefined where there was no usable sample. */
function gramsOf({ classes }: Problem, gram: GramSums | undefined): readonly (GramSums | undefined)[] {
  if (gram === undefined) return new Array<undefined>(classes ?? 1).fill(undefined);
  return classes === undefined ? [gram] : classGrams(gram);
}

/** M = 1. */
function none(problem: Problem, gram: GramSums | undefined, columns: Uint32Array | undefined, batchRows: number): Preconditioner {
  // A row of a batch is, for the classes together, no larger than for the largest of them.
  const trace = Math.max(...gramsOf(problem, gram).map((each) => traceOf(problem, spreadsOf(problem, each, columns))));
  const largest = gram === undefined ? trace : largestCurvature(problem, gram, columns).value;
  return { kind: 'none', apply: () => undefined, rate: rateOf(largest, trace, batchRows) };
}

/** Of the Hessian of one output. */
function traceOf(problem: Problem, spreads: Spreads): number {
  let trace = (problem.intercept ? spreads.curvature : 0) + problem.layout.columns * problem.l2;
  for (let j = 0; j < spreads.diagonal.length; j += 1) trace += spreads.diagonal[j] + spreads.curvature * spreads.means[j] ** 2;
  return trace;
}

interface Spreads {
  /** Mean curvature. */
  readonly curvature: number;
  /** Curvature-weighted means; 0 without intercept. */
  readonly means: Float64Array;
  /** Centred diagonal of the Hessian without penalty. */
  readonly diagonal: Float64Array;
}

/** Of every column: from the sample where it shows the column, else from all rows. */
function spreadsOf(problem: Problem, gram: GramSums | undefined, columns: Uint32Array | undefined): Spreads {
  const curvature = gram === undefined ? (problem.curvatureBound ?? 1) : gram.c / gram.weight;
  const means = problem.intercept ? problem.columnMeans.slice() : new Float64Array(problem.layout.columns);
  const diagonal = means.map((_, j) => {
    const mean = problem.columnMeans[j];
    const variance = problem.indicators[j] === 1 ? mean * (1 - mean) : problem.columnVariances[j];
    return curvature * (problem.intercept ? variance : variance + mean * mean);
  });
  for (let a = 0; a < (gram?.columns.length ?? 0); a += 1) {
    const { lower, columns: sums, weight, c } = gram as GramSums;
    const j = columns === undefined ? a : columns[a];
    const moment = lower[(a * (a + 1)) / 2 + a] / weight;
    if (problem.intercept) means[j] = sums[a] / c;
    const centred = moment - curvature * means[j] ** 2;
    if (centred > SEEN * moment) diagonal[j] = centred;
  }
  return { curvature, means, diagonal };
}

/** One row of a column that is 1 in few of them solves itself at most: its step must not overshoot. */
function floorOf(problem: Problem, curvature: number, columns: number, batchRows: number): number {
  return problem.curvatureBound === undefined ? 0 : (rateOf(1, columns + 1, batchRows) * curvature) / batchRows;
}

/** M with each λ raised: in full where the metric is. */
function sample(problem: Problem, gram: GramSums | undefined, columns: Uint32Array | undefined, batchRows: number): Preconditioner {
  const metric =
    (gram === undefined ? undefined : metricFrom(problem, columns, raised(problem, gram, columns, batchRows))) ?? diagonalMetric(problem);
  return {
    kind: 'sample',
    apply: (gradient) => applyMetric(problem, metric, gradient),
    rate: rateOf(1, problem.layout.columns + 1, batchRows),
  };
}

function raised(problem: Problem, gram: GramSums, columns: Uint32Array | undefined, batchRows: number): GramSums {
  const { others, ...first } = gram;
  const own = raisedOne(problem, first, columns, batchRows);
  return others === undefined ? own : { ...own, others: others.map((each) => raisedOne(problem, each, columns, batchRows)) };
}

function raisedOne(problem: Problem, gram: GramSums, columns: Uint32Array | undefined, batchRows: number): GramSums {
  const { curvature, diagonal } = spreadsOf(problem, gram, columns);
  const floor = floorOf(problem, curvature, problem.layout.columns, batchRows);
  const lower = gram.lower.slice();
  for (let a = 0; a < gram.columns.length; a += 1) {
    const at = (a * (a + 1)) / 2 + a;
    const j = columns === undefined ? a : columns[a];
    const mean = problem.intercept ? gram.columns[a] / gram.c : 0;
    const centred = lower[at] / gram.weight - curvature * mean * mean;
    // What the sample does not show of a column is added, too: its row and column of the matrix are next to 0.
    const unseen = diagonal[j] - (centred > SEEN * (lower[at] / gram.weight) ? centred : 0);
    const spread = Math.max(centred, 0) + Math.max(unseen, 0);
    lower[at] += gram.weight * (Math.max(unseen, 0) + RAISE * spread + Math.max(0, floor - spread));
  }
  return { ...gram, lower };
}

function applyMetric(problem: Problem, metric: Metric, gradient: Float64Array): void {
  const { classes = 1 } = problem;
  if (classes === 1 && metric.columns === undefined) {
    applyInPlace(problem, metric, gradient);
    return;
  }
  const solved = applyInverse(problem, metric, vectorOn(gradient, classes));
  gradient.set(solved.weights);
  gradient[solved.weights.length] = solved.intercept;
  if (solved.others !== undefined) gradient.set(solved.others, solved.weights.length + 1);
}

/** The same operations as `applyInverse`, for an M in full and one output: a step of a small batch must not allocate. */
function applyInPlace({ layout, intercept }: Problem, { means, factor, curvature }: Metric, gradient: Float64Array): void {
  const weights = gradient.subarray(0, -1);
  const b = gradient[weights.length];
  for (let j = 0; j < weights.length; j += 1) weights[j] = -b * means.weights[j] + weights[j];
  solve(factor, weights);
  gradient[weights.length] = intercept ? b / curvature - dotWeights(layout, means.weights, weights) : 0;
}

/** The centred diagonal, raised likewise, with the intercept eliminated as in M; the result is centred over classes, as M's is. */
function diagonal(problem: Problem, gram: GramSums | undefined, columns: Uint32Array | undefined, batchRows: number): Preconditioner {
  const all = gramsOf(problem, gram).map((each) => diagonalOne(problem, each, columns, batchRows));
  const [first] = all;
  const rate = Math.min(...all.map((each) => each.rate));
  const count = problem.layout.columns;
  if (all.length === 1) return { kind: 'diagonal', rate, apply: (gradient) => first.apply(gradient, 0, count) };
  return {
    kind: 'diagonal',
    rate,
    apply: (gradient) => {
      const intercepts = all.length * count;
      for (const [c, each] of all.entries()) each.apply(gradient, c * count, intercepts + c);
      gradient.set(coordinatesOf(centred(vectorOn(gradient, all.length))));
    },
  };
}

/** Of one output, whose weights begin at `from`, and whose intercept is at `last`. */
interface OwnDiagonal {
  readonly rate: number;
  apply(gradient: Float64Array, from: number, last: number): void;
}

function diagonalOne(problem: Problem, gram: GramSums | undefined, columns: Uint32Array | undefined, batchRows: number): OwnDiagonal {
  const { curvature, means, diagonal: spreads } = spreadsOf(problem, gram, columns);
  const floor = floorOf(problem, curvature, problem.layout.columns, batchRows);
  const divisors = spreads.map((spread) => (1 + RAISE) * Math.max(spread, floor) + problem.l2 || 1);
  let trace = 1;
  for (let j = 0; j < spreads.length; j += 1) trace += (spreads[j] + problem.l2) / divisors[j];
  const count = spreads.length;
  const largest = gram === undefined ? trace : largestOf(problem, gram, columns, divisors);
  return {
    apply: (gradient, from, last) => {
      const b = gradient[last];
      let shift = 0;
      for (let j = 0; j < count; j += 1) {
        const u = (gradient[from + j] - means[j] * b) / divisors[j];
        gradient[from + j] = u;
        shift += means[j] * u;
      }
      gradient[last] = problem.intercept ? b / curvature - shift : 0;
    },
    rate: rateOf(Math.max(1, largest), trace, batchRows),
  };
}

/** Largest eigenvalue of D⁻¹·(Ĝ + l2) over the sampled columns, by power iteration. */
function largestOf(problem: Problem, gram: GramSums, columns: Uint32Array | undefined, divisors: Float64Array): number {
  const size = gram.columns.length;
  const curvature = gram.c / gram.weight;
  const d = Float64Array.from({ length: size }, (_, a) => divisors[columns === undefined ? a : columns[a]]);
  const means = gram.columns.map((sum) => (problem.intercept ? sum / gram.c : 0));
  let x = Float64Array.from({ length: size }, (_, a) => 1 + ((a * 7) % 11) / 11);
  let value = 0;
  for (let i = 0; i < POWER_ITERATIONS; i += 1) {
    const y = new Float64Array(size);
    let shift = 0;
    for (let a = 0, at = 0; a < size; a += 1) {
      let sum = 0;
      for (let b = 0; b < a; b += 1, at += 1) {
        sum += gram.lower[at] * x[b];
        y[b] += gram.lower[at] * x[a];
      }
      y[a] += sum + gram.lower[at] * x[a];
      at += 1;
      shift += means[a] * x[a];
    }
    let largest = 0;
    for (let a = 0; a < size; a += 1) {
      y[a] = (y[a] / gram.weight - curvature * means[a] * shift + problem.l2 * x[a]) / d[a];
      largest = Math.max(largest, Math.abs(y[a]));
    }
    if (!(largest > 0 && Number.isFinite(largest))) break;
    // Ratio of lengths in the norm of D, in which the matrix is symmetric.
    let [before, after] = [0, 0];
    for (let a = 0; a < size; a += 1) {
      before += d[a] * x[a] * x[a];
      after += d[a] * y[a] * y[a];
    }
    const next = Math.sqrt(after / before);
    x = y.map((each) => each / largest);
    const settled = Math.abs(next - value) <= SETTLED * next;
    value = next;
    if (settled) break;
  }
  return value;
}
