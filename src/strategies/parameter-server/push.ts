import { ChunkTree } from '../chunk-tree.ts';

/** A gradient on its way to a server: raw sums over `rows` rows, without penalty, computed from the weights of `version`. */
export interface Push {
  readonly worker: number;
  /** Counts the pushes of a worker from 0; with clocks it is the clock. */
  readonly sequence: number;
  readonly version: number;
  readonly rows: number;
  /** Σ v·d·x of the segment's columns; the segment with the intercept ends with Σ v·d. */
  readonly sums: Float64Array;
}

/** The sum of several pushes in the tree over ranks: of any order the same bits. A rank that pushed nothing is missing. */
export function addPushes(pushes: readonly Push[]): { sums: Float64Array; rows: number } {
  const [first] = pushes;
  if (pushes.length === 1) return { sums: first.sums, rows: first.rows };
  const leaves = Math.max(...pushes.map(({ worker }) => worker)) + 1;
  const tree = new ChunkTree(0, leaves, leaves, first.sums.length);
  tree.start();
  for (let worker = 0; worker < leaves; worker += 1) {
    const push = pushes.find((one) => one.worker === worker);
    if (push === undefined) tree.push(undefined);
    else {
      const values = tree.take();
      values.set(push.sums);
      tree.push(values);
    }
  }
  const [root] = tree.finish();
  return { sums: (root?.values ?? new Float64Array(first.sums.length)).slice(), rows: pushes.reduce((sum, { rows }) => sum + rows, 0) };
}
