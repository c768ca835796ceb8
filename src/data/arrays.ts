import { ParagradError } from '../errors.ts';
import { type Encoder, fitEncoder, type NumberEncoder } from './encoder.ts';
import { type Schema, withRoles } from './schema.ts';
import { fillSplit, type Split, TRAINING } from './split.ts';
import { type Chosen, choose, notFinite, tooLarge } from './statistics.ts';
import type { ChunkViews } from './store.ts';
import { INGEST_ROWS } from './table.ts';

/** For messages. */
export const SOURCE = 'the arrays';

/** Numbers in memory, all of them there and finite. The buffers may be shared: workers then need no copy. */
export interface ArraySource {
  /** rows × columns values, row after row; or column after column, with layout 'columns'. */
  readonly x: Float32Array | Float64Array;
  readonly rows: number;
  readonly columns: number;
  /** Default 'rows'. The bits of the result do not depend on it. */
  readonly layout?: 'rows' | 'columns' | undefined;
  readonly y: Float32Array | Float64Array;
  /** Sample weights ≥ 0; default 1. */
  readonly weight?: Float64Array | undefined;
  /** Added to each row's x·w. */
  readonly offset?: Float64Array | undefined;
  /** Default x0, x1 … */
  readonly columnNames?: readonly string[] | undefined;
}

/** Moments of all columns over the same rows. */
export interface ArrayMoments {
  weight: number;
  mean: Float64Array;
  m2: Float64Array;
}

/** How each encoded column comes from a source column: x = (value − center) / scale. */
export interface ArrayEncoding {
  /** Source column of each encoded column, ascending. */
  readonly columns: Int32Array;
  readonly centers: Float64Array;
  readonly scales: Float64Array;
}

/** Where values are: x[row · byRow + column · byColumn]. */
export function stridesOf({ rows, columns, layout }: ArraySource): { readonly byRow: number; readonly byColumn: number } {
  return layout === 'columns' ? { byRow: 1, byColumn: rows } : { byRow: columns, byColumn: 1 };
}

/** Blocks of INGEST_ROWS source rows: the leaves of the statistics' tree. */
export function ingestBlocks(source: ArraySource): number {
  return Math.ceil(source.rows / INGEST_ROWS);
}

/** What the rows of a block are for. Pure: a function of the block's row numbers. */
export function useOfBlock(source: ArraySource, block: number, split: Split): Uint8Array {
  const first = block * INGEST_ROWS;
  const use = new Uint8Array(Math.min(INGEST_ROWS, source.rows - first));
  fillSplit(use, split, first);
  return use;
}

/** The training rows of a block, with their weights. */
export function chosenOfBlock(source: ArraySource, block: number, split: Split): Chosen {
  const use = useOfBlock(source, block, split);
  const first = block * INGEST_ROWS;
  return choose(use, TRAINING, source.weight?.subarray(first, first + use.length));
}

/**
 * Moments of a block's training rows, by the formulas of `momentsOf` (the same bits), all columns side by side;
 * undefined when none of its rows counts. Pure, so that workers can take blocks in any order.
 */
export function statisticsOfBlock(source: ArraySource, block: number, split: Split): ArrayMoments | undefined {
  const { x, columns } = source;
  const { byRow, byColumn } = stridesOf(source);
  const { rows, count, v, before, share } = chosenOfBlock(source, block, split);
  if (count === 0) return undefined;
  const mean = new Float64Array(columns);
  const m2 = new Float64Array(columns);
  for (let i = 0; i < count; i += 1) {
    const at = (block * INGEST_ROWS + (rows[i] as number)) * byRow;
    const n = before[i] as number;
    const part = share[i] as number;
    for (let j = 0; j < columns; j += 1) {
      const delta = (x[at + j * byColumn] as number) - (mean[j] as number);
      const r = delta * part;
      mean[j] = (mean[j] as number) + r;
      m2[j] = (m2[j] as number) + n * (delta * r);
    }
  }
  return { weight: (before[count - 1] as number) + (v[count - 1] as number), mean, m2 };
}

/** The tree's addition: `mergeMoments` for every column. Changes `a`. */
export function mergeArrayMoments(a: ArrayMoments, b: ArrayMoments): ArrayMoments {
  const weight = a.weight + b.weight;
  const part = b.weight / weight;
  const product = (a.weight * b.weight) / weight;
  for (let j = 0; j < a.mean.length; j += 1) {
    const delta = (b.mean[j] as number) - (a.mean[j] as number);
    a.mean[j] = (a.mean[j] as number) + delta * part;
    a.m2[j] = (a.m2[j] as number) + (b.m2[j] as number) + delta * delta * product;
  }
  a.weight = weight;
  return a;
}

/**
 * Writes one chunk: `rows[i]` is the source row that is stored i-th in it. Pure but for the views, so that workers can
 * take chunks in any order.
 *
 * @throws PARAGRAD_VALUE for a value that is not finite, before or after scaling and rounding
 */
export function packChunk(source: ArraySource, rows: Uint32Array, views: ChunkViews, encoding: ArrayEncoding): void {
  const { x } = source;
  const { byRow, byColumn } = stridesOf(source);
  const { columns, centers, scales } = encoding;
  const P = 64 / views.x.BYTES_PER_ELEMENT;
  const width = columns.length;
  const out = views.x;
  let check = 0;
  for (let i = 0; i < views.rows; i += 1) {
    const row = rows[i] as number;
    const from = row * byRow;
    const lane = i % P;
    let to = (i - lane) * width + lane;
    for (let j = 0; j < width; j += 1) {
      out[to] = ((x[from + (columns[j] as number) * byColumn] as number) - (centers[j] as number)) / (scales[j] as number);
      check += (out[to] as number) * 0;
      to += P;
    }
  }
  fillRows(source, rows, views);
  if (check !== 0) throw wrongValue(source, rows, views.rows);
}

/** Writes y, v and offset of one chunk. */
export function fillRows(source: ArraySource, rows: Uint32Array, views: ChunkViews): void {
  for (let i = 0; i < views.rows; i += 1) {
    const row = rows[i] as number;
    views.y[i] = source.y[row] as number;
    views.v[i] = source.weight === undefined ? 1 : (source.weight[row] as number);
    if (views.offset !== undefined && source.offset !== undefined) views.offset[i] = source.offset[row] as number;
  }
}

function nameOf(source: ArraySource, column: number): string {
  return source.columnNames?.[column] ?? `x${column}`;
}

/** The error for a chunk that holds a value which is not finite, or became so. */
export function wrongValue(source: ArraySource, rows: Uint32Array, count: number): ParagradError {
  const { byRow, byColumn } = stridesOf(source);
  for (let i = 0; i < count; i += 1)
    for (let j = 0; j < source.columns; j += 1) {
      const value = source.x[(rows[i] as number) * byRow + j * byColumn] as number;
      if (!Number.isFinite(value)) return notFinite(SOURCE, rows[i] as number, nameOf(source, j), value);
    }
  return new ParagradError('PARAGRAD_VALUE', `${SOURCE}: a value is too large for the storage type: use dtype f64, or scale it`);
}

/** 'Float64Array', 'Array', 'undefined' …; by the tag, since `instanceof` does not know arrays of another realm. */
const typeOf = (value: unknown): string => Object.prototype.toString.call(value).slice(8, -1);

function fail(why: string): never {
  throw new ParagradError('PARAGRAD_OPTION', `${SOURCE}: ${why}`);
}

/**
 * Kinds and lengths of arrays, before anything is planned: programs in JavaScript have no types, and arrays of texts or of big
 * integers would be taken for numbers that they are not.
 *
 * @throws PARAGRAD_OPTION
 */
export function checkShape(source: ArraySource): void {
  const { x, rows, columns, layout, y, weight, offset, columnNames } = source;
  for (const [name, value] of Object.entries({ rows, columns }))
    if (!Number.isSafeInteger(value) || value < 0) fail(`${name} must be a whole number of at least 0, not ${String(value)}`);
  for (const [name, value] of Object.entries({ x, y, weight, offset }))
    if ((value !== undefined || name === 'x' || name === 'y') && !/^Float(32|64)Array$/u.test(typeOf(value)))
      fail(`${name} must be a Float32Array or a Float64Array, not ${typeOf(value)}`);
  if (layout !== undefined && layout !== 'rows' && layout !== 'columns') fail(`layout must be 'rows' or 'columns', not '${layout}'`);
  if (x.length !== rows * columns) fail(`x has ${x.length} values where ${rows} rows × ${columns} columns need ${rows * columns}`);
  for (const [name, array] of [
    ['y', y],
    ['weight', weight],
    ['offset', offset],
  ] as const)
    if (array !== undefined && array.length !== rows) fail(`${name} has ${array.length} values for ${rows} rows`);
  if (columnNames !== undefined && !(Array.isArray(columnNames) && columnNames.every((name) => typeof name === 'string')))
    fail('columnNames must be an array of strings');
  if (columnNames !== undefined && columnNames.length !== columns)
    fail(`columnNames has ${columnNames.length} names for ${columns} columns`);
  if (new Set(columnNames).size !== (columnNames?.length ?? 0)) fail('columnNames holds a name twice');
  if (rows === 0) throw new ParagradError('PARAGRAD_DATA', `${SOURCE} have no rows`);
}

/** Kinds and lengths, and the values of weights and offsets. @throws PARAGRAD_OPTION, PARAGRAD_VALUE */
export function checkSource(source: ArraySource): void {
  checkShape(source);
  const { rows, weight, offset } = source;
  for (const [name, array] of [
    ['weight', weight],
    ['offset', offset],
  ] as const) {
    if (array === undefined) continue;
    for (let i = 0; i < rows; i += 1) {
      const value = array[i] as number;
      if (value - value !== 0) throw notFinite(SOURCE, i, name, value);
      if (name === 'weight' && value < 0) fail(`weight of row ${i} is ${value}: weights must be at least 0`);
    }
  }
}

/** The encoder of fitted moments; constant columns have no encoded column. */
export function fitArrays(
  source: ArraySource,
  moments: ArrayMoments,
  standardize: boolean,
): { encoder: Encoder; schema: Schema; encoding: ArrayEncoding } {
  const features = Array.from({ length: source.columns }, (_, j) => {
    const mean = moments.mean[j] as number;
    const m2 = moments.m2[j] as number;
    const name = nameOf(source, j);
    if (!Number.isFinite(mean) || !Number.isFinite(m2)) throw firstWrong(source, j) ?? tooLarge(SOURCE, name);
    return {
      name,
      kind: 'number' as const,
      statistics: { kind: 'number' as const, weight: moments.weight, mean, m2, min: mean, max: mean, missing: 0 },
    };
  });
  const { encoder, found } = fitEncoder(features, { standardize, maxCategories: 0 });
  const columns = features.map(({ name }) => ({
    name,
    kind: 'number' as const,
    sourceType: source.x instanceof Float32Array ? 'f32' : 'f64',
    role: 'feature' as const,
    note: '',
  }));
  const kept = encoder.columns as readonly NumberEncoder[];
  const index = new Map(features.map(({ name }, j) => [name, j]));
  return {
    encoder,
    schema: withRoles({ source: SOURCE, target: 'y', columns }, found),
    encoding: {
      columns: Int32Array.from(kept, (column) => index.get(column.name) as number),
      centers: Float64Array.from(kept, (column) => column.mean),
      scales: Float64Array.from(kept, (column) => column.scale),
    },
  };
}

function firstWrong(source: ArraySource, column: number): ParagradError | undefined {
  const { byRow, byColumn } = stridesOf(source);
  for (let row = 0; row < source.rows; row += 1) {
    const value = source.x[row * byRow + column * byColumn] as number;
    if (!Number.isFinite(value)) return notFinite(SOURCE, row, nameOf(source, column), value);
  }
  return undefined;
}
