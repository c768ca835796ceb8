/**
 * Lower Cholesky factors of symmetric matrices, stored by columns without the upper triangle: entry (i, j), i ≥ j, stands at
 * `columnBase(size, j)` + i. Every entry is made by the same subtractions in the same order, k ascending, whatever the
 * blocking: the tests compare with the plain three loops.
 */
export interface Factor {
  readonly size: number;
  readonly values: Float64Array;
  /** Columns whose pivot is no larger than WEAK × λ: (nearly) combinations of earlier ones. */
  readonly weak: readonly number[];
}

const PANEL_COLUMNS = 64;
/** Inside a panel, columns are finished so many at a time. */
const STRIP_COLUMNS = 4;
/** A column that repeats another has a pivot of about 2λ. */
const WEAK = 8;

export function columnBase(size: number, j: number): number {
  return j * size - (j * (j + 1)) / 2;
}

export function packedLength(size: number): number {
  return (size * (size + 1)) / 2;
}

/**
 * Factors in place the matrix whose packed columns are `values` and whose diagonal includes `lambda`. A pivot that is below
 * λ/2 or NaN becomes the diagonal, and the rest of its column 0.
 */
export function factorise(size: number, values: Float64Array, lambda: Float64Array): Factor {
  const diagonal = Float64Array.from({ length: size }, (_, j) => values[columnBase(size, j) + j]);
  const weak: number[] = [];
  for (let begin = 0; begin < size; begin += PANEL_COLUMNS) {
    const end = Math.min(size, begin + PANEL_COLUMNS);
    for (let first = begin; first < end; first += STRIP_COLUMNS) {
      const last = Math.min(end, first + STRIP_COLUMNS);
      for (let k = first; k < last; k += 1) {
        if (finishColumn(size, values, k, lambda[k], diagonal[k])) weak.push(k);
        for (let j = k + 1; j < last; j += 1) subtractOne(size, values, j, k);
      }
      subtractPanels(size, values, last, end, first, last);
    }
    if (trailingUpdate?.(size, values, columnBase, begin, end) !== true) subtractPanels(size, values, end, size, begin, end);
  }
  return { size, values, weak };
}

/** Takes the products with columns [begin, end) from all that follow; false: it did nothing. With the bits of `subtractPanels`. */
export type TrailingUpdate = (size: number, values: Float64Array, base: typeof columnBase, begin: number, end: number) => boolean;

let trailingUpdate: TrailingUpdate | undefined;

/** Lets a kernel do the bulk of the work in this thread; undefined: no more. The factors have the same bits with and without. */
export function useTrailingUpdate(update: TrailingUpdate | undefined): void {
  trailingUpdate = update;
}

/** Columns [from, to) −= their products with columns [begin, end). */
function subtractPanels(size: number, a: Float64Array, from: number, to: number, begin: number, end: number): void {
  let j = from;
  for (; j + 1 < to; j += 2) subtractPanel(size, a, j, begin, end);
  if (j < to) for (let k = begin; k < end; k += 1) subtractOne(size, a, j, k);
}

/** Square root of the pivot, and its column divided by it. Returns whether the pivot was weak. */
function finishColumn(size: number, a: Float64Array, k: number, lambda: number, diagonal: number): boolean {
  const base = columnBase(size, k);
  const pivot = a[base + k];
  if (!(pivot >= lambda / 2)) {
    a[base + k] = Math.sqrt(diagonal);
    a.fill(0, base + k + 1, base + size);
    return true;
  }
  const root = Math.sqrt(pivot);
  a[base + k] = root;
  for (let i = k + 1; i < size; i += 1) a[base + i] /= root;
  return pivot <= WEAK * lambda;
}

/** Column j −= L_jk · column k. */
function subtractOne(size: number, a: Float64Array, j: number, k: number): void {
  const source = columnBase(size, k);
  const target = columnBase(size, j);
  const factor = a[source + j];
  for (let i = j; i < size; i += 1) a[target + i] -= a[source + i] * factor;
}

/** Columns j and j + 1 −= their products with columns [begin, end), four at a time. */
function subtractPanel(size: number, a: Float64Array, j: number, begin: number, end: number): void {
  const t0 = columnBase(size, j);
  const t1 = columnBase(size, j + 1);
  let k = begin;
  for (; k + 3 < end; k += 4) {
    const s0 = columnBase(size, k);
    const s1 = columnBase(size, k + 1);
    const s2 = columnBase(size, k + 2);
    const s3 = columnBase(size, k + 3);
    const f0 = a[s0 + j];
    const f1 = a[s1 + j];
    const f2 = a[s2 + j];
    const f3 = a[s3 + j];
    const g0 = a[s0 + j + 1];
    const g1 = a[s1 + j + 1];
    const g2 = a[s2 + j + 1];
    const g3 = a[s3 + j + 1];
    a[t0 + j] = a[t0 + j] - f0 * f0 - f1 * f1 - f2 * f2 - f3 * f3;
    for (let i = j + 1; i < size; i += 1) {
      const x0 = a[s0 + i];
      const x1 = a[s1 + i];
      const x2 = a[s2 + i];
      const x3 = a[s3 + i];
      a[t0 + i] = a[t0 + i] - x0 * f0 - x1 * f1 - x2 * f2 - x3 * f3;
      a[t1 + i] = a[t1 + i] - x0 * g0 - x1 * g1 - x2 * g2 - x3 * g3;
    }
  }
  for (; k < end; k += 1) {
    subtractOne(size, a, j, k);
    subtractOne(size, a, j + 1, k);
  }
}

/** Unknowns [begin, end) of L·u = h, four at most, and what they take from those that follow: in one go over h. */
function forwardFour(size: number, a: Float64Array, h: Float64Array, begin: number, end: number): void {
  for (let k = begin; k < end; k += 1) {
    const base = columnBase(size, k);
    h[k] /= a[base + k];
    for (let i = k + 1; i < end; i += 1) h[i] -= a[base + i] * h[k];
  }
  if (end - begin < 4) return;
  const [b0, b1, b2, b3] = [columnBase(size, begin), columnBase(size, begin + 1), columnBase(size, begin + 2), columnBase(size, begin + 3)];
  const [u0, u1, u2, u3] = [h[begin], h[begin + 1], h[begin + 2], h[begin + 3]];
  for (let i = end; i < size; i += 1) h[i] = h[i] - a[b0 + i] * u0 - a[b1 + i] * u1 - a[b2 + i] * u2 - a[b3 + i] * u3;
}

/** Solves L·Lᵀ·u = h; overwrites h with u. */
export function solve(factor: Factor, h: Float64Array): void {
  const { size, values: a } = factor;
  for (let k = 0; k < size; k += 4) forwardFour(size, a, h, k, Math.min(size, k + 4));
  for (let k = size - 1; k >= 0; k -= 1) {
    const base = columnBase(size, k);
    let s = h[k];
    for (let i = k + 1; i < size; i += 1) s -= a[base + i] * h[i];
    h[k] = s / a[base + k];
  }
}
