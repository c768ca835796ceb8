import { columnOfBlock, type Layout } from '../partition/layout.ts';
import type { Vector } from './pass.ts';

/**
 * All loops over weight-length vectors, so that weights can be split by columns one day with the same bits: element by
 * element, or, for a dot, in the order of the column blocks (docs/numerics.md §6). Arguments are never changed.
 */

export function zeroVector(columns: number): Vector {
  return { weights: new Float64Array(columns), intercept: 0 };
}

export function copyOf(x: Vector): Vector {
  return { weights: x.weights.slice(), intercept: x.intercept };
}

/** a·x + y */
export function axpy(a: number, x: Vector, y: Vector): Vector {
  const weights = new Float64Array(x.weights.length);
  for (let j = 0; j < weights.length; j += 1) weights[j] = a * x.weights[j] + y.weights[j];
  return { weights, intercept: a * x.intercept + y.intercept };
}

/** a·x */
export function scale(a: number, x: Vector): Vector {
  const weights = new Float64Array(x.weights.length);
  for (let j = 0; j < weights.length; j += 1) weights[j] = a * x.weights[j];
  return { weights, intercept: a * x.intercept };
}

/** x − y */
export function subtract(x: Vector, y: Vector): Vector {
  const weights = new Float64Array(x.weights.length);
  for (let j = 0; j < weights.length; j += 1) weights[j] = x.weights[j] - y.weights[j];
  return { weights, intercept: x.intercept - y.intercept };
}

/** sum / divisor + l2·x for the weights, sum / divisor alone for the intercept: raw sums to a gradient. */
export function divideAndPenalise(sum: Vector, divisor: number, l2: number, x: Vector): Vector {
  const weights = new Float64Array(x.weights.length);
  for (let j = 0; j < weights.length; j += 1) weights[j] = sum.weights[j] / divisor + l2 * x.weights[j];
  return { weights, intercept: sum.intercept / divisor };
}

/**
 * Σ x_j·y_j without intercepts: inside a column block four lanes, (j − block start) mod 4, folded (0+1)+(2+3); the blocks'
 * sums in the tree over block numbers.
 */
export function dotWeights(layout: Layout, x: Float64Array, y: Float64Array): number {
  const sums = new Float64Array(layout.blocks);
  for (let block = 0; block < layout.blocks; block += 1)
    sums[block] = blockDot(x, y, columnOfBlock(layout, block), columnOfBlock(layout, block + 1));
  for (let width = 1; width < layout.blocks; width *= 2)
    for (let left = 0; left + width < layout.blocks; left += 2 * width) sums[left] += sums[left + width];
  return sums[0];
}

function blockDot(x: Float64Array, y: Float64Array, begin: number, end: number): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let j = begin;
  for (; j + 3 < end; j += 4) {
    s0 += x[j] * y[j];
    s1 += x[j + 1] * y[j + 1];
    s2 += x[j + 2] * y[j + 2];
    s3 += x[j + 3] * y[j + 3];
  }
  if (j < end) s0 += x[j] * y[j];
  if (j + 1 < end) s1 += x[j + 1] * y[j + 1];
  if (j + 2 < end) s2 += x[j + 2] * y[j + 2];
  return s0 + s1 + (s2 + s3);
}

/** `dotWeights`, then the intercepts' product. */
export function dot(layout: Layout, x: Vector, y: Vector): number {
  return dotWeights(layout, x.weights, y.weights) + x.intercept * y.intercept;
}

/** Euclidean norm, intercept included. */
export function norm(layout: Layout, x: Vector): number {
  return Math.sqrt(dot(layout, x, x));
}

/** Whether two vectors are equal, number by number. */
export function sameVector(x: Vector, y: Vector): boolean {
  if (x === y) return true;
  if (x.intercept !== y.intercept || x.weights.length !== y.weights.length) return false;
  for (let j = 0; j < x.weights.length; j += 1) if (x.weights[j] !== y.weights[j]) return false;
  return true;
}

export function isFiniteVector(x: Vector): boolean {
  // 0·x is NaN for what is not finite, and stays so in a sum.
  let zero = 0 * x.intercept;
  for (let j = 0; j < x.weights.length; j += 1) zero += 0 * x.weights[j];
  return zero === 0;
}
