import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BatchOrder, type BatchPanels, emptyBatch } from '../../src/partition/batch.ts';
import { layoutOf, panelRows, panelsOf } from '../../src/partition/layout.ts';
import { permutation } from '../../src/random.ts';

/** Rows of a batch, in ascending order. */
function rowsOf({ count, numbers, begins, ends }: BatchPanels, P: number): number[] {
  return Array.from({ length: count }, (_, i) =>
    Array.from({ length: ends[i] - begins[i] }, (__, k) => numbers[i] * P + begins[i] + k),
  ).flat();
}

const cases = fc.record({
  rows: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 41, max: 900 })),
  size: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 21, max: 1000 })),
  chunkRows: fc.integer({ min: 1, max: 8 }).map((steps) => 16 * steps),
  dtype: fc.constantFrom('f32' as const, 'f64' as const),
  seed: fc.oneof(fc.nat(), fc.constant(Number.MAX_SAFE_INTEGER)),
  epoch: fc.nat(5),
  from: fc.double({ min: 0, max: 1, noNaN: true }),
  to: fc.double({ min: 0, max: 1, noNaN: true }),
});

test('each row of the range comes once per epoch, in batches of the size, panels ascending; chunks change nothing', () => {
  fc.assert(
    fc.property(cases, ({ rows, size, chunkRows, dtype, seed, epoch, from, to }) => {
      const layout = layoutOf({ dtype, rows, columns: 3, chunkRows });
      const P = panelRows(dtype);
      const panels = panelsOf(layout);
      const [begin, end] = [Math.floor(from * panels), Math.floor(to * panels)].sort((a, b) => a - b);
      for (const range of [undefined, { begin, end }]) {
        const order = new BatchOrder(layout, seed, range);
        const other = new BatchOrder(layoutOf({ dtype, rows, columns: 3 }), seed, range);
        const first = range === undefined ? 0 : begin * P;
        const last = range === undefined ? rows : Math.max(first, Math.min(rows, end * P));
        expect(order.rows).toBe(last - first);
        const seen: number[] = [];
        const batches = order.batches(size);
        for (let index = 0; index < batches; index += 1) {
          const batch = { epoch, index, size };
          const selected = order.select(batch, emptyBatch());
          const numbers = [...selected.numbers.subarray(0, selected.count)];
          expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
          const own = rowsOf(selected, P);
          expect(own.length).toBe(order.rowsOf(batch));
          expect(own.length).toBe(index < batches - 1 ? size : last - first - (batches - 1) * size);
          expect(rowsOf(other.select(batch, emptyBatch()), P)).toEqual(own);
          seen.push(...own);
        }
        expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: last - first }, (_, i) => first + i));
      }
    }),
    { numRuns: 200 },
  );
});

test('the order is the permutation of full panels, the partial one last; a range adds its first panel to the seed', () => {
  const layout = layoutOf({ dtype: 'f32', rows: 16 * 9 + 5, columns: 2 });
  const order = new BatchOrder(layout, 11);
  const ranged = new BatchOrder(layout, 11, { begin: 3, end: 10 });
  const whole = permutation(11, 'epoch', 2, 9);
  const part = permutation(14, 'epoch', 2, 6);
  const into = emptyBatch();
  for (let index = 0; index < 9; index += 1) expect(order.select({ epoch: 2, index, size: 16 }, into).numbers[0]).toBe(whole.at(index));
  expect(order.select({ epoch: 2, index: 9, size: 16 }, into)).toMatchObject({ count: 1 });
  expect([into.numbers[0], into.begins[0], into.ends[0]]).toEqual([9, 0, 5]);
  for (let index = 0; index < 6; index += 1) expect(ranged.select({ epoch: 2, index, size: 16 }, into).numbers[0]).toBe(3 + part.at(index));
  // Rows 10 … 21 of the order: the last six of its first panel and the first six of its second.
  order.select({ epoch: 2, index: 1, size: 12 }, into);
  const two = [
    { panel: whole.at(0), begin: 12, end: 16 },
    { panel: whole.at(1), begin: 0, end: 8 },
  ].sort((a, b) => a.panel - b.panel);
  expect([0, 1].map((i) => ({ panel: into.numbers[i], begin: into.begins[i], end: into.ends[i] }))).toEqual(two);
});

test('epochs and seeds differ in order', () => {
  const layout = layoutOf({ dtype: 'f64', rows: 800, columns: 1 });
  const orderOf = (seed: number, epoch: number): number[] => {
    const order = new BatchOrder(layout, seed);
    return Array.from({ length: 100 }, (_, index) => order.select({ epoch, index, size: 8 }, emptyBatch()).numbers[0]);
  };
  expect(orderOf(0, 0)).not.toEqual(orderOf(0, 1));
  expect(orderOf(0, 0)).not.toEqual(orderOf(1, 0));
  expect(orderOf(0, 1)).toEqual(orderOf(0, 1));
});
