import { assert } from '../errors.ts';
import { bytesPerValue, CACHE_LINE_BYTES, type Layout, panelRows, panelsOfChunk, rowsOfChunk } from '../partition/layout.ts';

/**
 * Encoded data in memory, as workers see them: chunks of panels in shared WebAssembly memories (docs/numerics.md §2). A
 * memory holds at most 4 GiB, so there may be several *segments*; a chunk never straddles two. Everything here survives
 * `structuredClone`, so that a thread gets the data without a copy.
 */
export interface ChunkPlace {
  readonly segment: number;
  /** Byte addresses in the segment. x: [panels, columns, P] of T; y, v, offset: f64 [panels · P]. */
  readonly x: number;
  readonly y: number;
  /** Sample weights: 0 in the padding of the last panel. */
  readonly v: number;
  /** 0 where the set has no offsets. */
  readonly offset: number;
}

export interface StoredSet {
  readonly layout: Layout;
  /** Of every chunk; `segment` is −1 where a chunk is not here. */
  readonly chunks: readonly ChunkPlace[];
  /** Columns that are here, where a worker holds its own alone; default: all. */
  readonly columns?: ColumnRange;
}

/** What the weights of the training rows of each class are multiplied with. */
export type ClassWeights =
  | { readonly negative: number; readonly positive: number }
  /** Of several classes, by their numbers. */
  | { readonly byClass: readonly number[] };

/** Columns [begin, end). */
export interface ColumnRange {
  readonly begin: number;
  readonly end: number;
}

/** Columns of a set that are in memory. */
export function storedColumns({ layout, columns }: StoredSet): ColumnRange {
  return columns ?? { begin: 0, end: layout.columns };
}

/** Bytes from one panel of a stored chunk to the next. */
export function panelStrideOf(set: StoredSet): number {
  const { begin, end } = storedColumns(set);
  return (end - begin) * CACHE_LINE_BYTES;
}

/** Address of a column of a stored chunk's first panel. */
export function addressOf(set: StoredSet, { x }: ChunkPlace, column: number): number {
  return x + (column - storedColumns(set).begin) * CACHE_LINE_BYTES;
}

export interface DataStore {
  readonly segments: readonly WebAssembly.Memory[];
  readonly training: StoredSet;
  readonly validation: StoredSet;
}

const PAGE_BYTES = 65_536;
const ALIGN = 64;
/** Data bytes per segment: the rest of 4 GiB is left for the workers' scratch, which is grown at the end. */
export const SEGMENT_BYTES = 3 * 1024 ** 3;
const MAX_PAGES = 65_536;
/** Addresses below this are never given out, so that 0 can mean "none". */
const FIRST_ADDRESS = 1024;

const align = (bytes: number): number => Math.ceil(bytes / ALIGN) * ALIGN;

/**
 * Reserves `bytes` at the end of a segment and returns the address (64-byte aligned, zero-filled). Views on the memory's
 * old buffer stay valid for what they cover; take new ones for the new range.
 */
export function growSegment(memory: WebAssembly.Memory, bytes: number): number {
  const pages = Math.ceil(bytes / PAGE_BYTES);
  const at = memory.grow(pages) * PAGE_BYTES;
  return at;
}

/** A shared WebAssembly memory with room for `bytes`. */
export function newSegment(bytes: number): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: Math.ceil((FIRST_ADDRESS + bytes) / PAGE_BYTES), maximum: MAX_PAGES, shared: true });
}

/** What of a set is stored: chunks [chunkBegin, chunkEnd) of some columns. */
export interface StoredPart {
  readonly chunkBegin: number;
  readonly chunkEnd: number;
  readonly columns: ColumnRange;
}

/** Bytes of one chunk: x and two or three per-row arrays. */
function chunkBytes(layout: Layout, chunk: number, columns: number, offsets: boolean): number {
  const rows = panelsOfChunk(layout, chunk) * panelRows(layout.dtype);
  return align(rows * columns * bytesPerValue(layout.dtype)) + align(rows * 8) * (offsets ? 3 : 2);
}

/** Allocates zero-filled chunks for a training and a validation set. `segmentBytes` is for tests of several segments. */
export function allocateStore(training: Layout, validation: Layout, options: { offsets?: boolean; segmentBytes?: number } = {}): DataStore {
  const {
    training: a,
    validation: b,
    segments,
  } = allocateParts(training, validation, { training: whole(training), validation: whole(validation) }, options);
  return { segments, training: { layout: a.layout, chunks: a.chunks }, validation: { layout: b.layout, chunks: b.chunks } };
}

function whole({ chunks, columns }: Layout): StoredPart {
  return { chunkBegin: 0, chunkEnd: chunks, columns: { begin: 0, end: columns } };
}

/** The same for a part of each set. */
export function allocateParts(
  training: Layout,
  validation: Layout,
  parts: Readonly<Record<'training' | 'validation', StoredPart>>,
  options: { offsets?: boolean; segmentBytes?: number } = {},
): DataStore {
  const offsets = options.offsets ?? false;
  const limit = options.segmentBytes ?? SEGMENT_BYTES;
  const sizes: number[] = [];
  // Whether there are offsets must be known of chunks that are not here, too: all ranks take the same decisions.
  const nowhere = { segment: -1, x: 0, y: 0, v: 0, offset: offsets ? FIRST_ADDRESS : 0 };
  const place = (layout: Layout, { chunkBegin, chunkEnd, columns }: StoredPart): ChunkPlace[] =>
    Array.from({ length: layout.chunks }, (_, chunk) => {
      if (chunk < chunkBegin || chunk >= chunkEnd) return nowhere;
      const width = columns.end - columns.begin;
      const bytes = chunkBytes(layout, chunk, width, offsets);
      if (sizes.length === 0 || (sizes[sizes.length - 1] as number) + bytes > limit) sizes.push(0);
      const segment = sizes.length - 1;
      const x = FIRST_ADDRESS + (sizes[segment] as number);
      sizes[segment] = (sizes[segment] as number) + bytes;
      const rows = panelsOfChunk(layout, chunk) * panelRows(layout.dtype);
      const y = x + align(rows * width * bytesPerValue(layout.dtype));
      const v = y + align(rows * 8);
      return { segment, x, y, v, offset: offsets ? v + align(rows * 8) : 0 };
    });
  const chunks = { training: place(training, parts.training), validation: place(validation, parts.validation) };
  if (sizes.length === 0) sizes.push(0);
  return {
    segments: sizes.map(newSegment),
    training: { layout: training, chunks: chunks.training, columns: parts.training.columns },
    validation: { layout: validation, chunks: chunks.validation, columns: parts.validation.columns },
  };
}

/** Typed views on a chunk: x in panel order, and its row arrays, padding included. */
export interface ChunkViews {
  /** Rows of the chunk, padding not counted. */
  readonly rows: number;
  readonly x: Float32Array<SharedArrayBuffer> | Float64Array<SharedArrayBuffer>;
  readonly y: Float64Array<SharedArrayBuffer>;
  readonly v: Float64Array<SharedArrayBuffer>;
  readonly offset: Float64Array<SharedArrayBuffer> | undefined;
}

export function viewsOf(store: DataStore, set: StoredSet, chunk: number): ChunkViews {
  const place = set.chunks[chunk];
  assert(place !== undefined && place.segment >= 0, 'chunk out of range, or not here');
  const { layout } = set;
  const buffer = (store.segments[place.segment] as WebAssembly.Memory).buffer;
  const padded = panelsOfChunk(layout, chunk) * panelRows(layout.dtype);
  const { begin, end } = storedColumns(set);
  const values = padded * (end - begin);
  return {
    rows: rowsOfChunk(layout, chunk),
    x: layout.dtype === 'f32' ? new Float32Array(buffer, place.x, values) : new Float64Array(buffer, place.x, values),
    y: new Float64Array(buffer, place.y, padded),
    v: new Float64Array(buffer, place.v, padded),
    offset: place.offset === 0 ? undefined : new Float64Array(buffer, place.offset, padded),
  };
}

/** Index in a chunk's x of a row of the chunk and a column. */
export function indexOf(layout: Layout, row: number, column: number): number {
  const P = panelRows(layout.dtype);
  const panel = Math.floor(row / P);
  return (panel * layout.columns + column) * P + (row - panel * P);
}
