import fc from 'fast-check';
import { expect, test } from 'vitest';
import { geometryOf } from '../../src/communicate/geometry.ts';
import { Reducer, sourcesFor } from '../../src/communicate/reduce.ts';
import { scheduleOf } from '../../src/communicate/schedule.ts';
import { adder as adderOf } from '../../src/kernels/adder.ts';
import { type Case, evenBorders, newElements, partsOf, totalOf } from './trees.ts';

/** Long enough for SIMD, around the size of a slot, and of several. */
const lengths = (width: 4 | 8): fc.Arbitrary<number> => {
  const slot = adderOf().slotBytes / width;
  return fc.oneof(fc.integer({ min: 1, max: 600 }), fc.integer({ min: slot - 2, max: slot + 2 }), fc.constant(2 * slot + 77));
};

const cases = fc
  .constantFrom<4 | 8>(4, 8)
  .chain((width) =>
    fc.record({
      width: fc.constant(width),
      length: lengths(width),
      leaves: fc.integer({ min: 1, max: 9 }),
      rows: fc.integer({ min: 1, max: 4 }),
      columns: fc.integer({ min: 1, max: 2 }),
      missing: fc.uniqueArray(fc.integer({ min: 0, max: 8 }), { maxLength: 9 }),
      seed: fc.integer(),
    }),
  )
  .map(({ rows, columns, missing, ...rest }): Case => {
    const leafBorders = evenBorders(rest.leaves, rows);
    return { ...rest, leafBorders, elementBorders: evenBorders(rest.length, columns), missing: new Set(missing) };
  });

function sumBy(reducer: Reducer, c: Case, begin: number, end: number): Buffer {
  const parts = partsOf(c);
  const geometries = parts.map((own) => geometryOf(c, c.width, own));
  const schedule = scheduleOf(geometries, begin, end);
  const sources = sourcesFor(schedule);
  for (const [i, part] of parts.flat().entries()) {
    sources.arrays[i] = part.values;
    sources.offsets[i] = -part.begin;
  }
  const out = newElements(c.width, c.length + 1).fill(7);
  reducer.reduce(schedule, sources, begin, end, out, 1);
  return Buffer.from(out.buffer);
}

test('sums by SIMD have the bits of the definition and of the plain loops, in any range, with nodes missing', () => {
  const [simd, plain] = [new Reducer(adderOf()), new Reducer()];
  fc.assert(
    fc.property(cases, fc.nat(), fc.nat(), (c, i, j) => {
      const [begin, end] = [Math.min(i, j) % (c.length + 1), c.length];
      const sum = sumBy(simd, c, begin, end);
      expect(sum.equals(sumBy(plain, c, begin, end))).toBe(true);
      const expected = newElements(c.width, c.length + 1).fill(7);
      expected.set(totalOf(c).subarray(begin, end), 1 + begin);
      expect(sum.equals(Buffer.from(expected.buffer))).toBe(true);
    }),
    { numRuns: 150 },
  );
});

test.each([4, 8] as const)('an adder: slots of %i bytes a number, all lengths, numbers that are not finite', (width) => {
  const adder = adderOf();
  adder.reserve(3);
  const numbers = [0, -0, 1e-320, 1e38, -1e38, 3e38, Infinity, -Infinity, Number.NaN, 0.1];
  const all = width === 4 ? new Float32Array(adder.buffer) : new Float64Array(adder.buffer);
  const slot = adderOf().slotBytes / width;
  for (const count of [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 33, slot]) {
    const [a, b] = [newElements(width, slot), newElements(width, slot)].map((values, k) =>
      values.map((_, i) => numbers[(i * (3 * k + 1)) % numbers.length]),
    );
    all.set(a, slot);
    all.set(b, 2 * slot);
    adder.add(width, 1, 2, count);
    const expected = a.slice();
    for (let i = 0; i < count; i += 1) expected[i] = a[i] + b[i];
    expect(all.slice(slot, 2 * slot)).toEqual(expected);
  }
  // More slots are a new memory with what was in the old one.
  const before = all.slice(slot, 2 * slot);
  adder.reserve(40);
  expect((width === 4 ? new Float32Array(adder.buffer) : new Float64Array(adder.buffer)).slice(slot, 2 * slot)).toEqual(before);
});
