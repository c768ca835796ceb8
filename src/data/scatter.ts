import { panelRows } from '../partition/layout.ts';
import type { Destination, Packer } from './pack.ts';
import type { Placement } from './placement.ts';
import type { DataStore, StoredSet } from './store.ts';
import { viewsOf } from './store.ts';
import type { Values } from './table.ts';

/** Encoded rows of one batch: what is written into a store. */
export interface BatchRows {
  readonly firstRow: number;
  readonly values: readonly (Values | undefined)[];
  readonly y: Float64Array;
  readonly v: Float64Array | undefined;
}

/** Fills one set of a store, batch by batch, in source order. */
export class SetWriter {
  readonly #store: DataStore;
  readonly #set: StoredSet;
  readonly #place: Placement;
  readonly #packer: Packer;
  /** Rows of the set written so far. */
  #written = 0;
  /** Source row number of each stored row. */
  readonly sourceRows: Float64Array;

  constructor(store: DataStore, set: StoredSet, place: Placement, packer: Packer) {
    this.#store = store;
    this.#set = set;
    this.#place = place;
    this.#packer = packer;
    this.sourceRows = new Float64Array(set.layout.rows);
  }

  /** Writes the batch's rows whose use is `wanted`. */
  write(batch: BatchRows, use: Uint8Array, wanted: number): void {
    const rows = new Int32Array(use.length);
    const stored = new Float64Array(use.length);
    let count = 0;
    for (let row = 0; row < use.length; row += 1) {
      if (use[row] !== wanted) continue;
      const position = this.#place(this.#written);
      this.#written += 1;
      rows[count] = row;
      stored[count] = position;
      this.sourceRows[position] = batch.firstRow + row;
      count += 1;
    }
    for (const [chunk, to] of this.#byChunk(rows, stored, count)) this.#writeChunk(batch, chunk, to);
  }

  /** Groups rows by the chunk that they go to, rows ascending inside each; positions become positions in the chunk. */
  *#byChunk(
    rows: Int32Array,
    stored: Float64Array,
    count: number,
  ): Generator<[number, { rows: Int32Array; positions: Int32Array; count: number }]> {
    const { chunkRows } = this.#set.layout;
    const groups = new Map<number, number>();
    for (let i = 0; i < count; i += 1) {
      const chunk = Math.floor((stored[i] as number) / chunkRows);
      groups.set(chunk, (groups.get(chunk) ?? 0) + 1);
    }
    const filled = new Map<number, { rows: Int32Array; positions: Int32Array; count: number }>();
    for (const [chunk, size] of groups) filled.set(chunk, { rows: new Int32Array(size), positions: new Int32Array(size), count: 0 });
    let chunk = -1;
    let group: { rows: Int32Array; positions: Int32Array; count: number } | undefined;
    for (let i = 0; i < count; i += 1) {
      const position = stored[i] as number;
      const own = Math.floor(position / chunkRows);
      if (own !== chunk || group === undefined) {
        chunk = own;
        group = filled.get(own) as { rows: Int32Array; positions: Int32Array; count: number };
      }
      group.rows[group.count] = rows[i] as number;
      group.positions[group.count] = position - own * chunkRows;
      group.count += 1;
    }
    yield* filled;
  }

  #writeChunk(batch: BatchRows, chunk: number, to: { rows: Int32Array; positions: Int32Array; count: number }): void {
    const { layout } = this.#set;
    const views = viewsOf(this.#store, this.#set, chunk);
    const P = panelRows(layout.dtype);
    const base = new Int32Array(to.count);
    for (let i = 0; i < to.count; i += 1) {
      const position = to.positions[i] as number;
      const row = to.rows[i] as number;
      const lane = position % P;
      base[i] = (position - lane) * layout.columns + lane;
      views.y[position] = batch.y[row] as number;
      views.v[position] = batch.v === undefined ? 1 : (batch.v[row] as number);
    }
    const destination: Destination = { rows: to.rows, base, count: to.count };
    this.#packer.pack(batch.values, destination, views.x, batch.firstRow);
  }
}
