import { panelRows, rowsOfChunk } from '../partition/layout.ts';
import { type Permutation, permutation } from '../random.ts';
import type { Encoder } from './encoder.ts';
import { type ColumnCounts, type Destination, Packer } from './pack.ts';
import type { Shuffle } from './placement.ts';
import { type ChunkViews, type DataStore, type StoredSet, viewsOf } from './store.ts';
import { INGEST_ROWS, type Values } from './table.ts';

/** A batch of a table that was kept. All arrays are in shared memory, so that workers need no copy. */
export interface KeptBatch {
  /** Row number of its first row. */
  readonly firstRow: number;
  /** The encoder's columns, in order. */
  readonly values: readonly (Values | undefined)[];
}

/** What each kept row has beside its features, by *place*: row i of batch b has place b · INGEST_ROWS + i. */
export interface PlacedRows {
  readonly y: Float64Array;
  /** Undefined: every weight is 1. */
  readonly v: Float64Array | undefined;
  readonly offset: Float64Array | undefined;
}

/** Fills chunks [chunkBegin, chunkEnd) of a set from kept batches: a pure function but for the chunks and `sourceRows`. */
export interface PackTableTask {
  readonly kind: 'pack-table';
  readonly batches: readonly KeptBatch[];
  readonly rows: PlacedRows;
  readonly encoder: Encoder;
  /** For messages. */
  readonly source: string;
  readonly store: DataStore;
  readonly set: 'training' | 'validation';
  /** Places of the set's rows, ascending. */
  readonly members: Uint32Array;
  readonly shuffle: Shuffle;
  readonly seed: number;
  readonly chunkBegin: number;
  readonly chunkEnd: number;
  /** Gets the source row number of each stored row of the set. */
  readonly sourceRows: Float64Array;
}

/** Rows of a chunk that come from one batch, in stored order. */
interface Group extends Destination {
  readonly batch: number;
  count: number;
}

/** Places of a chunk's rows, in stored order: `placementOf` the other way round (docs/numerics.md §7). */
function placesOf({ shuffle, seed, store, set, members }: PackTableTask, all: Permutation | undefined, chunk: number): Uint32Array {
  const { layout } = store[set];
  const first = chunk * layout.chunkRows;
  const places = new Uint32Array(rowsOfChunk(layout, chunk));
  if (shuffle === 'none') places.set(members.subarray(first, first + places.length));
  else if (all === undefined) fillPlaces(places, members.subarray(first), permutation(seed, 'shuffle', chunk, places.length), 0);
  else fillPlaces(places, members, all, first);
  return places;
}

function fillPlaces(places: Uint32Array, members: Uint32Array, order: Permutation, first: number): void {
  for (let p = 0; p < places.length; p += 1) places[p] = members[order.at(first + p)] as number;
}

/** Does the task, and gives the counts of each of the encoder's columns. @throws PARAGRAD_VALUE for a value that is not finite */
export function packTable(task: PackTableTask): ColumnCounts[] {
  const { store, rows, batches } = task;
  const set = store[task.set];
  const packer = new Packer(task.encoder, panelRows(set.layout.dtype), task.source);
  const all = task.shuffle === 'rows' ? permutation(task.seed, 'shuffle', 0, set.layout.rows) : undefined;
  for (let chunk = task.chunkBegin; chunk < task.chunkEnd; chunk += 1) {
    const places = placesOf(task, all, chunk);
    const views = viewsOf(store, set, chunk);
    fillRows(rows, places, views);
    for (const group of groupsOf(places, set)) {
      const { firstRow, values } = batches[group.batch] as KeptBatch;
      packer.pack(values, { ...group, dense: group.count === places.length }, views.x, firstRow);
    }
    fillSourceRows(task.sourceRows.subarray(chunk * set.layout.chunkRows), places, batches);
  }
  return [...packer.columnCounts];
}

function fillSourceRows(sourceRows: Float64Array, places: Uint32Array, batches: readonly KeptBatch[]): void {
  for (let p = 0; p < places.length; p += 1) {
    const place = places[p] as number;
    const batch = Math.floor(place / INGEST_ROWS);
    sourceRows[p] = (batches[batch] as KeptBatch).firstRow + place - batch * INGEST_ROWS;
  }
}

function fillRows({ y, v, offset }: PlacedRows, places: Uint32Array, views: ChunkViews): void {
  for (let p = 0; p < places.length; p += 1) {
    const place = places[p] as number;
    views.y[p] = y[place] as number;
    views.v[p] = v === undefined ? 1 : (v[place] as number);
    if (views.offset !== undefined && offset !== undefined) views.offset[p] = offset[place] as number;
  }
}

/** Positions ascending in each group: lines of panels are written one after the other, and rows are picked where they are. */
function groupsOf(places: Uint32Array, { layout }: StoredSet): Group[] {
  const P = panelRows(layout.dtype);
  const groups = new Map<number, Group>();
  for (let p = 0; p < places.length; p += 1) {
    const place = places[p] as number;
    const batch = Math.floor(place / INGEST_ROWS);
    let group = groups.get(batch);
    if (group === undefined) {
      group = { batch, rows: new Int32Array(places.length), base: new Int32Array(places.length), count: 0 };
      groups.set(batch, group);
    }
    const lane = p % P;
    group.rows[group.count] = place - batch * INGEST_ROWS;
    group.base[group.count] = (p - lane) * layout.columns + lane;
    group.count += 1;
  }
  return [...groups.values()];
}
