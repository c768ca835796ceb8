import { panelRows, rowsOfChunk } from '../partition/layout.ts';
import { permutation } from '../random.ts';
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

/** Which of the set's rows is stored at each position: `placementOf` the other way round (docs/numerics.md §7). */
function orderOf({ shuffle, seed, store, set }: PackTableTask): (chunk: number, rows: number) => (position: number) => number {
  const { layout } = store[set];
  if (shuffle === 'none') return (chunk) => (position) => chunk * layout.chunkRows + position;
  if (shuffle === 'rows') {
    const all = permutation(seed, 'shuffle', 0, layout.rows);
    return (chunk) => (position) => all.at(chunk * layout.chunkRows + position);
  }
  return (chunk, rows) => {
    const window = permutation(seed, 'shuffle', chunk, rows);
    return (position) => chunk * layout.chunkRows + window.at(position);
  };
}

/** Does the task, and gives the counts of each of the encoder's columns. @throws PARAGRAD_VALUE for a value that is not finite */
export function packTable(task: PackTableTask): ColumnCounts[] {
  const { store, members, rows, batches } = task;
  const set = store[task.set];
  const packer = new Packer(task.encoder, panelRows(set.layout.dtype), task.source);
  const order = orderOf(task);
  for (let chunk = task.chunkBegin; chunk < task.chunkEnd; chunk += 1) {
    const count = rowsOfChunk(set.layout, chunk);
    const memberAt = order(chunk, count);
    const places = new Float64Array(count);
    for (let p = 0; p < count; p += 1) places[p] = members[memberAt(p)] as number;
    const views = viewsOf(store, set, chunk);
    fillRows(rows, places, views);
    const sourceRows = task.sourceRows.subarray(chunk * set.layout.chunkRows);
    for (const group of groupsOf(places, set)) {
      const { firstRow, values } = batches[group.batch] as KeptBatch;
      packer.pack(values, { ...group, dense: group.count === count }, views.x, firstRow);
    }
    for (let p = 0; p < count; p += 1) {
      const batch = Math.floor((places[p] as number) / INGEST_ROWS);
      sourceRows[p] = (batches[batch] as KeptBatch).firstRow + (places[p] as number) - batch * INGEST_ROWS;
    }
  }
  return [...packer.columnCounts];
}

function fillRows({ y, v, offset }: PlacedRows, places: Float64Array, views: ChunkViews): void {
  for (let p = 0; p < places.length; p += 1) {
    const place = places[p] as number;
    views.y[p] = y[place] as number;
    views.v[p] = v === undefined ? 1 : (v[place] as number);
    if (views.offset !== undefined && offset !== undefined) views.offset[p] = offset[place] as number;
  }
}

/** Positions ascending in each group: lines of panels are written one after the other, and rows are picked where they are. */
function groupsOf(places: Float64Array, { layout }: StoredSet): Group[] {
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
