import { describe, expect, it } from 'vitest';
import { ConjugateGradient } from '../../src/update/conjugate-gradient.ts';
import { Lbfgs } from '../../src/update/lbfgs.ts';
import { DenseEvaluator, train } from './dense-evaluator.ts';
import { digits, exactLeastSquares, exactly, toNumber } from './exact.ts';
import { generator, standardised } from './random-problems.ts';

const LONGLEY_Y = [60323, 61122, 60171, 61187, 63221, 63639, 64989, 63761, 66019, 67857, 68169, 66513, 68655, 69564, 69331, 70551];
const LONGLEY_X = [
  [83, 88.5, 88.2, 89.5, 96.2, 98.1, 99, 100, 101.2, 104.6, 108.4, 110.8, 112.6, 114.2, 115.7, 116.9],
  [234289, 259426, 258054, 284599, 328975, 346999, 365385, 363112, 397469, 419180, 442769, 444546, 482704, 502601, 518173, 554894],
  [2356, 2325, 3682, 3351, 2099, 1932, 1870, 3578, 2904, 2822, 2936, 4681, 3813, 3931, 4806, 4007],
  [1590, 1456, 1616, 1650, 3099, 3594, 3547, 3350, 3048, 2857, 2798, 2637, 2552, 2514, 2572, 2827],
  [107608, 108632, 109773, 110929, 112075, 113270, 115094, 116219, 117388, 118734, 120445, 121950, 123366, 125368, 127852, 130081],
  Array.from({ length: 16 }, (_, i) => 1947 + i),
];
const WAMPLER_X = Array.from({ length: 5 }, (_, k) => Array.from({ length: 21 }, (_, i) => i ** (k + 1)));
const WAMPLER_1 = WAMPLER_X[0].map((x) => 1 + x + x ** 2 + x ** 3 + x ** 4 + x ** 5);
const WAMPLER_3 = [
  760, -2042, 2111, -1684, 3888, 1858, 11379, 17560, 39287, 64382, 113159, 175108, 273291, 400186, 581243, 811568, 1121004, 1506550,
  2002767, 2611612, 3369180,
];

/** The columns as training encodes them. */
function encoded(columns: number[][]): { rows: number; columns: number; x: Float64Array } {
  const scaled = columns.map((column) => standardised(Float64Array.from(column)));
  const rows = columns[0].length;
  return {
    rows,
    columns: columns.length,
    x: Float64Array.from({ length: rows * columns.length }, (_, at) => scaled[at % columns.length][Math.floor(at / columns.length)]),
  };
}

const OPTIONS = { tolerance: 0, learningRate: 'auto' } as const;

describe('exact solutions', () => {
  it('knows fractions', () => {
    for (const value of [0, 1, -0.1, 1e-30, 123456.789, -3e40]) expect(toNumber(exactly(value))).toBe(value);
    expect(Array.from(exactLeastSquares(3, 1, Float64Array.of(0, 1, 2), Float64Array.of(1, 3, 5)))).toEqual([2, 1]);
  });

  it.each([
    ['Longley', LONGLEY_X, LONGLEY_Y],
    ['Wampler 1', WAMPLER_X, WAMPLER_1],
    ['Wampler 3', WAMPLER_X, WAMPLER_3],
  ])('%s: 9 digits in f64 with tolerance 0', (_, columns, target) => {
    const table = encoded(columns);
    const y = Float64Array.from(target);
    const wanted = exactLeastSquares(table.rows, table.columns, table.x, y);
    const evaluator = new DenseEvaluator({ ...table, y }, { loss: 'squared', l2: 0 });
    const { outcome } = train(new ConjugateGradient(OPTIONS), evaluator);
    expect(outcome.reason).toBe('precision reached');
    expect(digits(Float64Array.of(...outcome.vector.weights, outcome.vector.intercept), wanted)).toBeGreaterThan(9);
  });

  it('random problems with a penalty: 9 digits by both methods', () => {
    const random = generator(11);
    for (const [rows, columns] of [
      [9, 3],
      [30, 6],
      [4, 5],
    ] as const) {
      const x = Float64Array.from({ length: rows * columns }, () => Math.fround(random() - 0.5));
      const y = Float64Array.from({ length: rows }, () => Math.fround(10 * random()));
      const wanted = exactLeastSquares(rows, columns, x, y, 0.125);
      for (const optimizer of [new ConjugateGradient(OPTIONS), new Lbfgs(OPTIONS)]) {
        const evaluator = new DenseEvaluator({ rows, columns, x, y }, { loss: 'squared', l2: 0.125 });
        const { outcome } = train(optimizer as ConjugateGradient, evaluator);
        expect(digits(Float64Array.of(...outcome.vector.weights, outcome.vector.intercept), wanted)).toBeGreaterThan(9);
      }
    }
  });
});
