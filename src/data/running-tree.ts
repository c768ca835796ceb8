/**
 * The reduction tree of docs/numerics.md §5 over leaves that come in order, their number unknown: the same additions in
 * the same order as `TreeSum`, with at most one waiting node per level. A missing leaf adds nothing.
 */
export class RunningTree<T> {
  readonly #add: (left: T, right: T) => T;
  /** Waiting node of each level, or undefined: none waits, or it is missing. */
  readonly #nodes: { waits: boolean; value: T | undefined }[] = [];

  /** `add(left, right)` may reuse `left` for its result. */
  constructor(add: (left: T, right: T) => T) {
    this.#add = add;
  }

  #join(left: T | undefined, right: T | undefined): T | undefined {
    return left === undefined ? right : right === undefined ? left : this.#add(left, right);
  }

  push(leaf: T | undefined): void {
    let value = leaf;
    for (let level = 0; ; level += 1) {
      const node = this.#nodes[level];
      if (node === undefined || !node.waits) {
        this.#nodes[level] = { waits: true, value };
        return;
      }
      value = this.#join(node.value, value);
      this.#nodes[level] = { waits: false, value: undefined };
    }
  }

  /** The root; undefined when every leaf was missing. */
  finish(): T | undefined {
    let value: T | undefined;
    for (const node of this.#nodes) if (node.waits) value = this.#join(node.value, value);
    return value;
  }
}
