import fc from 'fast-check';
import { expect, test } from 'vitest';
import { coverOf, leavesOf, type NodeId, rootLevel, TreeSum } from '../../src/partition/tree.ts';
import { ChunkTree } from '../../src/strategies/chunk-tree.ts';

/** The definition, recursively: the oracle. Sums are written out, so that their order can be read. */
function written(leaves: readonly (string | undefined)[], node: NodeId): string | undefined {
  const { begin, end } = leavesOf(node, leaves.length);
  if (begin >= end) return undefined;
  if (node.level === 0) return leaves[node.index];
  const left = written(leaves, { level: node.level - 1, index: node.index * 2 });
  const right = written(leaves, { level: node.level - 1, index: node.index * 2 + 1 });
  return left === undefined || right === undefined ? (left ?? right) : `(${left}+${right})`;
}

const add = (left: string, right: string): string => `(${left}+${right})`;
const leavesArbitrary = fc.array(fc.boolean(), { maxLength: 40 }).map((present) => present.map((here, i) => (here ? `${i}` : undefined)));

function shuffled<T>(items: readonly T[], seed: number): T[] {
  return items
    .map((item, i) => ({ item, key: Math.imul(i + 1, seed | 1) >>> 0 }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

test('five leaves are added as ((0+1)+(2+3))+4', () => {
  const sum = new TreeSum<string>(5, add);
  for (const i of [4, 1, 3, 0, 2]) sum.push({ level: 0, index: i }, `${i}`);
  expect(sum.finish()).toBe('(((0+1)+(2+3))+4)');
});

test('nodes in any order give the sum of the definition', () => {
  fc.assert(
    fc.property(leavesArbitrary, fc.integer(), fc.array(fc.nat(40), { maxLength: 5 }), (leaves, seed, cuts) => {
      const borders = [0, ...cuts.map((cut) => Math.min(cut, leaves.length)).sort((a, b) => a - b), leaves.length];
      const nodes = borders.slice(1).flatMap((end, i) => coverOf(borders[i] as number, end, leaves.length));
      const sum = new TreeSum<string>(leaves.length, add);
      for (const node of shuffled(nodes, seed)) sum.push(node, written(leaves, node));
      expect(sum.finish()).toBe(written(leaves, { level: rootLevel(leaves.length), index: 0 }));
    }),
  );
});

test('a cover is the range, and no two of its nodes are a whole node', () => {
  fc.assert(
    fc.property(fc.nat(100), fc.nat(100), fc.nat(100), (a, b, leaves) => {
      const [begin, end] = [Math.min(a, b, leaves), Math.min(Math.max(a, b), leaves)];
      const cover = coverOf(begin, end, leaves);
      const covered = cover.flatMap((node) => {
        const own = leavesOf(node, leaves);
        return Array.from({ length: own.end - own.begin }, (_, i) => own.begin + i);
      });
      expect(covered).toEqual(Array.from({ length: end - begin }, (_, i) => begin + i));
      for (const [i, node] of cover.entries()) {
        const next = cover[i + 1];
        expect(next?.level === node.level && node.index % 2 === 0 && next.index === node.index + 1).toBe(false);
      }
      if (begin === 0 && end === leaves && leaves > 0) expect(cover).toEqual([{ level: rootLevel(leaves), index: 0 }]);
    }),
  );
});

test('an incomplete, doubled or foreign tree is refused', () => {
  const sum = new TreeSum<string>(4, add);
  sum.push({ level: 1, index: 0 }, 'a');
  expect(() => sum.finish()).toThrow(expect.objectContaining({ code: 'PARAGRAD_TREE' }));
  expect(() => sum.push({ level: 1, index: 0 }, 'a')).toThrow(expect.objectContaining({ code: 'PARAGRAD_TREE' }));
  expect(() => sum.push({ level: 0, index: 4 }, 'a')).toThrow(expect.objectContaining({ code: 'PARAGRAD_TREE' }));
  expect(() => sum.push({ level: 3, index: 0 }, 'a')).toThrow(expect.objectContaining({ code: 'PARAGRAD_TREE' }));
  const inside = new TreeSum<string>(4, add);
  inside.push({ level: 1, index: 1 }, 'b');
  inside.push({ level: 0, index: 3 }, 'c');
  expect(() => {
    inside.push({ level: 0, index: 2 }, 'd');
    inside.push({ level: 1, index: 0 }, 'a');
  }).toThrow(expect.objectContaining({ code: 'PARAGRAD_TREE' }));
});

test('a worker adds its own chunks to the nodes of the definition, missing ones included', () => {
  fc.assert(
    fc.property(
      fc.array(fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }), { nil: undefined }), { maxLength: 40 }),
      fc.nat(40),
      fc.nat(40),
      (values, a, b) => {
        const [begin, end] = [Math.min(a, b, values.length), Math.min(Math.max(a, b), values.length)];
        const tree = new ChunkTree(begin, end, values.length, 1);
        // Twice: vectors of the first pass are used again in the second.
        for (let pass = 0; pass < 2; pass += 1) {
          tree.start();
          for (let chunk = begin; chunk < end; chunk += 1) {
            const value = values[chunk];
            const vector = tree.take();
            vector[0] = value ?? 0;
            tree.push(value === undefined ? undefined : vector);
          }
          const expected = coverOf(begin, end, values.length).map((node) => ({ node, values: evaluated(values, node) }));
          expect(tree.finish().map((part) => ({ ...part, values: part.values?.[0] }))).toEqual(expected);
        }
      },
    ),
  );
});

function evaluated(values: readonly (number | undefined)[], node: NodeId): number | undefined {
  const { begin, end } = leavesOf(node, values.length);
  if (begin >= end) return undefined;
  if (node.level === 0) return values[node.index];
  const left = evaluated(values, { level: node.level - 1, index: node.index * 2 });
  const right = evaluated(values, { level: node.level - 1, index: node.index * 2 + 1 });
  return left === undefined || right === undefined ? (left ?? right) : left + right;
}
