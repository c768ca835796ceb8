import { permutation } from '../random.ts';
import { type ArrayEncoding, type ArrayMoments, type ArraySource, packChunk, statisticsOfBlock } from './arrays.ts';
import type { ColumnCounts } from './pack.ts';
import { type PackTableTask, packTable } from './pack-table.ts';
import type { Split } from './split.ts';
import { type DataStore, viewsOf } from './store.ts';

/**
 * Encoding of arrays, and of tables that were kept, cut into pieces that any worker can do, in any order: pure functions of their arguments, but for the
 * chunks that they fill. Here in plain TypeScript; `kernels/array-tasks.ts` does the same in SIMD, to the bit.
 */
export type ArrayTask =
  /** Moments of the training rows of ingest blocks [blockBegin, blockEnd). */
  | {
      readonly kind: 'moments';
      readonly source: ArraySource;
      readonly split: Split;
      readonly blockBegin: number;
      readonly blockEnd: number;
    }
  /** Fills chunks [chunkBegin, chunkEnd) of a set. */
  | {
      readonly kind: 'pack';
      readonly source: ArraySource;
      readonly encoding: ArrayEncoding;
      readonly store: DataStore;
      readonly set: 'training' | 'validation';
      /** Source rows of the set, ascending; undefined: all rows of the source. In shared memory, or it would be copied. */
      readonly members: Uint32Array | undefined;
      /** Seed of the windows' permutations; undefined: rows stay in order. */
      readonly shuffleSeed: number | undefined;
      readonly chunkBegin: number;
      readonly chunkEnd: number;
    }
  | PackTableTask;

/** Moments by block (`moments`), nothing (`pack`), counts by column of the encoder (`pack-table`). */
export type ArrayTaskResult = readonly (ArrayMoments | undefined)[] | readonly ColumnCounts[];

export type PackTask = Extract<ArrayTask, { kind: 'pack' }>;

/** Source rows of a chunk in stored order: position p of window c holds the window's row π(p) (docs/numerics.md §7). */
export function rowsOfPackedChunk(task: PackTask, chunk: number, rows: number): Uint32Array {
  const { members, shuffleSeed } = task;
  const first = chunk * task.store[task.set].layout.chunkRows;
  const order = shuffleSeed === undefined ? undefined : permutation(shuffleSeed, 'shuffle', chunk, rows);
  const stored = new Uint32Array(rows);
  for (let p = 0; p < rows; p += 1) {
    const member = first + (order === undefined ? p : order.at(p));
    stored[p] = members === undefined ? member : (members[member] as number);
  }
  return stored;
}

export function runArrayTask(task: ArrayTask): ArrayTaskResult {
  if (task.kind === 'pack-table') return packTable(task);
  if (task.kind === 'moments')
    return Array.from({ length: task.blockEnd - task.blockBegin }, (_, i) =>
      statisticsOfBlock(task.source, task.blockBegin + i, task.split),
    );
  for (let chunk = task.chunkBegin; chunk < task.chunkEnd; chunk += 1) {
    const views = viewsOf(task.store, task.store[task.set], chunk);
    packChunk(task.source, rowsOfPackedChunk(task, chunk, views.rows), views, task.encoding);
  }
  return [];
}

/** All pieces in the calling thread, in plain TypeScript. */
export const inThisThread = {
  count: 1,
  run: (tasks: readonly ArrayTask[]): Promise<ArrayTaskResult[]> => Promise.resolve(tasks.map(runArrayTask)),
};
