import { assert, ParagradError } from '../errors.ts';

/**
 * How a matrix is cut, as a function of its shape alone (docs/numerics.md §2): panels of rows, chunks of panels, blocks
 * of columns. Nothing here may ever depend on workers, engines or time: the order of every sum follows from it.
 */

/** Storage type of x. Everything else (y, sample weights, weights, optimizer state) is f64. */
export type Dtype = 'f32' | 'f64';

export const CACHE_LINE_BYTES = 64;
/** Target size of a chunk, the unit of reading, checking, placement and reduction. */
export const CHUNK_BYTES = 4 * 1024 * 1024;
export const MIN_CHUNK_ROWS = 64;
export const MAX_CHUNK_ROWS = 65_536;
/** `--chunk-rows` must be a multiple of this, so that a chunk is whole panels in either dtype. */
export const CHUNK_ROWS_STEP = 16;
/** Panels between two flushes of the f32 lane accumulators into f64 (docs/numerics.md §4). */
export const GROUP_PANELS = 16;
const MAX_BLOCK_COLUMNS = 1024;
const BLOCKS_WANTED = 8;

export interface Layout {
  readonly dtype: Dtype;
  /** Rows of the set, padding not counted. */
  readonly rows: number;
  /** Encoded columns, the intercept not counted. */
  readonly columns: number;
  /** Rows of every chunk but the last: a multiple of 16. */
  readonly chunkRows: number;
  readonly chunks: number;
  /** Columns of every block but the last. */
  readonly blockColumns: number;
  /** At least 1: a matrix without columns has one empty block. */
  readonly blocks: number;
}

export function bytesPerValue(dtype: Dtype): 4 | 8 {
  return dtype === 'f32' ? 4 : 8;
}

/** Rows of a panel: one cache line of one column. 16 (f32) or 8 (f64). */
export function panelRows(dtype: Dtype): 16 | 8 {
  return dtype === 'f32' ? 16 : 8;
}

/** Rows of a chunk: 2^⌊log2(min(4 MiB / rowBytes, rows / 64))⌋ by integer doubling, clamped to 64 … 65,536. */
export function defaultChunkRows(rows: number, columns: number, dtype: Dtype): number {
  const rowBytes = columns * bytesPerValue(dtype);
  let chunkRows = MIN_CHUNK_ROWS;
  while (chunkRows < MAX_CHUNK_ROWS && chunkRows * 2 * rowBytes <= CHUNK_BYTES && chunkRows * 2 * 64 <= rows) chunkRows *= 2;
  return chunkRows;
}

/** Width of a column block: clamp(⌈columns/8⌉, min(8, ⌈columns/2⌉), 1024), at least 1. */
export function defaultBlockColumns(columns: number): number {
  const low = Math.min(8, Math.ceil(columns / 2));
  return Math.max(1, Math.min(MAX_BLOCK_COLUMNS, Math.max(low, Math.ceil(columns / BLOCKS_WANTED))));
}

/**
 * The layout of a set of `rows` × `columns`. The validation set passes the training set's `chunkRows` and
 * `blockColumns`.
 *
 * @throws PARAGRAD_OPTION when an override is out of range.
 */
export function layoutOf(shape: {
  dtype: Dtype;
  rows: number;
  columns: number;
  chunkRows?: number | undefined;
  blockColumns?: number | undefined;
}): Layout {
  const { dtype, rows, columns } = shape;
  assert(Number.isSafeInteger(rows) && rows >= 0 && Number.isSafeInteger(columns) && columns >= 0, 'shape out of range');
  const chunkRows = shape.chunkRows ?? defaultChunkRows(rows, columns, dtype);
  const blockColumns = shape.blockColumns ?? defaultBlockColumns(columns);
  if (!Number.isSafeInteger(chunkRows) || chunkRows < CHUNK_ROWS_STEP || chunkRows > MAX_CHUNK_ROWS || chunkRows % CHUNK_ROWS_STEP !== 0)
    throw new ParagradError(
      'PARAGRAD_OPTION',
      `--chunk-rows must be a multiple of ${CHUNK_ROWS_STEP} from ${CHUNK_ROWS_STEP} to ${MAX_CHUNK_ROWS}, not ${chunkRows}`,
      { place: { option: '--chunk-rows' } },
    );
  if (!Number.isSafeInteger(blockColumns) || blockColumns < 1)
    throw new ParagradError('PARAGRAD_OPTION', `--block-columns must be a whole number of at least 1, not ${blockColumns}`, {
      place: { option: '--block-columns' },
    });
  return {
    dtype,
    rows,
    columns,
    chunkRows,
    chunks: Math.ceil(rows / chunkRows),
    blockColumns,
    blocks: Math.max(1, Math.ceil(columns / blockColumns)),
  };
}

/** Rows of chunk `chunk`, padding not counted. Only the last chunk can be short. */
export function rowsOfChunk(layout: Layout, chunk: number): number {
  assert(chunk >= 0 && chunk < layout.chunks, 'chunk out of range');
  return Math.min(layout.chunkRows, layout.rows - chunk * layout.chunkRows);
}

/** Panels of chunk `chunk`, the last one padded to whole panels. */
export function panelsOfChunk(layout: Layout, chunk: number): number {
  return Math.ceil(rowsOfChunk(layout, chunk) / panelRows(layout.dtype));
}

/** Panels of the whole set. Every chunk but the last has chunkRows / P panels, so panels number through. */
export function panelsOf(layout: Layout): number {
  return Math.ceil(layout.rows / panelRows(layout.dtype));
}

/** First column of block `block`; `columnOfBlock(layout, layout.blocks)` is the number of columns. */
export function columnOfBlock(layout: Layout, block: number): number {
  return Math.min(block * layout.blockColumns, layout.columns);
}

/** Group of a panel in its chunk: f32 accumulators are flushed into f64 where it changes (docs/numerics.md §4). */
export function groupOfPanel(panel: number): number {
  return Math.floor(panel / GROUP_PANELS);
}
