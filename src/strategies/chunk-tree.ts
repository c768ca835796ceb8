import { assert } from '../errors.ts';
import { coverOf, leavesOf, type NodeId } from '../partition/tree.ts';

interface Pending {
  level: number;
  index: number;
  readonly values: Float64Array | undefined;
}

/**
 * Adds the sums of a worker's own chunks, pushed in ascending order, up to the highest nodes that are all its own
 * (docs/numerics.md §5): what it sends. Like a binary counter it holds at most one vector per level, from a pool, so a
 * pass allocates nothing after the first.
 */
export class ChunkTree {
  readonly #leaves: number;
  readonly #length: number;
  readonly #cover: readonly NodeId[];
  readonly #begin: number;
  readonly #pool: Float64Array[] = [];
  #stack: Pending[] = [];
  #next: number;
  readonly #end: number;

  constructor(begin: number, end: number, leaves: number, length: number) {
    this.#leaves = leaves;
    this.#length = length;
    this.#cover = coverOf(begin, end, leaves);
    this.#begin = begin;
    this.#next = begin;
    this.#end = end;
  }

  /** Begins a pass; vectors of the last one go back to the pool. */
  start(): void {
    for (const { values } of this.#stack) if (values !== undefined) this.#pool.push(values);
    this.#stack = [];
    this.#next = this.#begin;
  }

  /** A zero-filled vector for the next chunk's sums. */
  take(): Float64Array {
    return this.#pool.pop()?.fill(0) ?? new Float64Array(this.#length);
  }

  /** The next chunk's sums (from `take`), or undefined: no row of it takes part. */
  push(values: Float64Array | undefined): void {
    assert(this.#next < this.#end, 'more chunks pushed than owned');
    this.#stack.push({ level: 0, index: this.#next, values });
    this.#next += 1;
    while (this.#rise()) {
      // Combine for as long as the newest node's sibling is there (or does not exist).
    }
  }

  /** One step up for the newest node; false when it is a node of the cover or waits for its right sibling. */
  #rise(): boolean {
    const top = this.#stack[this.#stack.length - 1] as Pending;
    if (this.#cover.some((node) => node.level === top.level && node.index === top.index)) return false;
    if (top.index % 2 === 1) {
      this.#stack.pop();
      const left = this.#stack.pop();
      assert(left !== undefined && left.level === top.level && left.index === top.index - 1, 'tree out of order');
      this.#stack.push({ level: top.level + 1, index: (top.index - 1) / 2, values: this.#add(left.values, top.values) });
      return true;
    }
    const sibling = leavesOf({ level: top.level, index: top.index + 1 }, this.#leaves);
    if (sibling.begin < sibling.end) return false;
    top.level += 1;
    top.index /= 2;
    return true;
  }

  #add(left: Float64Array | undefined, right: Float64Array | undefined): Float64Array | undefined {
    if (left === undefined || right === undefined) return left ?? right;
    for (let i = 0; i < left.length; i += 1) left[i] = (left[i] as number) + (right[i] as number);
    this.#pool.push(right);
    return left;
  }

  /** The cover's nodes, after the last chunk; their vectors are good until the next `start`. */
  finish(): readonly { readonly node: NodeId; readonly values: Float64Array | undefined }[] {
    assert(this.#next === this.#end && this.#stack.length === this.#cover.length, 'chunks missing');
    return this.#stack.map(({ level, index, values }) => ({ node: { level, index }, values }));
  }
}
