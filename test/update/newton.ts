import { ROW_LOSSES } from '../../src/kernels/losses.ts';
import type { DenseData } from './dense-evaluator.ts';

/** An independent solver in f64: damped Newton steps on the normal equations by Gauss elimination, intercept as a column. */
export interface Optimum {
  readonly weights: Float64Array;
  readonly intercept: number;
  readonly objective: number;
}

export function objectiveAt(data: DenseData, loss: 'squared' | 'logistic', l2: number, weights: Float64Array, intercept: number): number {
  let sum = 0;
  let V = 0;
  for (let i = 0; i < data.rows; i += 1) {
    const v = data.v?.[i] ?? 1;
    let z = intercept + (data.offset?.[i] ?? 0);
    for (let j = 0; j < data.columns; j += 1) z += data.x[i * data.columns + j] * weights[j];
    sum += v * ROW_LOSSES[loss].loss(z, data.y[i]);
    V += v;
  }
  return sum / V + (l2 / 2) * weights.reduce((square, w) => square + w * w, 0);
}

export function newton(
  data: DenseData,
  loss: 'squared' | 'logistic',
  l2: number,
  start?: { weights: Float64Array; intercept: number },
  fitIntercept = true,
): Optimum {
  const n = data.columns + 1;
  const w = new Float64Array(n);
  if (start) w.set([...start.weights, start.intercept]);
  const valueAt = (at: Float64Array): number => objectiveAt(data, loss, l2, at.subarray(0, n - 1), at[n - 1]);
  let value = valueAt(w);
  for (let iteration = 0; iteration < 200; iteration += 1) {
    const { gradient, hessian } = derivatives(data, loss, l2, w, fitIntercept);
    const step = eliminate(hessian, gradient);
    const decrement = step.reduce((sum, s, j) => sum + s * gradient[j], 0);
    let t = 1;
    let next = w.map((value, j) => value - t * step[j]);
    while (!(valueAt(next) <= value + 1e-15 * Math.abs(value)) && t > 1e-9) {
      t /= 2;
      next = w.map((value, j) => value - t * step[j]);
    }
    if (!(t > 1e-9)) break;
    value = valueAt(next);
    w.set(next);
    if (Math.abs(decrement) < 1e-26 * (1 + Math.abs(value)) || value < 1e-10) break;
  }
  return { weights: w.slice(0, n - 1), intercept: w[n - 1], objective: value };
}

function derivatives(
  data: DenseData,
  loss: 'squared' | 'logistic',
  l2: number,
  w: Float64Array,
  fitIntercept: boolean,
): { gradient: Float64Array; hessian: Float64Array[] } {
  const n = data.columns + 1;
  const gradient = new Float64Array(n);
  const hessian = Array.from({ length: n }, () => new Float64Array(n));
  const row = new Float64Array(n);
  let V = 0;
  for (let i = 0; i < data.rows; i += 1) {
    const v = data.v?.[i] ?? 1;
    for (let j = 0; j < n - 1; j += 1) row[j] = data.x[i * data.columns + j];
    row[n - 1] = fitIntercept ? 1 : 0;
    let z = data.offset?.[i] ?? 0;
    for (let j = 0; j < n; j += 1) z += row[j] * w[j];
    const d = v * ROW_LOSSES[loss].derivative(z, data.y[i]);
    const c = v * ROW_LOSSES[loss].curvature(z, data.y[i]);
    V += v;
    for (let a = 0; a < n; a += 1) {
      gradient[a] += d * row[a];
      if (row[a] !== 0) for (let b = 0; b <= a; b += 1) hessian[a][b] += c * row[a] * row[b];
    }
  }
  for (let a = 0; a < n; a += 1) {
    gradient[a] = gradient[a] / V + (a < n - 1 ? l2 * w[a] : 0);
    for (let b = 0; b <= a; b += 1) hessian[a][b] /= V;
    if (a < n - 1) hessian[a][a] += l2;
    for (let b = 0; b < a; b += 1) hessian[b][a] = hessian[a][b];
  }
  return { gradient, hessian };
}

/** Gauss elimination with a choice of the diagonal pivot; a direction without curvature is left at 0. */
function eliminate(matrix: Float64Array[], right: Float64Array): Float64Array {
  const n = right.length;
  const a = matrix.map((row) => row.slice());
  const b = right.slice();
  const scale = Math.max(...a.map((row, j) => row[j]), 0);
  const order: number[] = [];
  const open = new Set(Array.from({ length: n }, (_, j) => j));
  while (open.size > 0) {
    let pivot = -1;
    for (const j of open) if (pivot < 0 || a[j][j] > a[pivot][pivot]) pivot = j;
    open.delete(pivot);
    if (!(a[pivot][pivot] > 1e-14 * scale)) break;
    order.push(pivot);
    for (const i of open) {
      const factor = a[i][pivot] / a[pivot][pivot];
      for (let j = 0; j < n; j += 1) a[i][j] -= factor * a[pivot][j];
      b[i] -= factor * b[pivot];
    }
  }
  const u = new Float64Array(n);
  for (let k = order.length - 1; k >= 0; k -= 1) {
    const p = order[k];
    let s = b[p];
    for (let later = k + 1; later < order.length; later += 1) s -= a[p][order[later]] * u[order[later]];
    u[p] = s / a[p][p];
  }
  return u;
}
