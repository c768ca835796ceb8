import type { Elements, Part } from '../../src/communicate/collective.ts';
import { coverOf, leavesOf, type NodeId, rootLevel } from '../../src/partition/tree.ts';

/** A table of leaves × elements to be added, split over a grid of ranks, and what must come out. */
export interface Case {
  readonly length: number;
  readonly leaves: number;
  readonly width: 4 | 8;
  /** Borders of the ranks' ranges of leaves, and of elements: rank = row · columns + column. */
  readonly leafBorders: readonly number[];
  readonly elementBorders: readonly number[];
  readonly missing: ReadonlySet<number>;
  readonly seed: number;
  /** Value of a leaf's element; small integers make every order of additions exact. */
  readonly value?: (leaf: number, element: number) => number;
}

export function newElements(width: 4 | 8, length: number): Elements {
  return width === 8 ? new Float64Array(length) : new Float32Array(length);
}

/** Values of very different size and sign, −0 among them, so that another order gives other bits. */
function leafValue(seed: number, leaf: number, element: number): number {
  let h = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(leaf + 1, 0xc2b2ae35) ^ Math.imul(element + 1, 0x27d4eb2f);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h ^= h >>> 13;
  return (h % 17 === 0 ? -0 : h / 2 ** 31) * 2 ** (h % 24);
}

/** Sum of a node's leaves by the definition (docs/numerics.md §5); undefined where it is missing. */
export function sumOf(c: Case, node: NodeId, begin = 0, end = c.length): Elements | undefined {
  const { begin: first, end: last } = leavesOf(node, c.leaves);
  if (first >= last) return undefined;
  if (node.level === 0) {
    if (c.missing.has(node.index)) return undefined;
    return newElements(c.width, end - begin).map((_, i) =>
      (c.value ?? ((l, e) => leafValue(c.seed, l, e)))(node.index, begin + i),
    ) as Elements;
  }
  const left = sumOf(c, { level: node.level - 1, index: node.index * 2 }, begin, end);
  const right = sumOf(c, { level: node.level - 1, index: node.index * 2 + 1 }, begin, end);
  if (left === undefined || right === undefined) return left ?? right;
  return left.map((value, i) => value + (right[i] as number)) as Elements;
}

/** The result that every rank must have. */
export function totalOf(c: Case): Elements {
  return sumOf(c, { level: rootLevel(c.leaves), index: 0 }) ?? newElements(c.width, c.length);
}

/** Every rank's parts. */
export function partsOf(c: Case): Part<Elements>[][] {
  const all: Part<Elements>[][] = [];
  for (let row = 0; row + 1 < c.leafBorders.length; row += 1)
    for (let column = 0; column + 1 < c.elementBorders.length; column += 1) {
      const begin = c.elementBorders[column] as number;
      const end = c.elementBorders[column + 1] as number;
      const nodes = coverOf(c.leafBorders[row] as number, c.leafBorders[row + 1] as number, c.leaves);
      all.push(nodes.map((node) => ({ node, begin, end, values: sumOf(c, node, begin, end) })));
    }
  return all;
}

/** Even borders of `parts` ranges of `count`. */
export function evenBorders(count: number, parts: number): number[] {
  return Array.from({ length: parts + 1 }, (_, i) => Math.floor((count * i) / parts));
}
