import { ParagradError } from '../errors.ts';
import { checkSeed } from '../random.ts';
import { checkTraining, type Encoded, type EncodeOptions, layoutsOf } from './encoded.ts';
import { type Encoder, encodedWidth, fitEncoder, type NumberEncoder } from './encoder.ts';
import { placementOf } from './placement.ts';
import { RunningTree } from './running-tree.ts';
import { type Schema, withRoles } from './schema.ts';
import { checkFraction, fillSplit, type Split, TRAINING, VALIDATION } from './split.ts';
import { type Chosen, choose, type Moments, mergeMoments, momentsOf, notFinite, tooLarge } from './statistics.ts';
import { allocateStore, type ChunkViews, viewsOf } from './store.ts';
import { INGEST_ROWS } from './table.ts';
import { chooseTarget, fillTarget, type ModelChoice, TargetProbing } from './target.ts';

/** For messages. */
const SOURCE = 'the arrays';

/** Numbers in memory, all of them there and finite. The buffers may be shared: workers then need no copy. */
export interface ArraySource {
  /** Row-major: rows × columns. */
  readonly x: Float32Array | Float64Array;
  readonly rows: number;
  readonly columns: number;
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

export interface EncodeArraysOptions extends EncodeOptions {
  readonly model?: ModelChoice | undefined;
  readonly positive?: string | undefined;
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

function chosenOfBlock(source: ArraySource, block: number, split: Split): Chosen {
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
  const { rows, count, v, before, share } = chosenOfBlock(source, block, split);
  if (count === 0) return undefined;
  const mean = new Float64Array(columns);
  const m2 = new Float64Array(columns);
  for (let i = 0; i < count; i += 1) {
    const at = (block * INGEST_ROWS + (rows[i] as number)) * columns;
    const n = before[i] as number;
    const part = share[i] as number;
    for (let j = 0; j < columns; j += 1) {
      const delta = (x[at + j] as number) - (mean[j] as number);
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
export function packChunk(source: ArraySource, rows: Float64Array, views: ChunkViews, encoding: ArrayEncoding): void {
  const { x } = source;
  const { columns, centers, scales } = encoding;
  const P = 64 / views.x.BYTES_PER_ELEMENT;
  const width = columns.length;
  const out = views.x;
  let check = 0;
  for (let i = 0; i < views.rows; i += 1) {
    const row = rows[i] as number;
    const from = row * source.columns;
    const lane = i % P;
    let to = (i - lane) * width + lane;
    for (let j = 0; j < width; j += 1) {
      out[to] = ((x[from + (columns[j] as number)] as number) - (centers[j] as number)) / (scales[j] as number);
      check += (out[to] as number) * 0;
      to += P;
    }
    views.y[i] = source.y[row] as number;
    views.v[i] = source.weight === undefined ? 1 : (source.weight[row] as number);
    if (views.offset !== undefined && source.offset !== undefined) views.offset[i] = source.offset[row] as number;
  }
  if (check !== 0) throw wrongValue(source, rows, views.rows);
}

function nameOf(source: ArraySource, column: number): string {
  return source.columnNames?.[column] ?? `x${column}`;
}

function wrongValue(source: ArraySource, rows: Float64Array, count: number): ParagradError {
  for (let i = 0; i < count; i += 1)
    for (let j = 0; j < source.columns; j += 1) {
      const value = source.x[(rows[i] as number) * source.columns + j] as number;
      if (!Number.isFinite(value)) return notFinite(SOURCE, rows[i] as number, nameOf(source, j), value);
    }
  return new ParagradError('PARAGRAD_VALUE', `${SOURCE}: a value is too large for the storage type: use dtype f64, or scale it`);
}

function checkSource(source: ArraySource): void {
  const { x, rows, columns, y, weight, offset, columnNames } = source;
  const fail = (why: string): never => {
    throw new ParagradError('PARAGRAD_OPTION', `${SOURCE}: ${why}`);
  };
  if (!Number.isSafeInteger(rows) || rows < 0 || !Number.isSafeInteger(columns) || columns < 0)
    fail('rows and columns must be whole numbers');
  if (x.length !== rows * columns) fail(`x has ${x.length} values where ${rows} rows × ${columns} columns need ${rows * columns}`);
  for (const [name, array] of [
    ['y', y],
    ['weight', weight],
    ['offset', offset],
  ] as const)
    if (array !== undefined && array.length !== rows) fail(`${name} has ${array.length} values for ${rows} rows`);
  if (columnNames !== undefined && columnNames.length !== columns)
    fail(`columnNames has ${columnNames.length} names for ${columns} columns`);
  if (new Set(columnNames).size !== (columnNames?.length ?? 0)) fail('columnNames holds a name twice');
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

/** Roles of rows, and moments of y and of all columns: the statistics pass. */
function firstPass(source: ArraySource, split: Split, options: EncodeArraysOptions) {
  const tree = new RunningTree<ArrayMoments>(mergeArrayMoments);
  const probing = new TargetProbing('number');
  const uses: Uint8Array[] = [];
  const counts = { training: 0, validation: 0 };
  for (let block = 0; block < ingestBlocks(source); block += 1) {
    options.signal?.throwIfAborted();
    const use = useOfBlock(source, block, split);
    const firstRow = block * INGEST_ROWS;
    const values = Float64Array.from(source.y.subarray(firstRow, firstRow + use.length));
    probing.look({ kind: 'number', values, missing: undefined }, use.length, { source: SOURCE, name: 'y', firstRow });
    tree.push(statisticsOfBlock(source, block, split));
    for (let i = 0; i < use.length; i += 1) counts[use[i] === VALIDATION ? 'validation' : 'training'] += 1;
    uses.push(use);
    options.onProgress?.({ phase: 'statistics', rows: firstRow + use.length, total: source.rows });
  }
  return { moments: tree.finish(), probe: probing.finish(), uses, counts };
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
  for (let row = 0; row < source.rows; row += 1) {
    const value = source.x[row * source.columns + column] as number;
    if (!Number.isFinite(value)) return notFinite(SOURCE, row, nameOf(source, column), value);
  }
  return undefined;
}

/** Source rows of a set in stored order. */
export function storedRows(uses: readonly Uint8Array[], wanted: number, rows: number, place: (row: number) => number): Float64Array {
  const stored = new Float64Array(rows);
  let member = 0;
  for (const [block, use] of uses.entries())
    for (let i = 0; i < use.length; i += 1)
      if (use[i] === wanted) {
        stored[place(member)] = block * INGEST_ROWS + i;
        member += 1;
      }
  return stored;
}

/** Moments of y over the training rows, and y as it is stored. */
function targetOf(source: ArraySource, split: Split, target: Encoded['target']): { y: Float64Array; statistics: Moments } {
  const y = new Float64Array(source.rows);
  fillTarget(target, { kind: 'number', values: Float64Array.from(source.y), missing: undefined }, source.rows, y);
  const tree = new RunningTree<Moments>(mergeMoments);
  for (let block = 0; block < ingestBlocks(source); block += 1) {
    const chosen = chosenOfBlock(source, block, split);
    tree.push(chosen.count === 0 ? undefined : momentsOf(y.subarray(block * INGEST_ROWS), undefined, chosen));
  }
  return { y, statistics: tree.finish() ?? { kind: 'number', weight: 0, mean: 0, m2: 0, min: 0, max: 0, missing: 0 } };
}

/**
 * Encodes arrays in memory in one thread. The same bits as a table of the same numbers.
 *
 * @throws PARAGRAD_OPTION for arrays that do not fit together; PARAGRAD_VALUE for a value that is not finite;
 * PARAGRAD_TARGET when y does not suit the model; PARAGRAD_DATA when no training row has a weight
 */
export function encodeArrays(source: ArraySource, options: EncodeArraysOptions = {}): Encoded {
  const begin = performance.now();
  const split: Split = { seed: options.seed ?? 0, fraction: options.validationFraction ?? 0.2 };
  checkSeed(split.seed);
  checkFraction(split.fraction);
  checkSource(source);
  const { moments, probe, uses, counts } = firstPass(source, split, options);
  checkTraining(moments === undefined ? 0 : counts.training, source.rows, SOURCE);
  const target = chooseTarget('y', probe, { model: options.model ?? 'auto', positive: options.positive });
  const { encoder, schema, encoding } = fitArrays(source, moments as ArrayMoments, options.standardize ?? true);
  const layouts = layoutsOf(counts.training, counts.validation, encodedWidth(encoder), options);
  const segment = options.segmentBytes === undefined ? {} : { segmentBytes: options.segmentBytes };
  const store = allocateStore(layouts.training, layouts.validation, { offsets: source.offset !== undefined, ...segment });
  const { y, statistics } = targetOf(source, split, target);
  const encoded = { ...source, y };
  const trainingRows = storedRows(uses, TRAINING, counts.training, placementOf(layouts.training, options.shuffle ?? 'windows', split.seed));
  const validationRows = storedRows(uses, VALIDATION, counts.validation, (row) => row);
  let done = 0;
  for (const [set, rows] of [
    [store.training, trainingRows],
    [store.validation, validationRows],
  ] as const)
    for (let chunk = 0; chunk < set.layout.chunks; chunk += 1) {
      options.signal?.throwIfAborted();
      const first = chunk * set.layout.chunkRows;
      const views = viewsOf(store, set, chunk);
      packChunk(encoded, rows.subarray(first, first + views.rows), views, encoding);
      done += views.rows;
      options.onProgress?.({ phase: 'encode', rows: done, total: source.rows });
    }
  return {
    store,
    encoder,
    schema,
    target,
    model: target.kind === 'classes' ? 'logistic' : 'linear',
    targetStatistics: statistics,
    counts: { rows: source.rows, withoutTarget: 0, ...counts, missingValues: 0, unseenCategories: 0 },
    trainingRows,
    validationRows,
    weighted: source.weight !== undefined,
    seconds: { read: 0, encode: (performance.now() - begin) / 1000 },
  };
}
