import { leavesOf, type NodeId } from '../partition/tree.ts';
import type { BatchDesk } from './batch-desk.ts';

/** Vectors of the listed chunks, one after the other, in the memory of a segment. */
interface Slots {
  readonly desk: BatchDesk;
  readonly chunks: readonly number[];
  readonly at: number;
}

/**
 * The tree over chunks (docs/numerics.md §5) for few chunks of many, in the memory where their sums stand: all others are missing.
 * Neighbours are added at the lowest node that holds both, lower nodes first, left + right.
 */
export class SlotTree {
  readonly #cover: readonly { readonly node: NodeId; readonly end: number }[];
  readonly #places: number[] = [];
  readonly #joints: number[] = [];

  /** `cover`: the nodes that are wanted, ascending. */
  constructor(cover: readonly NodeId[], leaves: number) {
    this.#cover = cover.map((node) => ({ node, end: leavesOf(node, leaves).end }));
  }

  /**
   * The vectors of the nodes, `length` f64, undefined where a node is missing: views on memory of the first segment. `desks`: where the
   * listed chunks' vectors stand, for weight vector k.
   */
  nodes(desks: readonly BatchDesk[], length: number, k: number): { node: NodeId; values: Float64Array | undefined }[] {
    const slots = together(desks, length, k);
    let next = 0;
    return this.#cover.map(({ node, end }) => {
      const first = next;
      while (slots !== undefined && next < slots.chunks.length && slots.chunks[next] < end) next += 1;
      if (slots === undefined || next === first) return { node, values: undefined };
      this.#add(slots, first, next, length);
      return { node, values: slots.desk.workplace.scratch.f64(slots.at + first * length * 8, length) };
    });
  }

  /** The sum of all listed chunks; undefined: there is none. */
  root(desks: readonly BatchDesk[], length: number, k: number): Float64Array | undefined {
    const slots = together(desks, length, k);
    if (slots === undefined) return undefined;
    if (slots.chunks.length > 1) this.#add(slots, 0, slots.chunks.length, length);
    return desks.length === 1 ? slots.desk.first(k) : slots.desk.workplace.scratch.f64(slots.at, length);
  }

  /** Adds the vectors [first, end) into the first of them. */
  #add({ desk, chunks, at }: Slots, first: number, end: number, length: number): void {
    const { kernels } = desk.workplace;
    const places = this.#places;
    const joints = this.#joints;
    let depth = 0;
    for (let i = first; i <= end; i += 1) {
      // Level of the lowest node that holds both this chunk and the one before; after the last one, above all.
      const joint = i === end ? 33 : i === first ? 0 : 32 - Math.clz32(chunks[i] ^ chunks[i - 1]);
      while (depth > 1 && joints[depth - 1] < joint) {
        depth -= 1;
        kernels.addSums(at + places[depth - 1] * length * 8, at + places[depth] * length * 8, length);
      }
      places[depth] = i;
      joints[depth] = joint;
      depth += 1;
    }
  }
}

/** All vectors in one segment: those of others are copied to it. */
function together(desks: readonly BatchDesk[], length: number, k: number): Slots | undefined {
  if (desks.length === 0) return undefined;
  const [desk] = desks;
  if (desks.length === 1) return { desk, chunks: desk.chunks, at: desk.out(k) };
  const chunks = desks.flatMap((each) => each.chunks);
  const { scratch } = desk.workplace;
  const at = scratch.at(`batch together ${k}`, chunks.length * length * 8);
  let slot = 0;
  for (const each of desks) {
    const from = each.workplace.scratch.f64(each.out(k), each.chunks.length * length);
    scratch.f64(at + slot * length * 8, from.length).set(from);
    slot += each.chunks.length;
  }
  return { desk, chunks, at };
}
