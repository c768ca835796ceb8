import { assert, ParagradError } from '../errors.ts';

/**
 * The reduction tree (docs/numerics.md §5). node(0, c) is leaf c; node(level, k) = node(level−1, 2k) + node(level−1,
 * 2k+1). A missing child adds nothing: the other passes unchanged. Whoever adds nodes adds them in this order, whatever
 * the order in which they arrive.
 */
export interface NodeId {
  readonly level: number;
  readonly index: number;
}

/** Level of the root over `leaves` leaves: the smallest h with 2^h ≥ leaves. */
export function rootLevel(leaves: number): number {
  let level = 0;
  while (2 ** level < leaves) level += 1;
  return level;
}

/** First leaf of a node, and one past its last, clipped to the number of leaves. */
export function leavesOf(node: NodeId, leaves: number): { begin: number; end: number } {
  const width = 2 ** node.level;
  return { begin: Math.min(node.index * width, leaves), end: Math.min((node.index + 1) * width, leaves) };
}

/**
 * The highest nodes whose leaves, clipped to `leaves`, all lie in [begin, end): what the owner of that range sends.
 * Ascending by first leaf; the root alone when the range is everything; empty when the range is.
 */
export function coverOf(begin: number, end: number, leaves: number): NodeId[] {
  assert(begin >= 0 && begin <= end && end <= leaves, 'leaf range out of range');
  const cover: NodeId[] = [];
  const descend = (node: NodeId): void => {
    const own = leavesOf(node, leaves);
    if (own.begin >= own.end || own.end <= begin || own.begin >= end) return;
    if (own.begin >= begin && own.end <= end) {
      cover.push(node);
      return;
    }
    descend({ level: node.level - 1, index: node.index * 2 });
    descend({ level: node.level - 1, index: node.index * 2 + 1 });
  };
  if (begin < end) descend({ level: rootLevel(leaves), index: 0 });
  return cover;
}

/**
 * Adds nodes up to the root of a (sub)tree as they arrive, in any order. `add(left, right)` may reuse `left` for its
 * result. A node may arrive as `undefined`: known to be missing.
 *
 * @throws PARAGRAD_TREE on a node that is foreign, doubled or inside one that already came, and when asked for the root
 * before every leaf came.
 */
export class TreeSum<T> {
  readonly #leaves: number;
  readonly #root: NodeId;
  readonly #add: (left: T, right: T) => T;
  /** Finished subtrees that wait for their sibling, by level then index. */
  readonly #waiting = new Map<string, T | undefined>();
  #covered = 0;
  #done = false;
  #value: T | undefined;

  /** A tree over `leaves` leaves; with `root`, only the subtree under that node. */
  constructor(leaves: number, add: (left: T, right: T) => T, root: NodeId = { level: rootLevel(leaves), index: 0 }) {
    this.#leaves = leaves;
    this.#root = root;
    this.#add = add;
  }

  push(node: NodeId, value: T | undefined): void {
    const { begin, end } = leavesOf(node, this.#leaves);
    const whole = leavesOf(this.#root, this.#leaves);
    if (node.level > this.#root.level || begin >= end || begin < whole.begin || end > whole.end)
      throw new ParagradError(
        'PARAGRAD_TREE',
        `tree node (${node.level}, ${node.index}) does not belong to this tree of ${this.#leaves} leaves`,
      );
    let { level, index } = node;
    let sum = value;
    this.#covered += end - begin;
    for (;;) {
      const key = `${level}/${index}`;
      if (this.#waiting.has(key) || this.#done || this.#covered > whole.end - whole.begin)
        throw new ParagradError('PARAGRAD_TREE', `tree node (${node.level}, ${node.index}) came twice`);
      if (level === this.#root.level) {
        this.#done = true;
        this.#value = sum;
        return;
      }
      const siblingIndex = index % 2 === 0 ? index + 1 : index - 1;
      const sibling = leavesOf({ level, index: siblingIndex }, this.#leaves);
      const siblingKey = `${level}/${siblingIndex}`;
      if (sibling.begin < sibling.end) {
        if (!this.#waiting.has(siblingKey)) {
          this.#waiting.set(key, sum);
          return;
        }
        const other = this.#waiting.get(siblingKey);
        this.#waiting.delete(siblingKey);
        if (sum === undefined) sum = other;
        else if (other !== undefined) sum = index % 2 === 0 ? this.#add(sum, other) : this.#add(other, sum);
      }
      level += 1;
      index = Math.floor(index / 2);
    }
  }

  /** The root's sum; undefined when every leaf was missing, or there are no leaves. */
  finish(): T | undefined {
    if (!this.#done && this.#leaves > 0)
      throw new ParagradError('PARAGRAD_TREE', `incomplete tree: ${this.#covered} of ${this.#leaves} leaves came`);
    return this.#value;
  }
}
