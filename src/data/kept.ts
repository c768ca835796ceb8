import type { ArrayTask, ArrayTaskResult } from './array-tasks.ts';
import type { Encoder } from './encoder.ts';
import type { ColumnCounts, PackCounts } from './pack.ts';
import type { KeptBatch, PackTableTask, PlacedRows } from './pack-table.ts';
import type { Shuffle } from './placement.ts';
import { TRAINING, VALIDATION } from './split.ts';
import type { DataStore } from './store.ts';
import { INGEST_ROWS, type Table } from './table.ts';

/** Who does the pieces, and how many of them at a time. Results in the order of the tasks. */
export interface Packers {
  readonly count: number;
  run(tasks: readonly ArrayTask[]): Promise<readonly ArrayTaskResult[]>;
}

/** Pieces per worker: the slowest worker is then waited for by a fraction of its work only. */
const PIECES = 4;
/** Of the memory that this process may use: what a table's values may take between the first and the second use of them. */
const KEPT_SHARE = 0.25;

/** Whether a table is small enough to be kept, so that it is read once. `columns`: how many are read. */
export function keepable(table: Table, columns: number, limitBytes: number): boolean {
  return table.rows !== undefined && table.rows * columns * Float64Array.BYTES_PER_ELEMENT <= limitBytes * KEPT_SHARE;
}

/** Row arrays of kept batches, in shared memory; filled by the caller, batch by batch. */
export class PlacedArrays implements PlacedRows {
  readonly y: Float64Array;
  readonly v: Float64Array | undefined;
  readonly offset: Float64Array | undefined;

  constructor(batches: number, has: { readonly weight: boolean; readonly offset: boolean }) {
    const array = (): Float64Array => new Float64Array(new SharedArrayBuffer(batches * INGEST_ROWS * Float64Array.BYTES_PER_ELEMENT));
    this.y = array();
    this.v = has.weight ? array() : undefined;
    this.offset = has.offset ? array() : undefined;
  }

  /** Puts the rows of a batch in their places. */
  put(batch: number, y: Float64Array, weight: Float64Array | undefined, offset: Float64Array | undefined): void {
    const first = batch * INGEST_ROWS;
    const rows = y.length;
    this.y.set(y, first);
    if (weight !== undefined) this.v?.set(weight.subarray(0, rows), first);
    if (offset !== undefined) this.offset?.set(offset.subarray(0, rows), first);
  }
}

/** Places of the rows of one use, ascending, in shared memory. */
function membersOf(uses: readonly Uint8Array[], wanted: number, count: number): Uint32Array {
  const members = new Uint32Array(new SharedArrayBuffer(count * Uint32Array.BYTES_PER_ELEMENT));
  let filled = 0;
  for (const [batch, use] of uses.entries())
    for (let i = 0; i < use.length; i += 1) {
      if (use[i] !== wanted) continue;
      members[filled] = batch * INGEST_ROWS + i;
      filled += 1;
    }
  return members;
}

/** Fills a store from kept batches; gives the source rows of both sets, and the counts of all columns together. */
export async function packKept(
  given: {
    readonly batches: readonly KeptBatch[];
    readonly rows: PlacedRows;
    readonly uses: readonly Uint8Array[];
    readonly encoder: Encoder;
    readonly source: string;
    readonly store: DataStore;
    readonly shuffle: Shuffle;
    readonly seed: number;
  },
  packers: Packers,
): Promise<{ trainingRows: Float64Array; validationRows: Float64Array; counts: PackCounts }> {
  const { uses, shuffle, ...shared } = given;
  const task = (set: 'training' | 'validation', wanted: number): PackTableTask => {
    const { layout } = given.store[set];
    return {
      kind: 'pack-table',
      ...shared,
      set,
      members: membersOf(uses, wanted, layout.rows),
      shuffle: set === 'training' ? shuffle : 'none',
      chunkBegin: 0,
      chunkEnd: layout.chunks,
      sourceRows: new Float64Array(new SharedArrayBuffer(layout.rows * Float64Array.BYTES_PER_ELEMENT)),
    };
  };
  const training = task('training', TRAINING);
  const validation = task('validation', VALIDATION);
  const done = await packers.run([training, validation].flatMap((all) => pieces(all, packers.count)));
  const counts = { missing: 0, unseen: 0 };
  for (const { missing, unseen } of done.flat() as ColumnCounts[]) {
    counts.missing += missing;
    counts.unseen += unseen;
  }
  return { trainingRows: training.sourceRows, validationRows: validation.sourceRows, counts };
}

/** A task over all chunks, cut into tasks over some. */
export function pieces<Task extends { readonly chunkBegin: number; readonly chunkEnd: number }>(task: Task, workers: number): Task[] {
  const count = Math.min(task.chunkEnd, workers * PIECES);
  const border = (piece: number): number => Math.floor((task.chunkEnd * piece) / count);
  return Array.from({ length: count }, (_, piece) => ({ ...task, chunkBegin: border(piece), chunkEnd: border(piece + 1) }));
}
