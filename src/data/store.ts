import { assert } from '../errors.ts';
import { bytesPerValue, type Layout, panelRows, panelsOfChunk, rowsOfChunk } from '../partition/layout.ts';

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
  readonly chunks: readonly ChunkPlace[];
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

/** Bytes of one chunk: x and two or three per-row arrays. */
function chunkBytes(layout: Layout, chunk: number, offsets: boolean): number {
  const rows = panelsOfChunk(layout, chunk) * panelRows(layout.dtype);
  return align(rows * layout.columns * bytesPerValue(layout.dtype)) + align(rows * 8) * (offsets ? 3 : 2);
}

/** Allocates zero-filled chunks for a training and a validation set. `segmentBytes` is for tests of several segments. */
export function allocateStore(training: Layout, validation: Layout, options: { offsets?: boolean; segmentBytes?: number } = {}): DataStore {
  const offsets = options.offsets ?? false;
  const limit = options.segmentBytes ?? SEGMENT_BYTES;
  const sizes: number[] = [];
  const place = (layout: Layout): ChunkPlace[] =>
    Array.from({ length: layout.chunks }, (_, chunk) => {
      const bytes = chunkBytes(layout, chunk, offsets);
      if (sizes.length === 0 || (sizes[sizes.length - 1] as number) + bytes > limit) sizes.push(0);
      const segment = sizes.length - 1;
      const x = FIRST_ADDRESS + (sizes[segment] as number);
      sizes[segment] = (sizes[segment] as number) + bytes;
      const rows = panelsOfChunk(layout, chunk) * panelRows(layout.dtype);
      const y = x + align(rows * layout.columns * bytesPerValue(layout.dtype));
      const v = y + align(rows * 8);
      return { segment, x, y, v, offset: offsets ? v + align(rows * 8) : 0 };
    });
  const chunks = { training: place(training), validation: place(validation) };
  if (sizes.length === 0) sizes.push(0);
  return {
    segments: sizes.map(newSegment),
    training: { layout: training, chunks: chunks.training },
    validation: { layout: validation, chunks: chunks.validation },
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
  assert(place, 'chunk out of range');
  const { layout } = set;
  const buffer = (store.segments[place.segment] as WebAssembly.Memory).buffer;
  const padded = panelsOfChunk(layout, chunk) * panelRows(layout.dtype);
  const values = padded * layout.columns;
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
