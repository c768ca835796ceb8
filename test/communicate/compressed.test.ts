import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Collective, ControlWord, Part, Traffic } from '../../src/communicate/collective.ts';
import { type Compression, compressedCollective, keptOf, largest, parseCompression } from '../../src/communicate/compressed.ts';
import { createLoopbackChannels } from '../../src/communicate/loopback/channel.ts';
import { createMessageCollective, type MessageOptions } from '../../src/communicate/messages/collective.ts';
import { leavesOf } from '../../src/partition/tree.ts';
import { type Case, evenBorders, partsOf, totalOf } from './trees.ts';

const SCALARS = 3;
const F32: Compression = { kind: 'f32' };

function group(size: number, compression: Compression, options: MessageOptions = {}): Collective[] {
  return createLoopbackChannels(size).map((channels, rank) =>
    compressedCollective(createMessageCollective(rank, channels, options), compression),
  );
}

function rows(size: number, length: number, columns = 1): Case {
  const leafBorders = evenBorders(size, size / columns);
  return { length, leaves: size, width: 8, leafBorders, elementBorders: evenBorders(length, columns), missing: new Set(), seed: 5 };
}

interface Came {
  readonly sums: Float64Array;
  readonly control: ControlWord;
  readonly traffic: Traffic;
}

async function reduce(collectives: readonly Collective[], c: Case, gradientFrom: number | undefined): Promise<Came[]> {
  const parts = partsOf(c) as Part[][];
  return Promise.all(
    collectives.map(async (collective, rank) => {
      const sums = new Float64Array(c.length);
      const before = collective.traffic();
      const control = await collective.allReduce(
        { length: c.length, leaves: c.leaves, gradientFrom },
        parts[rank] ?? [],
        sums,
        rank === 0 ? 2 : 0,
      );
      const after = collective.traffic();
      const traffic = { ...after, messagesSent: after.messagesSent - before.messagesSent, bytesSent: after.bytesSent - before.bytesSent };
      return { sums, control, traffic };
    }),
  );
}

const totals = (came: readonly Came[]): [messages: number, bytes: number] => [
  came.reduce((sum, { traffic }) => sum + traffic.messagesSent, 0),
  came.reduce((sum, { traffic }) => sum + traffic.bytesSent, 0),
];

describe.each([2, 3, 4])('%d ranks', (P) => {
  // Above and below the border of all-to-all.
  test.each([40, 2000, 40_000])('messages and bytes of a gradient of %d, by the formulas of docs/algorithms.md', async (n) => {
    const small = (bytes: number): boolean => bytes <= (P === 2 ? 131_072 : 4096);
    const direct = (bytes: number): [number, number] =>
      small(bytes) ? [P * (P - 1), P * (P - 1) * bytes] : [2 * P * (P - 1), 2 * (P - 1) * bytes];
    const [messages, bytes] = direct(8 * SCALARS);
    const c = rows(P, SCALARS + n);
    const [m32, b32] = direct(4 * n);
    expect(totals(await reduce(group(P, F32), c, SCALARS))).toEqual([messages + m32, bytes + b32]);
    for (const share of [0.01, 0.25, 1]) {
      const k = Math.max(1, Math.ceil(share * n));
      const expected = [messages + P * (P - 1), bytes + P * (P - 1) * 12 * k];
      expect(totals(await reduce(group(P, { kind: 'top-k', share }), c, SCALARS))).toEqual(expected);
    }
    const served = await reduce(group(P, { kind: 'top-k', share: 0.25 }, { algorithm: 'client-server' }), c, SCALARS);
    const k = Math.ceil(0.25 * n);
    expect(totals(served)).toEqual([4 * (P - 1), 2 * (P - 1) * 8 * SCALARS + P * (P - 1) * 12 * k]);
  });

  test.each([1, P])('scalars stay exact, all ranks have the same bits; split into %d ranges of columns', async (columns) => {
    const c = rows(P, SCALARS + 100, columns);
    const exact = totalOf(c).slice(0, SCALARS);
    for (const compression of [F32, { kind: 'top-k', share: 0.1 } as const]) {
      const came = await reduce(group(P, compression), c, SCALARS);
      for (const { sums, control } of came) {
        expect(control).toBe(2);
        expect(sums.slice(0, SCALARS)).toEqual(exact);
        expect(sums).toEqual(came[0]?.sums);
      }
    }
  });

  test('what is no gradient passes as it is', async () => {
    const c = rows(P, 300);
    for (const { sums } of await reduce(group(P, { kind: 'top-k', share: 0.01 }), c, undefined)) expect(sums).toEqual(totalOf(c));
  });

  test('f32: the sum of what was rounded, in tree order', async () => {
    const c = rows(P, SCALARS + 50);
    const leaves = partsOf(c).map(([part]) => Float32Array.from((part as Part).values as Float64Array));
    const sum = (level: number, index: number): Float32Array => {
      if (level === 0) return leaves[index] as Float32Array;
      const right = leavesOf({ level: level - 1, index: index * 2 + 1 }, P);
      const left = sum(level - 1, index * 2);
      if (right.begin >= right.end) return left;
      const other = sum(level - 1, index * 2 + 1);
      return left.map((value, i) => value + (other[i] as number));
    };
    const expected = Float64Array.from(sum(Math.ceil(Math.log2(P)), 0));
    const [came] = await reduce(group(P, F32), c, SCALARS);
    expect(came?.sums.slice(SCALARS)).toEqual(expected.slice(SCALARS));
  });

  test('top-k: what is not sent is sent later, and nothing is lost', async () => {
    const n = 20;
    const c = { ...rows(P, n), value: (leaf: number, element: number) => (leaf + 1) * (element + 1) };
    const none = { ...c, value: () => 0 };
    const collectives = group(P, { kind: 'top-k', share: 0.25 });
    const sum = new Float64Array(n);
    for (let step = 0; step < 4; step += 1) {
      const [came] = await reduce(collectives, step === 0 ? c : none, 0);
      // A quarter each time, the largest first.
      const sent = [...(came?.sums ?? [])].flatMap((value, i) => (value === 0 ? [] : [i]));
      expect(sent).toEqual(Array.from({ length: 5 }, (_, i) => n - 5 * (step + 1) + i));
      for (const [i, value] of (came?.sums ?? []).entries()) sum[i] = (sum[i] as number) + value;
    }
    expect(sum).toEqual(totalOf(c));
  });
});

test('one rank exchanges nothing, and has exact sums', async () => {
  const c = rows(1, 50);
  const [came] = await reduce(group(1, { kind: 'top-k', share: 0.01 }), c, 1);
  expect([came?.sums, came?.traffic.messagesSent]).toEqual([totalOf(c), 0]);
});

describe('gradient descent on least squares', () => {
  // 60 rows with whole-number features, made by weights 1 … 8 exactly; 3 ranks own 20 rows each.
  const [rowCount, columns, P] = [60, 8, 3];
  const feature = (row: number, column: number): number => (((row * 7 + 3) * (column * 11 + 5)) % 13) - 6;
  const target = (row: number): number => Array.from({ length: columns }, (_, j) => (j + 1) * feature(row, j)).reduce((a, b) => a + b, 0);

  async function distance(compression: Compression | undefined, steps: number): Promise<number> {
    const plain = createLoopbackChannels(P).map((channels, rank) => createMessageCollective(rank, channels));
    const collectives = compression === undefined ? plain : plain.map((collective) => compressedCollective(collective, compression));
    const all = await Promise.all(
      collectives.map(async (collective, rank) => {
        const w = new Float64Array(columns);
        for (let step = 0; step < steps; step += 1) {
          const g = new Float64Array(columns);
          for (let row = rank * 20; row < rank * 20 + 20; row += 1) {
            let residual = -target(row);
            for (let j = 0; j < columns; j += 1) residual += (w[j] as number) * feature(row, j);
            for (let j = 0; j < columns; j += 1) g[j] = (g[j] as number) + residual * feature(row, j);
          }
          const sums = new Float64Array(columns);
          const part: Part = { node: { level: 0, index: rank }, begin: 0, end: columns, values: g };
          await collective.allReduce({ length: columns, leaves: P, gradientFrom: 0 }, [part], sums);
          for (let j = 0; j < columns; j += 1) w[j] = (w[j] as number) - ((0.25 / rowCount) * (sums[j] as number)) / 14;
        }
        return w;
      }),
    );
    for (const w of all) expect(w).toEqual(all[0]);
    return Math.max(...(all[0] as Float64Array).map((value, j) => Math.abs(value - (j + 1))));
  }

  test('f32 and top-k come to the same weights; top-k takes more steps', async () => {
    const start = await distance(undefined, 0);
    expect(start).toBe(columns);
    const topK: Compression = { kind: 'top-k', share: 0.125 };
    expect(await distance(topK, 10)).toBeGreaterThan(await distance(undefined, 10));
    for (const compression of [undefined, F32, topK]) expect(await distance(compression, 400)).toBeLessThan(1e-6);
  });
});

test('the largest: ascending coordinates, of equal amounts the first ones, what is not finite before all', () => {
  expect([...largest(Float64Array.of(1, -3, 2, 3, 0), 2)]).toEqual([1, 3]);
  expect([...largest(Float64Array.of(5, NaN, 1, -Infinity), 2)]).toEqual([1, 3]);
  const property = fc.property(fc.array(fc.integer({ min: -5, max: 5 }), { minLength: 1, maxLength: 30 }), fc.nat(40), (list, count) => {
    const values = Float64Array.from(list);
    const chosen = [...largest(values, count)];
    const naive = list.map((value, i) => ({ amount: Math.abs(value), i })).sort((a, b) => b.amount - a.amount || a.i - b.i);
    expect(chosen).toEqual(
      naive
        .slice(0, count)
        .map(({ i }) => i)
        .sort((a, b) => a - b),
    );
  });
  fc.assert(property);
});

test('is parsed', () => {
  expect(parseCompression('f32')).toEqual(F32);
  expect(parseCompression('top-k=1%')).toEqual({ kind: 'top-k', share: 0.01 });
  expect(parseCompression('top-k=0.5')).toEqual({ kind: 'top-k', share: 0.5 });
  for (const text of ['', 'f16', 'top-k', 'top-k=0', 'top-k=0%', 'top-k=101%', 'top-k=x', 'top-k=-1%'])
    expect(() => parseCompression(text)).toThrow(expect.objectContaining({ code: 'PARAGRAD_OPTION', place: { option: '--compress' } }));
  expect([keptOf(0.01, 10), keptOf(1, 10), keptOf(0.5, 0)]).toEqual([1, 10, 0]);
});
