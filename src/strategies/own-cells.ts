import type { Part } from '../communicate/collective.ts';
import type { DataStore, StoredSet } from '../data/store.ts';
import { columnOfBlock, type Layout } from '../partition/layout.ts';
import type { Partition, Share } from '../partition/plan.ts';
import { ChunkTree } from './chunk-tree.ts';

/** Which cells (chunks × column blocks) are a rank's own, the trees that add their sums, and where those lie among all coordinates. */

/** Trees whose vectors are kept for the next pass of the same length. */
const MAX_TREES = 6;

/** Row scalars of a pass, ahead of its outputs × columns. */
export interface PassShape {
  readonly scalars: number;
  readonly outputs: number;
}

/** The cells of one rank, of both sets. */
export class OwnCells {
  readonly #store: DataStore;
  readonly #partition: Partition;
  readonly #share: Share;
  readonly #trees = new Map<string, ChunkTree>();

  constructor(store: DataStore, partition: Partition, share: Share) {
    this.#store = store;
    this.#partition = partition;
    this.#share = share;
  }

  /** Row scalars come from the owner of the chunk's block 0. */
  scalars(scalars: number): number {
    return this.#share.blockBegin === 0 ? scalars : 0;
  }

  /** The rank's columns. */
  columns(layout: Layout): { begin: number; end: number } {
    return { begin: columnOfBlock(layout, this.#share.blockBegin), end: columnOfBlock(layout, this.#share.blockEnd) };
  }

  /** How many columns. */
  width(layout: Layout): number {
    const { begin, end } = this.columns(layout);
    return end - begin;
  }

  /** Whether the rank has all columns of its rows. */
  isWhole(layout: Layout): boolean {
    return this.width(layout) === layout.columns && this.#share.blockBegin === 0;
  }

  /** Chunks of a set that this rank owns. The validation set is cut in the same proportions as the training set. */
  chunks(set: StoredSet): { begin: number; end: number } {
    return chunksOf(this.#store, set, this.#share, this.#partition);
  }

  /** A tree over the rank's chunks of a set, for vectors of this length, at its start. */
  tree(set: StoredSet, length: number): ChunkTree {
    const key = `${set === this.#store.training}/${length}`;
    let tree = this.#trees.get(key);
    if (tree === undefined) {
      const { begin, end } = this.chunks(set);
      tree = new ChunkTree(begin, end, set.layout.chunks, length);
      // Passes over many vectors come in many lengths: those used last are kept.
      const [oldest] = this.#trees.keys();
      if (this.#trees.size >= MAX_TREES && oldest !== undefined) this.#trees.delete(oldest);
      this.#trees.set(key, tree);
    }
    tree.start();
    return tree;
  }

  /** Nodes of a tree, cut into the coordinates that are the rank's: the scalars, and a range of columns of every output. */
  parts(layout: Layout, nodes: ReturnType<ChunkTree['finish']>, shape: PassShape): Part[] {
    const { columns } = layout;
    const own = this.columns(layout);
    const width = own.end - own.begin;
    const scalars = this.scalars(shape.scalars);
    const parts: Part[] = [];
    for (const { node, values } of nodes) {
      if (width === columns && scalars === shape.scalars) {
        parts.push({ node, begin: 0, end: scalars + shape.outputs * columns, values });
        continue;
      }
      if (scalars > 0) parts.push({ node, begin: 0, end: scalars, values: values?.subarray(0, scalars) });
      for (let k = 0; k < shape.outputs; k += 1) {
        const begin = shape.scalars + k * columns + own.begin;
        parts.push({ node, begin, end: begin + width, values: values?.subarray(scalars + k * width, scalars + (k + 1) * width) });
      }
    }
    return parts;
  }
}

/** Chunks of a set owned by a rank: its share of the training set's, the same fraction of the validation set's. */
function chunksOf(store: DataStore, set: StoredSet, share: Share, partition: Partition): { begin: number; end: number } {
  if (set === store.training) return { begin: share.chunkBegin, end: share.chunkEnd };
  const { rows, columns } = partition.grid;
  // A rank behind the workers (a server) owns nothing.
  if (share.rank >= partition.workers) return { begin: set.layout.chunks, end: set.layout.chunks };
  const row = Math.floor(share.rank / columns);
  return { begin: Math.floor((set.layout.chunks * row) / rows), end: Math.floor((set.layout.chunks * (row + 1)) / rows) };
}
