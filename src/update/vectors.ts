import { columnOfBlock, type Layout } from '../partition/layout.ts';
import type { Vector } from './pass.ts';

/**
 * All loops over weight-length vectors, so that weights can be split by columns one day with the same bits: element by
 * element, or, for a dot, in the order of the column blocks (docs/numerics.md §6). Arguments are never changed.
 */

export function zeroVector(columns: number): Vector {
  return { weights: new Float64Array(columns), intercept: 0 };
}

/** A vector of zeros with as many columns and outputs. */
export function zeroLike(x: Vector): Vector {
  return vectorOf(
    new Float64Array(x.weights.length),
    0,
    x.others?.map(() => 0),
  );
}

export function copyOf(x: Vector): Vector {
  return vectorOf(x.weights.slice(), x.intercept, x.others?.slice());
}

export function vectorOf(weights: Float64Array, intercept: number, others: Float64Array | undefined): Vector {
  return others === undefined ? { weights, intercept } : { weights, intercept, others };
}

export function outputsOf(x: Vector): number {
  return 1 + (x.others?.length ?? 0);
}

/** One output of a vector; its weights are a view. */
export function outputOf(x: Vector, output: number): Vector {
  const columns = x.weights.length / outputsOf(x);
  const intercept = output === 0 ? x.intercept : (x.others as Float64Array)[output - 1];
  return { weights: x.weights.subarray(output * columns, (output + 1) * columns), intercept };
}

/** The vector of these outputs. */
export function joined(outputs: readonly Vector[]): Vector {
  const columns = outputs[0].weights.length;
  const weights = new Float64Array(outputs.length * columns);
  outputs.forEach((output, c) => {
    weights.set(output.weights, c * columns);
  });
  const others = Float64Array.from(outputs.slice(1), ({ intercept }) => intercept);
  return vectorOf(weights, outputs[0].intercept, outputs.length > 1 ? others : undefined);
}

/**
 * x less its mean over the outputs, column by column and intercepts likewise (docs/numerics.md §6): what is common to all classes
 * changes no softmax. A vector of one output is returned as it is.
 */
export function centred(x: Vector): Vector {
  if (x.others === undefined) return x;
  const count = outputsOf(x);
  const columns = x.weights.length / count;
  const weights = new Float64Array(x.weights.length);
  for (let j = 0; j < columns; j += 1) {
    let sum = 0;
    for (let at = j; at < weights.length; at += columns) sum += x.weights[at];
    const mean = sum / count;
    for (let at = j; at < weights.length; at += columns) weights[at] = x.weights[at] - mean;
  }
  const mean = x.others.reduce((sum, value) => sum + value, x.intercept) / count;
  return { weights, intercept: x.intercept - mean, others: x.others.map((value) => value - mean) };
}

/** a·x + y */
export function axpy(a: number, x: Vector, y: Vector): Vector {
  const weights = new Float64Array(x.weights.length);
  for (let j = 0; j < weights.length; j += 1) weights[j] = a * x.weights[j] + y.weights[j];
  const others = y.others?.map((value, c) => a * (x.others?.[c] ?? 0) + value);
  return vectorOf(weights, a * x.intercept + y.intercept, others);
}

/** a·x */
export function scale(a: number, x: Vector): Vector {
  const weights = new Float64Array(x.weights.length);
  for (let j = 0; j < weights.length; j += 1) weights[j] = a * x.weights[j];
  const others = x.others?.map((value) => a * value);
  return vectorOf(weights, a * x.intercept, others);
}

/** x − y */
export function subtract(x: Vector, y: Vector): Vector {
  const weights = new Float64Array(x.weights.length);
  for (let j = 0; j < weights.length; j += 1) weights[j] = x.weights[j] - y.weights[j];
  const others = x.others?.map((value, c) => value - (y.others?.[c] ?? 0));
  return vectorOf(weights, x.intercept - y.intercept, others);
}

/** sum / divisor + l2·x for the weights, sum / divisor alone for the intercept: raw sums to a gradient. */
export function divideAndPenalise(sum: Vector, divisor: number, l2: number, x: Vector): Vector {
  const weights = new Float64Array(x.weights.length);
  for (let j = 0; j < weights.length; j += 1) weights[j] = sum.weights[j] / divisor + l2 * x.weights[j];
  const others = sum.others?.map((value) => value / divisor);
  return vectorOf(weights, sum.intercept / divisor, others);
}

/**
 * Σ x_j·y_j without intercepts: inside a column block four lanes, (j − block start) mod 4, folded (0+1)+(2+3); the blocks'
 * sums in the tree over block numbers; the sums of several outputs one after the other.
 */
export function dotWeights(layout: Layout, x: Float64Array, y: Float64Array): number {
  const { columns } = layout;
  let sum = outputDot(layout, x, y);
  for (let at = columns; at < x.length; at += columns) sum += outputDot(layout, x.subarray(at, at + columns), y.subarray(at, at + columns));
  return sum;
}

function outputDot(layout: Layout, x: Float64Array, y: Float64Array): number {
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

/** `dotWeights`, then the intercepts' products, output after output. */
export function dot(layout: Layout, x: Vector, y: Vector): number {
  let sum = dotWeights(layout, x.weights, y.weights) + x.intercept * y.intercept;
  if (x.others !== undefined && y.others !== undefined) for (let c = 0; c < x.others.length; c += 1) sum += x.others[c] * y.others[c];
  return sum;
}

/** Euclidean norm, intercept included. */
export function norm(layout: Layout, x: Vector): number {
  return Math.sqrt(dot(layout, x, x));
}

/** Whether two vectors are equal, number by number. */
export function sameVector(x: Vector, y: Vector): boolean {
  if (x === y) return true;
  if (x.intercept !== y.intercept || x.weights.length !== y.weights.length) return false;
  if (x.others?.length !== y.others?.length || x.others?.some((value, c) => value !== y.others?.[c])) return false;
  for (let j = 0; j < x.weights.length; j += 1) if (x.weights[j] !== y.weights[j]) return false;
  return true;
}

export function isFiniteVector(x: Vector): boolean {
  // 0·x is NaN for what is not finite, and stays so in a sum.
  let zero = 0 * x.intercept;
  for (let j = 0; j < x.weights.length; j += 1) zero += 0 * x.weights[j];
  for (const value of x.others ?? []) zero += 0 * value;
  return zero === 0;
}
