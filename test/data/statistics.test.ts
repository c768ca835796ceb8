import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CategoryEncoder, codeColumns, encodedColumns, encodedWidth, type FittedFeature, fitEncoder } from '../../src/data/encoder.ts';
import { compareUtf8, nearestName } from '../../src/data/names.ts';
import { RunningTree } from '../../src/data/running-tree.ts';
import { choose, type Moments, mergeMoments, momentsOf } from '../../src/data/statistics.ts';
import { TreeSum } from '../../src/partition/tree.ts';

const number = (overrides: Partial<Moments> = {}): Moments => ({
  kind: 'number',
  weight: 4,
  mean: 2,
  m2: 4,
  min: 1,
  max: 3,
  missing: 0,
  ...overrides,
});

describe('compareUtf8', () => {
  it('is the order of the bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
        expect(Math.sign(compareUtf8(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
    );
    expect(compareUtf8('\uffff', '😀')).toBeLessThan(0);
  });
});

describe('nearestName', () => {
  it('sees case, separators, swaps and typing errors, and nothing far away', () => {
    expect(nearestName('sale price', ['Sale_Price', 'Sale_Type'])).toBe('Sale_Price');
    expect(nearestName('Sale_Prcie', ['Sale_Price', 'Sale_Type'])).toBe('Sale_Price');
    expect(nearestName('zzzz', ['Sale_Price'])).toBeUndefined();
    expect(nearestName('x', [])).toBeUndefined();
  });
});

describe('RunningTree', () => {
  it('adds as the tree of the contract does, missing leaves too', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.string({ minLength: 1, maxLength: 1 }), { nil: undefined }), { maxLength: 40 }), (leaves) => {
        const add = (left: string, right: string): string => `(${left}${right})`;
        const running = new RunningTree<string>(add);
        const tree = new TreeSum<string>(leaves.length, add);
        for (const [index, leaf] of leaves.entries()) {
          running.push(leaf);
          tree.push({ level: 0, index }, leaf);
        }
        expect(running.finish()).toBe(tree.finish());
      }),
    );
  });
});

describe('moments', () => {
  const doubles = fc.double({ min: -1e6, max: 1e6, noNaN: true });

  it('are those of the definition, weighted, whatever is missing', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(doubles, fc.constantFrom(0, 0.5, 1, 3), fc.boolean()), { maxLength: 60 }), (rows) => {
        const values = Float64Array.from(rows, (r) => r[0]);
        const missing = Uint8Array.from(rows, (r) => (r[2] ? 1 : 0));
        const chosen = choose(
          new Uint8Array(rows.length),
          0,
          Float64Array.from(rows, (r) => r[1]),
        );
        const found = momentsOf(values, missing, chosen);
        const used = rows.filter((r) => !r[2] && r[1] > 0);
        const weight = used.reduce((s, r) => s + r[1], 0);
        const mean = weight === 0 ? 0 : used.reduce((s, r) => s + r[0] * r[1], 0) / weight;
        const m2 = used.reduce((s, r) => s + r[1] * (r[0] - mean) ** 2, 0);
        expect(found.weight).toBeCloseTo(weight, 9);
        expect(Math.abs(found.mean - mean)).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(mean)));
        expect(Math.abs(found.m2 - m2)).toBeLessThanOrEqual(1e-6 * Math.max(1, m2));
        expect(found.missing).toBe(rows.filter((r) => r[2] && r[1] > 0).length);
        // Without missing values: the same bits by the path that does without a mask.
        expect(momentsOf(values, undefined, chosen)).toEqual(momentsOf(values, new Uint8Array(rows.length), chosen));
      }),
    );
  });

  it('have exactly no spread where all values are one, also merged; empty parts add nothing', () => {
    const part = (count: number): Moments => momentsOf(new Float64Array(count).fill(0.1), undefined, choose(new Uint8Array(count), 0));
    const merged = mergeMoments(mergeMoments(part(7), part(0)), part(13));
    expect(merged).toMatchObject({ weight: 20, mean: 0.1, m2: 0 });
    expect(mergeMoments(part(0), part(3))).toMatchObject({ weight: 3, mean: 0.1, min: 0.1 });
    expect(mergeMoments(number({ mean: 0, m2: 0 }), number({ mean: 2, m2: 0 }))).toMatchObject({ weight: 8, mean: 1, m2: 8 });
  });
});

describe('fitEncoder', () => {
  const text = (name: string, counts: Record<string, number>, missing = 0): FittedFeature => ({
    name,
    kind: 'text',
    statistics: { kind: 'text', counts: Float64Array.from(Object.values(counts)), missing },
    dictionary: Object.keys(counts),
  });
  const fitted = (features: FittedFeature[], maxCategories = 256, standardize = true) =>
    fitEncoder(features, { standardize, maxCategories });

  it('orders columns as the contract says', () => {
    const { encoder, found } = fitted([
      { name: 'n', kind: 'number', statistics: number({ missing: 1 }) },
      text('t', { b: 1, a: 5, '😀': 2, '\uffff': 2, unused: 0 }, 3),
      { name: 'f', kind: 'boolean', statistics: number({ mean: 0.5, m2: 1 }) },
      { name: 'd', kind: 'date', statistics: number() },
    ]);
    expect(found.size).toBe(0);
    expect(encodedColumns(encoder).map((c) => [c.name, c.kind, c.mean, c.scale])).toEqual([
      ['n', 'number', 2, 1],
      ['n missing', 'indicator', 0, 1],
      ['t=a', 'indicator', 0, 1],
      ['t=b', 'indicator', 0, 1],
      ['t=\uffff', 'indicator', 0, 1],
      ['t=😀', 'indicator', 0, 1],
      ['t missing', 'indicator', 0, 1],
      ['f', 'indicator', 0, 1],
      ['d', 'number', 2, 1],
    ]);
    expect(encodedWidth(encoder)).toBe(9);
    expect(JSON.parse(JSON.stringify(encoder))).toEqual(encoder);
  });

  it('keeps the most frequent categories, ties by bytes, and the rest as other', () => {
    const { encoder } = fitted([text('t', { d: 1, c: 1, b: 1, a: 1, z: 9 })], 3);
    const column = encoder.columns[0] as CategoryEncoder;
    expect(column).toMatchObject({ levels: ['a', 'b', 'z'], other: true });
    expect(encodedColumns(encoder).map((c) => c.name)).toEqual(['t=a', 't=b', 't=z', 't other']);
    expect([...codeColumns(column, ['z', 'c', 'new', 'a'])]).toEqual([2, 3, 3, 0]);
    expect([...codeColumns({ ...column, other: false }, ['z', 'c'])]).toEqual([2, -1]);
  });

  it('leaves constant and empty columns out, and says so', () => {
    const { encoder, found } = fitted([
      { name: 'c', kind: 'number', statistics: number({ m2: 0, min: 7 }) },
      { name: 'e', kind: 'number', statistics: number({ weight: 0, m2: 0, missing: 4 }) },
      { name: 'm', kind: 'number', statistics: number({ m2: 0, min: 7, missing: 2 }) },
      text('one', { x: 4 }),
      text('half', { x: 2 }, 2),
      text('void', { x: 0 }, 4),
    ]);
    expect(encodedColumns(encoder).map((c) => c.name)).toEqual(['m missing', 'half=x', 'half missing']);
    expect(Object.fromEntries([...found].map(([name, { role }]) => [name, role]))).toEqual({
      c: 'constant',
      e: 'empty',
      m: 'feature',
      one: 'constant',
      void: 'empty',
    });
    expect(found.get('c')?.note).toBe('always 7 in training rows');
  });

  it('leaves numbers as they are when told to', () => {
    expect(encodedColumns(fitted([{ name: 'n', kind: 'number', statistics: number() }], 256, false).encoder)[0]).toMatchObject({
      mean: 0,
      scale: 1,
    });
  });
});
