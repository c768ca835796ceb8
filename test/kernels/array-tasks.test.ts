import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ArrayTask, runArrayTask } from '../../src/data/array-tasks.ts';
import type { ArraySource } from '../../src/data/arrays.ts';
import { encodeArrays } from '../../src/data/encode-arrays.ts';
import { viewsOf } from '../../src/data/store.ts';
import { runArrayTaskFast } from '../../src/kernels/array-tasks.ts';
import { generator } from '../support/problems.ts';

/** Law: encoding arrays in SIMD, in pieces, gives the bits of plain TypeScript. */
const shape = fc.record({
  rows: fc.integer({ min: 1, max: 200 }),
  columns: fc.integer({ min: 0, max: 9 }),
  seed: fc.nat(1000),
  source: fc.constantFrom('f32', 'f64'),
  dtype: fc.constantFrom('f32' as const, 'f64' as const),
  standardize: fc.boolean(),
  weighted: fc.boolean(),
  workers: fc.integer({ min: 1, max: 3 }),
  byColumns: fc.boolean(),
});

function sourceOf(rows: number, columns: number, seed: number, single: boolean, weighted: boolean): ArraySource {
  const random = generator(seed + 1);
  const values = Float64Array.from({ length: rows * columns }, (_, i) => (i % Math.max(1, columns) === 4 ? 7 : random() * 10 - 3));
  const base = { x: single ? Float32Array.from(values) : values, rows, columns, y: Float64Array.from({ length: rows }, random) };
  if (!weighted) return base;
  return {
    ...base,
    weight: Float64Array.from({ length: rows }, (_, i) => (i === 0 ? 1 : i % 3)),
    offset: Float64Array.from({ length: rows }, random),
  };
}

/** The same values, column after column. */
function transposed(source: ArraySource): ArraySource {
  const { x, rows, columns } = source;
  const values = x.map((_, i) => x[(i % rows) * columns + Math.floor(i / rows)] as number);
  return { ...source, x: values, layout: 'columns' };
}

const bytes = (array: ArrayBufferView): Buffer => Buffer.from(array.buffer, array.byteOffset, array.byteLength);

test('all chunks, padding included, and the encoder', async () => {
  await fc.assert(
    fc.asyncProperty(shape, async ({ rows, columns, seed, source, dtype, standardize, weighted, workers, byColumns }) => {
      const given = sourceOf(rows, columns, seed, source === 'f32', weighted);
      const options = { dtype, seed, standardize, chunkRows: 16, validationFraction: rows < 20 ? 0 : 0.2 };
      const plain = await encodeArrays(given, options);
      const other = byColumns ? transposed(given) : given;
      expect((await encodeArrays(other, options)).encoder).toEqual(plain.encoder);
      const fast = await encodeArrays(other, {
        ...options,
        workers: { count: workers, run: (tasks) => Promise.resolve(tasks.map(runArrayTaskFast)) },
      });
      expect(fast.encoder).toEqual(plain.encoder);
      for (const set of ['training', 'validation'] as const)
        for (let chunk = 0; chunk < plain.store[set].layout.chunks; chunk += 1) {
          const [a, b] = [plain, fast].map(({ store }) => viewsOf(store, store[set], chunk)) as [
            ReturnType<typeof viewsOf>,
            ReturnType<typeof viewsOf>,
          ];
          for (const part of ['x', 'y', 'v'] as const) expect(bytes(b[part]).equals(bytes(a[part]))).toBe(true);
          if (a.offset !== undefined) expect(bytes(b.offset as Float64Array).equals(bytes(a.offset))).toBe(true);
        }
    }),
    { numRuns: 80 },
  );
});

test.each([3, 4, 9])('a value that is not finite is named alike among %i columns', async (columns) => {
  for (const single of [true, false])
    for (const dtype of ['f32', 'f64'] as const)
      for (const column of [0, columns - 1]) {
        const values = Float64Array.from({ length: 20 * columns }, (_, i) => i);
        values[10 * columns + column] = Number.NaN;
        const given = { x: single ? Float32Array.from(values) : values, rows: 20, columns, y: new Float64Array(20) };
        for (const run of [runArrayTask, runArrayTaskFast]) {
          const workers = { count: 1, run: async (tasks: readonly ArrayTask[]) => tasks.map(run) };
          const attempt = encodeArrays(given, { dtype, standardize: false, validationFraction: 0, workers });
          await expect(attempt).rejects.toThrow(`data row 11, column "x${column}"`);
        }
      }
});
