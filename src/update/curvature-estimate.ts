import { classGrams } from './metric.ts';
import type { Problem } from './optimizer.ts';
import type { GramSums, Vector } from './pass.ts';
import { centred, joined, norm, outputOf, scale } from './vectors.ts';

/** The largest curvature of the objective, which bounds the learning rate of plain gradient descent: rate < 2/λmax. */
export interface LargestCurvature {
  /** Estimate of the Hessian's largest eigenvalue (from below, as power iterations are). */
  readonly value: number;
  /** Direction of that curvature, of length 1. */
  readonly direction: Vector;
}

const MAX_ITERATIONS = 100;
/** Relative change of the estimate that ends the iteration. */
const SETTLED = 1e-4;

/** Power iteration on the sampled Hessian, intercept and penalty included. `columns`: those of the Gram matrix (undefined: all). */
export function largestCurvature(problem: Problem, gram: GramSums, columns: Uint32Array | undefined): LargestCurvature {
  const { layout } = problem;
  let direction = firstDirection(problem);
  let value = 0;
  for (let i = 0; i < MAX_ITERATIONS; i += 1) {
    const product = multiply(problem, gram, columns, direction);
    const length = norm(layout, product);
    if (!(length > 0 && Number.isFinite(length))) break;
    const settled = Math.abs(length - value) <= SETTLED * length;
    value = length;
    direction = scale(1 / length, product);
    if (settled) break;
  }
  return { value, direction };
}

/** Length 1, no column left out, and no pattern that a column's sign could cancel. */
function firstDirection(problem: Problem): Vector {
  const outputs = Array.from({ length: problem.classes ?? 1 }, (_, c): Vector => {
    const weights = Float64Array.from({ length: problem.layout.columns }, (_unused, j) => 1 + (((j + c) * 7) % 11) / 11);
    return { weights, intercept: problem.intercept ? 1 + ((c * 7) % 11) / 11 : 0 };
  });
  const raw = centred(joined(outputs));
  return scale(1 / (norm(problem.layout, raw) || 1), raw);
}

/** Sampled Hessian × p, of several classes that of the metric's blocks. */
function multiply(problem: Problem, gram: GramSums, columns: Uint32Array | undefined, p: Vector): Vector {
  if (problem.classes === undefined) return multiplyOne(problem, gram, columns, p);
  const grams = classGrams(gram);
  return centred(joined(grams.map((each, c) => multiplyOne(problem, each, columns, outputOf(p, c)))));
}

/** Columns outside the Gram matrix count with their penalty only. */
function multiplyOne(problem: Problem, gram: GramSums, columns: Uint32Array | undefined, p: Vector): Vector {
  const size = gram.columns.length;
  const local = columns === undefined ? p.weights : Float64Array.from(columns, (j) => p.weights[j]);
  const sums = new Float64Array(size);
  for (let a = 0, at = 0; a < size; a += 1) {
    let sum = 0;
    for (let b = 0; b < a; b += 1, at += 1) {
      sum += gram.lower[at] * local[b];
      sums[b] += gram.lower[at] * local[a];
    }
    sums[a] += sum + gram.lower[at] * local[a];
    at += 1;
  }
  const weights = scale(problem.l2, p).weights;
  let intercept = 0;
  for (let a = 0; a < size; a += 1) {
    const shift = problem.intercept ? gram.columns[a] : 0;
    weights[columns === undefined ? a : columns[a]] += (sums[a] + shift * p.intercept) / gram.weight;
    intercept += shift * local[a];
  }
  return { weights, intercept: problem.intercept ? (intercept + gram.c * p.intercept) / gram.weight : 0 };
}

/** The estimate after a true curvature pass along its direction: |H·p|, and H·p of length 1. */
export function refined(problem: Problem, product: Vector): LargestCurvature {
  const value = norm(problem.layout, product);
  return { value, direction: scale(1 / (value || 1), product) };
}
