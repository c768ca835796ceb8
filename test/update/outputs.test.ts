import fc from 'fast-check';
import { expect, test } from 'vitest';
import { layoutOf } from '../../src/partition/layout.ts';
import {
  axpy,
  centred,
  copyOf,
  dot,
  dotWeights,
  isFiniteVector,
  joined,
  outputOf,
  outputsOf,
  sameVector,
  scale,
  subtract,
  zeroLike,
} from '../../src/update/vectors.ts';

/** Vectors of several outputs: what is done to one output is done to each. */
const number = fc.double({ min: -1e3, max: 1e3, noNaN: true });
const outputs = fc
  .record({ columns: fc.integer({ min: 0, max: 9 }), count: fc.integer({ min: 2, max: 4 }) })
  .chain(({ columns, count }) =>
    fc.array(fc.record({ weights: fc.array(number, { minLength: columns, maxLength: columns }), intercept: number }), {
      minLength: 2 * count,
      maxLength: 2 * count,
    }),
  )
  .map((all) => all.map(({ weights, intercept }) => ({ weights: Float64Array.from(weights), intercept })));

test('outputs are those that were joined; copies, sums and multiples are output by output', () => {
  fc.assert(
    fc.property(outputs, number, (all, a) => {
      const count = all.length / 2;
      const [x, y] = [joined(all.slice(0, count)), joined(all.slice(count))];
      expect(outputsOf(x)).toBe(count);
      for (let c = 0; c < count; c += 1) {
        const [xs, ys] = [all[c], all[count + c]] as const;
        if (xs === undefined || ys === undefined) throw new Error('too few outputs');
        expect(outputOf(x, c)).toEqual(xs);
        expect(outputOf(copyOf(x), c)).toEqual(xs);
        expect(outputOf(axpy(a, x, y), c)).toEqual(axpy(a, xs, ys));
        expect(outputOf(scale(a, x), c)).toEqual(scale(a, xs));
        expect(outputOf(subtract(x, y), c)).toEqual(subtract(xs, ys));
        expect(outputOf(zeroLike(x), c)).toEqual(zeroLike(xs));
      }
      expect(sameVector(x, copyOf(x))).toBe(true);
      expect(isFiniteVector(x)).toBe(true);
      expect(isFiniteVector({ ...x, others: (x.others as Float64Array).map(() => Number.NaN) })).toBe(false);
      expect(sameVector(x, { ...x, others: (x.others as Float64Array).map((value) => value + 1) })).toBe(false);
    }),
  );
});

test('a dot adds the columns of every output, then the intercepts', () => {
  fc.assert(
    fc.property(outputs, (all) => {
      const count = all.length / 2;
      const columns = all[0]?.weights.length ?? 0;
      const layout = layoutOf({ dtype: 'f64', rows: 10, columns, blockColumns: 2 });
      let wanted = 0;
      for (let c = 0; c < count; c += 1)
        wanted += dotWeights(layout, all[c]?.weights as Float64Array, all[count + c]?.weights as Float64Array);
      for (let c = 0; c < count; c += 1) wanted += (all[c]?.intercept as number) * (all[count + c]?.intercept as number);
      expect(dot(layout, joined(all.slice(0, count)), joined(all.slice(count)))).toBe(wanted);
    }),
  );
});

test('centred vectors are 0 in the mean, and differ from what they were by the same in every output', () => {
  fc.assert(
    fc.property(outputs, (all) => {
      const x = joined(all);
      const result = centred(x);
      const numbers = (c: number): number[] => [...outputOf(result, c).weights, outputOf(result, c).intercept];
      for (const [j] of numbers(0).entries()) {
        const values = all.map((_, c) => numbers(c)[j] as number);
        expect(Math.abs(values.reduce((sum, value) => sum + value, 0))).toBeLessThan(1e-9);
        const shifts = all.map(({ weights, intercept }, c) => ([...weights, intercept][j] as number) - (values[c] as number));
        for (const shift of shifts) expect(shift).toBeCloseTo(shifts[0] as number, 9);
      }
      const one = { weights: Float64Array.of(1, 2), intercept: 3 };
      expect(centred(one)).toBe(one);
    }),
  );
});
