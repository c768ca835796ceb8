import { type Layout, panelRows, rowsOfChunk } from '../partition/layout.ts';
import type { Destination, Packer } from './pack.ts';
import type { Placement } from './placement.ts';
import { type ChunkViews, type DataStore, type StoredSet, viewsOf } from './store.ts';
import type { Values } from './table.ts';

/** Encoded rows of one batch: what is written into a store. */
export interface BatchRows {
  readonly firstRow: number;
  readonly values: readonly (Values | undefined)[];
  readonly y: Float64Array;
  readonly v: Float64Array | undefined;
  readonly offset?: Float64Array | undefined;
}

/** A chunk while it is filled. */
export interface OpenChunk {
  /** x, y and v are zero-filled when the chunk is opened. */
  readonly views: ChunkViews;
  /** Source row number of each row of the chunk. */
  readonly sourceRows: Float64Array;
}

/** Where the chunks of a set go: into memory, or into the shards of a dataset folder. */
export interface ChunkSink {
  readonly layout: Layout;
  /** The chunk to write rows into; the same until it is closed. */
  open(chunk: number): OpenChunk;
  /** All rows of the chunk are written. A promise is waited for before the next chunk is written. */
  close(chunk: number): Promise<void> | undefined;
}

/** Chunks in memory, and the source row numbers of all rows of the set. */
export function storeSink(store: DataStore, set: StoredSet): ChunkSink & { readonly sourceRows: Float64Array } {
  const { layout } = set;
  const sourceRows = new Float64Array(layout.rows);
  return {
    layout,
    sourceRows,
    open(chunk) {
      const views = viewsOf(store, set, chunk);
      const first = chunk * layout.chunkRows;
      return { views, sourceRows: sourceRows.subarray(first, first + views.rows) };
    },
    close: () => undefined,
  };
}

/** Rows of a batch that go to one chunk. */
interface Part {
  readonly rows: Int32Array;
  /** Positions in the chunk. */
  readonly positions: Int32Array;
  count: number;
}

/** Fills one set, batch by batch, in source order. */
export class SetWriter {
  readonly #sink: ChunkSink;
  readonly #place: Placement;
  readonly #packer: Packer;
  /** Rows of the set written so far. */
  #written = 0;
  /** Rows written of each chunk that is neither empty nor full. */
  readonly #filled = new Map<number, number>();

  constructor(sink: ChunkSink, place: Placement, packer: Packer) {
    this.#sink = sink;
    this.#place = place;
    this.#packer = packer;
  }

  /** Writes the batch's rows whose use is `wanted`. */
  async write(batch: BatchRows, use: Uint8Array, wanted: number): Promise<void> {
    const rows = new Int32Array(use.length);
    const stored = new Float64Array(use.length);
    let count = 0;
    for (let row = 0; row < use.length; row += 1) {
      if (use[row] !== wanted) continue;
      rows[count] = row;
      stored[count] = this.#place(this.#written);
      this.#written += 1;
      count += 1;
    }
    for (const [chunk, part] of this.#byChunk(rows, stored, count)) {
      this.#writePart(batch, chunk, part);
      const filled = (this.#filled.get(chunk) ?? 0) + part.count;
      this.#filled.set(chunk, filled);
      if (filled < rowsOfChunk(this.#sink.layout, chunk)) continue;
      this.#filled.delete(chunk);
      // In memory there is nothing to wait for, and there may be very many chunks.
      const closing = this.#sink.close(chunk);
      if (closing !== undefined) await closing;
    }
  }

  /** Groups rows by the chunk that they go to, rows ascending inside each; positions become positions in the chunk. */
  *#byChunk(rows: Int32Array, stored: Float64Array, count: number): Generator<[number, Part]> {
    const { chunkRows } = this.#sink.layout;
    const groups = new Map<number, number>();
    for (let i = 0; i < count; i += 1) {
      const chunk = Math.floor((stored[i] as number) / chunkRows);
      groups.set(chunk, (groups.get(chunk) ?? 0) + 1);
    }
    const filled = new Map<number, Part>();
    for (const [chunk, size] of groups) filled.set(chunk, { rows: new Int32Array(size), positions: new Int32Array(size), count: 0 });
    let chunk = -1;
    let group: Part | undefined;
    for (let i = 0; i < count; i += 1) {
      const position = stored[i] as number;
      const own = Math.floor(position / chunkRows);
      if (own !== chunk || group === undefined) {
        chunk = own;
        group = filled.get(own) as Part;
      }
      group.rows[group.count] = rows[i] as number;
      group.positions[group.count] = position - own * chunkRows;
      group.count += 1;
    }
    yield* filled;
  }

  #writePart(batch: BatchRows, chunk: number, part: Part): void {
    const { layout } = this.#sink;
    const { views, sourceRows } = this.#sink.open(chunk);
    const P = panelRows(layout.dtype);
    const base = new Int32Array(part.count);
    for (let i = 0; i < part.count; i += 1) {
      const position = part.positions[i] as number;
      const row = part.rows[i] as number;
      const lane = position % P;
      base[i] = (position - lane) * layout.columns + lane;
      views.y[position] = batch.y[row] as number;
      views.v[position] = batch.v === undefined ? 1 : (batch.v[row] as number);
      if (views.offset !== undefined && batch.offset !== undefined) views.offset[position] = batch.offset[row] as number;
      sourceRows[position] = batch.firstRow + row;
    }
    const destination: Destination = { rows: part.rows, base, count: part.count };
    this.#packer.pack(batch.values, destination, views.x, batch.firstRow);
  }
}
