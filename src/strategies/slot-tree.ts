import { leavesOf, type NodeId } from '../partition/tree.ts';
import type { Workplace } from './workplace.ts';

/** Chunks with sums, of one segment, ascending; their vectors stand one after the other at an address of that segment. */
export interface SlotRun {
  readonly segment: number;
  readonly chunks: readonly number[];
}

/**
 * The tree over chunks (docs/numerics.md §5) for few chunks of many, in the memory where their sums stand: all others are missing.
 * Neighbours are added at the lowest node that holds both, lower nodes first, left + right.
 */
export class SlotTree {
  readonly #cover: readonly { readonly node: NodeId; readonly end: number }[];
  readonly #workplaces: readonly Workplace[];
  readonly #slots: number[] = [];
  readonly #joints: number[] = [];
  /** Of roots, by vector. */
  readonly #views: Float64Array[] = [];

  /** `cover`: the nodes that are wanted, ascending. */
  constructor(cover: readonly NodeId[], leaves: number, workplaces: readonly Workplace[]) {
    this.#cover = cover.map((node) => ({ node, end: leavesOf(node, leaves).end }));
    this.#workplaces = workplaces;
  }

  /**
   * The nodes' vectors, undefined where a node is missing: views on memory of the first segment. `outs`: where each run's vectors
   * stand; `k`: which of several weight vectors they belong to.
   */
  nodes(
    runs: readonly SlotRun[],
    outs: readonly number[],
    length: number,
    k: number,
  ): { node: NodeId; values: Float64Array | undefined }[] {
    const { chunks, at } = this.#together(runs, outs, length, k);
    let next = 0;
    return this.#cover.map(({ node, end }) => {
      const first = next;
      while (next < chunks.length && chunks[next] < end) next += 1;
      if (next === first) return { node, values: undefined };
      this.#add(runs[0].segment, chunks, first, next, at, length);
      return { node, values: this.#workplaces[runs[0].segment].scratch.f64(at + first * length * 8, length) };
    });
  }

  /** The sum of all: of nodes that are the whole tree, or of the chunks that take part where these are all there are. */
  root(runs: readonly SlotRun[], outs: readonly number[], length: number, k: number): Float64Array | undefined {
    const { chunks, at } = this.#together(runs, outs, length, k);
    if (chunks.length === 0) return undefined;
    this.#add(runs[0].segment, chunks, 0, chunks.length, at, length);
    const known = this.#views[k] as Float64Array | undefined;
    const { scratch } = this.#workplaces[runs[0].segment];
    if (known !== undefined && known.byteOffset === at && known.length === length && known.buffer === scratch.memory.buffer) return known;
    const view = scratch.f64(at, length);
    this.#views[k] = view;
    return view;
  }

  /** All vectors in one segment: those of others are copied to it. */
  #together(runs: readonly SlotRun[], outs: readonly number[], length: number, k: number): { chunks: readonly number[]; at: number } {
    if (runs.length < 2) return { chunks: runs[0]?.chunks ?? [], at: outs[0] ?? 0 };
    const chunks = runs.flatMap((run) => run.chunks);
    const { scratch } = this.#workplaces[runs[0].segment];
    const at = scratch.at(`batch together ${k}`, chunks.length * length * 8);
    let slot = 0;
    for (const [i, run] of runs.entries()) {
      const from = this.#workplaces[run.segment].scratch.f64(outs[i], run.chunks.length * length);
      scratch.f64(at + slot * length * 8, from.length).set(from);
      slot += run.chunks.length;
    }
    return { chunks, at };
  }

  /** Adds the vectors [first, end) into the first of them. */
  #add(segment: number, chunks: readonly number[], first: number, end: number, at: number, length: number): void {
    const { kernels } = this.#workplaces[segment];
    const slots = this.#slots;
    const joints = this.#joints;
    let depth = 0;
    const merge = (): void => {
      depth -= 1;
      kernels.addSums(at + slots[depth - 1] * length * 8, at + slots[depth] * length * 8, length);
    };
    for (let i = first; i < end; i += 1) {
      // Level of the lowest node that holds both this chunk and the one before.
      const joint = i === first ? 0 : 32 - Math.clz32(chunks[i] ^ chunks[i - 1]);
      while (depth > 1 && joints[depth - 1] < joint) merge();
      slots[depth] = i;
      joints[depth] = joint;
      depth += 1;
    }
    while (depth > 1) merge();
  }
}
