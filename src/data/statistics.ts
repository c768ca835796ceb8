import { ParagradError } from '../errors.ts';
import { quote } from './names.ts';
import type { Values } from './table.ts';

/**
 * Statistics of training rows (docs/numerics.md §8): per block of INGEST_ROWS source rows, merged in the tree of §5. Rows
 * of weight 0 do not count.
 */
export interface Moments {
  readonly kind: 'number';
  /** Σv of the rows that have a value. */
  weight: number;
  mean: number;
  /** Σv·(value − mean)² */
  m2: number;
  min: number;
  max: number;
  /** Rows without a value. */
  missing: number;
}

export interface Counts {
  readonly kind: 'text';
  /** Σv by code. */
  counts: Float64Array;
  missing: number;
}

export type ColumnStatistics = Moments | Counts;

/** Which rows of a batch count, and with what weight: West's sums need the weight before each row, and its share after. */
export interface Chosen {
  /** Rows of the batch, ascending. */
  readonly rows: Int32Array;
  readonly count: number;
  /** Sample weight of each chosen row, > 0. */
  readonly v: Float64Array;
  /** Σv of the chosen rows before each. */
  readonly before: Float64Array;
  /** v / Σv up to and including each. */
  readonly share: Float64Array;
}

/** Chooses the rows of use `wanted` whose weight is not 0. Without weights every row weighs 1. */
export function choose(use: Uint8Array, wanted: number, weights?: Float64Array): Chosen {
  const rows = new Int32Array(use.length);
  const v = new Float64Array(use.length);
  const before = new Float64Array(use.length);
  const share = new Float64Array(use.length);
  let count = 0;
  let sum = 0;
  for (let row = 0; row < use.length; row += 1) {
    const weight = weights === undefined ? 1 : (weights[row] as number);
    if (use[row] !== wanted || weight === 0) continue;
    rows[count] = row;
    v[count] = weight;
    before[count] = sum;
    sum += weight;
    share[count] = weight / sum;
    count += 1;
  }
  return { rows, count, v, before, share };
}

/**
 * West's form of Welford, rows ascending: δ = x − mean, r = δ·(v/n′), mean ← mean + r, M2 ← M2 + n·(δ·r), n the weight
 * before the row and n′ = n + v.
 */
export function momentsOf(values: Float64Array, missing: Uint8Array | undefined, chosen: Chosen): Moments {
  const { rows, count, v, before, share } = chosen;
  let mean = 0;
  let m2 = 0;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  if (missing === undefined) {
    for (let i = 0; i < count; i += 1) {
      const x = values[rows[i] as number] as number;
      const delta = x - mean;
      const r = delta * (share[i] as number);
      mean += r;
      m2 += (before[i] as number) * (delta * r);
      if (x < min) min = x;
      if (x > max) max = x;
    }
    const weight = count === 0 ? 0 : (before[count - 1] as number) + (v[count - 1] as number);
    return { kind: 'number', weight, mean, m2, min, max, missing: 0 };
  }
  let weight = 0;
  let lacking = 0;
  for (let i = 0; i < count; i += 1) {
    const row = rows[i] as number;
    if (missing[row] === 1) {
      lacking += 1;
      continue;
    }
    const x = values[row] as number;
    const after = weight + (v[i] as number);
    const delta = x - mean;
    const r = delta * ((v[i] as number) / after);
    mean += r;
    m2 += weight * (delta * r);
    weight = after;
    if (x < min) min = x;
    if (x > max) max = x;
  }
  return { kind: 'number', weight, mean, m2, min, max, missing: lacking };
}

/** Columns whose moments are taken side by side: each is a chain of additions that waits for itself. */
const SIDE_BY_SIDE = 4;

/** `momentsOf` of four columns without missing values: the same operations on each, so the same bits. */
function fourMoments(columns: readonly Float64Array[], chosen: Chosen): Moments[] {
  const [a, b, c, d] = columns as [Float64Array, Float64Array, Float64Array, Float64Array];
  const { rows, count, v, before, share } = chosen;
  let [meanA, meanB, meanC, meanD] = [0, 0, 0, 0];
  let [m2A, m2B, m2C, m2D] = [0, 0, 0, 0];
  for (let i = 0; i < count; i += 1) {
    const row = rows[i] as number;
    const part = share[i] as number;
    const n = before[i] as number;
    const deltaA = (a[row] as number) - meanA;
    const deltaB = (b[row] as number) - meanB;
    const deltaC = (c[row] as number) - meanC;
    const deltaD = (d[row] as number) - meanD;
    const rA = deltaA * part;
    const rB = deltaB * part;
    const rC = deltaC * part;
    const rD = deltaD * part;
    meanA += rA;
    meanB += rB;
    meanC += rC;
    meanD += rD;
    m2A += n * (deltaA * rA);
    m2B += n * (deltaB * rB);
    m2C += n * (deltaC * rC);
    m2D += n * (deltaD * rD);
  }
  const weight = count === 0 ? 0 : (before[count - 1] as number) + (v[count - 1] as number);
  return [
    [meanA, m2A],
    [meanB, m2B],
    [meanC, m2C],
    [meanD, m2D],
  ].map(([mean, m2], k) => ({
    kind: 'number',
    weight,
    mean: mean as number,
    m2: m2 as number,
    ...rangeOf(columns[k] as Float64Array, chosen),
    missing: 0,
  }));
}

function rangeOf(values: Float64Array, { rows, count }: Chosen): { min: number; max: number } {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < count; i += 1) {
    const x = values[rows[i] as number] as number;
    if (x < min) min = x;
    if (x > max) max = x;
  }
  return { min, max };
}

/** Statistics of columns over the chosen rows of a block: `statisticsOf` each. */
export function blockStatisticsOf(columns: readonly Values[], chosen: Chosen): ColumnStatistics[] {
  const result: (ColumnStatistics | undefined)[] = columns.map(() => undefined);
  const whole = columns.flatMap((column, i) => (column.kind === 'number' && column.missing === undefined ? [i] : []));
  for (let first = 0; first + SIDE_BY_SIDE <= whole.length; first += SIDE_BY_SIDE) {
    const four = whole.slice(first, first + SIDE_BY_SIDE);
    const moments = fourMoments(
      four.map((i) => (columns[i] as Extract<Values, { kind: 'number' }>).values),
      chosen,
    );
    for (const [k, i] of four.entries()) result[i] = moments[k];
  }
  return columns.map((column, i) => result[i] ?? statisticsOf(column, chosen));
}

function countsOf(codes: Int32Array, size: number, chosen: Chosen): Counts {
  const { rows, count, v } = chosen;
  const counts = new Float64Array(size);
  let missing = 0;
  for (let i = 0; i < count; i += 1) {
    const code = codes[rows[i] as number] as number;
    if (code < 0) missing += 1;
    else counts[code] = (counts[code] as number) + (v[i] as number);
  }
  return { kind: 'text', counts, missing };
}

/** Statistics of one column over the chosen rows of a block. */
export function statisticsOf(column: Values, chosen: Chosen): ColumnStatistics {
  return column.kind === 'number'
    ? momentsOf(column.values, column.missing, chosen)
    : countsOf(column.codes, column.dictionary.length, chosen);
}

/** Chan's merge: δ = m_b − m_a, mean = m_a + δ·(n_b/n), M2 = (M2_a + M2_b) + δ²·(n_a·n_b/n). Changes `a`. */
export function mergeMoments(a: Moments, b: Moments): Moments {
  a.missing += b.missing;
  if (b.weight === 0) return a;
  if (a.weight === 0) return Object.assign(a, b, { missing: a.missing });
  const weight = a.weight + b.weight;
  const delta = b.mean - a.mean;
  a.mean += delta * (b.weight / weight);
  a.m2 = a.m2 + b.m2 + delta * delta * ((a.weight * b.weight) / weight);
  a.weight = weight;
  a.min = Math.min(a.min, b.min);
  a.max = Math.max(a.max, b.max);
  return a;
}

function mergeCounts(a: Counts, b: Counts): Counts {
  // A later block may know more of the dictionary.
  const [sum, other] = a.counts.length >= b.counts.length ? [a.counts, b.counts] : [b.counts, a.counts];
  for (let i = 0; i < other.length; i += 1) sum[i] = (sum[i] as number) + (other[i] as number);
  a.counts = sum;
  a.missing += b.missing;
  return a;
}

/** Merges the statistics of the same columns over two runs of blocks, `left` before `right`. Changes `left`. */
export function mergeStatistics(left: ColumnStatistics[], right: ColumnStatistics[]): ColumnStatistics[] {
  for (const [i, a] of left.entries()) {
    const b = right[i] as ColumnStatistics;
    if (a.kind === 'number' && b.kind === 'number') mergeMoments(a, b);
    else if (a.kind === 'text' && b.kind === 'text') mergeCounts(a, b);
  }
  return left;
}

/** The error for a value that is not finite. `row`: row number, from 0. */
export function notFinite(source: string, row: number, column: string, value: number): ParagradError {
  return new ParagradError(
    'PARAGRAD_VALUE',
    `${source}, data row ${(row + 1).toLocaleString('en-US')}, column ${quote(column)}: ${value} is not a finite number: correct it, or leave the column out`,
    { place: { file: source, column } },
  );
}

/** Refuses moments that overflowed: an infinite value among the chosen rows, or values whose squares are. */
export function checkMoments(
  moments: Moments,
  column: string,
  source: string,
  firstRow: number,
  values: Float64Array,
  chosen: Chosen,
): void {
  if (Number.isFinite(moments.mean) && Number.isFinite(moments.m2)) return;
  for (let i = 0; i < chosen.count; i += 1) {
    const row = chosen.rows[i] as number;
    if (!Number.isFinite(values[row] as number)) throw notFinite(source, firstRow + row, column, values[row] as number);
  }
  throw tooLarge(source, column);
}

/** The error for values whose variance is beyond doubles. */
export function tooLarge(source: string, column: string): ParagradError {
  return new ParagradError(
    'PARAGRAD_VALUE',
    `${source}: the values of column ${quote(column)} are too large to be standardised: scale them, or leave the column out`,
    {
      place: { file: source, column },
    },
  );
}
