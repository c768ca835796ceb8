import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { columnOfBlock, type Layout, layoutOf } from '../../src/partition/layout.ts';
import { TreeSum } from '../../src/partition/tree.ts';
import type { Vector } from '../../src/update/pass.ts';
import {
  axpy,
  divideAndPenalise,
  dot,
  dotWeights,
  isFiniteVector,
  norm,
  sameVector,
  scale,
  subtract,
  zeroVector,
} from '../../src/update/vectors.ts';

const number = fc.double({ min: -1e6, max: 1e6, noNaN: true });
const pair = fc.integer({ min: 0, max: 70 }).chain((columns) =>
  fc.record({
    x: fc.array(number, { minLength: columns, maxLength: columns }),
    y: fc.array(number, { minLength: columns, maxLength: columns }),
    blockColumns: fc.integer({ min: 1, max: 20 }),
  }),
);
const layout = (columns: number, blockColumns?: number): Layout => layoutOf({ dtype: 'f64', rows: 1, columns, blockColumns });

/** The contract word for word, with the tree of partition/. */
function slowDot(shape: Layout, x: Float64Array, y: Float64Array): number {
  const tree = new TreeSum<number>(shape.blocks, (left, right) => left + right);
  for (let block = 0; block < shape.blocks; block += 1) {
    const lanes = [0, 0, 0, 0];
    const begin = columnOfBlock(shape, block);
    for (let j = begin; j < columnOfBlock(shape, block + 1); j += 1) lanes[(j - begin) % 4] += x[j] * y[j];
    tree.push({ level: 0, index: block }, lanes[0] + lanes[1] + (lanes[2] + lanes[3]));
  }
  return tree.finish() as number;
}

describe('vectors', () => {
  it('adds a dot in the order of blocks, lanes and tree', () => {
    fc.assert(
      fc.property(pair, ({ x, y, blockColumns }) => {
        const shape = layout(x.length, blockColumns);
        expect(dotWeights(shape, Float64Array.from(x), Float64Array.from(y))).toBe(
          slowDot(shape, Float64Array.from(x), Float64Array.from(y)),
        );
      }),
    );
  });

  it('adds the intercept last', () => {
    const x: Vector = { weights: Float64Array.of(3, 4), intercept: 12 };
    expect(dot(layout(2), x, x)).toBe(169);
    expect(norm(layout(2), x)).toBe(13);
    expect(dot(layout(0), { weights: new Float64Array(0), intercept: 2 }, { weights: new Float64Array(0), intercept: 3 })).toBe(6);
  });

  it('combines element by element and leaves its arguments alone', () => {
    const x: Vector = { weights: Float64Array.of(1, 2), intercept: 3 };
    const y: Vector = { weights: Float64Array.of(10, 20), intercept: 30 };
    expect(axpy(2, x, y)).toEqual({ weights: Float64Array.of(12, 24), intercept: 36 });
    expect(subtract(y, x)).toEqual({ weights: Float64Array.of(9, 18), intercept: 27 });
    expect(scale(-1, x)).toEqual({ weights: Float64Array.of(-1, -2), intercept: -3 });
    expect(divideAndPenalise(y, 10, 0.5, x)).toEqual({ weights: Float64Array.of(1.5, 3), intercept: 3 });
    expect(x).toEqual({ weights: Float64Array.of(1, 2), intercept: 3 });
    expect(zeroVector(2)).toEqual({ weights: new Float64Array(2), intercept: 0 });
  });

  it('compares, and finds what is not finite', () => {
    const x: Vector = { weights: Float64Array.of(1, 2), intercept: 3 };
    expect(sameVector(x, structuredClone(x))).toBe(true);
    expect(sameVector(x, { ...x, intercept: 4 })).toBe(false);
    expect(sameVector(x, { weights: Float64Array.of(1, 3), intercept: 3 })).toBe(false);
    expect(sameVector(x, { weights: Float64Array.of(1), intercept: 3 })).toBe(false);
    expect(isFiniteVector(x)).toBe(true);
    expect(isFiniteVector({ weights: Float64Array.of(NaN), intercept: 0 })).toBe(false);
    expect(isFiniteVector({ weights: Float64Array.of(0), intercept: Infinity })).toBe(false);
  });
});
