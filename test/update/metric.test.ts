import { describe, expect, it } from 'vitest';
import type { MetricRules } from '../../src/update/metric.ts';
import { applyInverse, chosenColumns, diagonalMetric, gapOf, metricFrom } from '../../src/update/metric.ts';
import { MetricKeeper, NO_METRIC } from '../../src/update/metric-keeper.ts';
import { curvatureOf } from '../../src/update/objective.ts';
import type { GramSums, Vector } from '../../src/update/pass.ts';
import { isEven, sampleAt, tiltOf } from '../../src/update/sampling.ts';
import { DenseEvaluator } from './dense-evaluator.ts';
import { generator, randomProblem } from './random-problems.ts';

function gramOf(evaluator: DenseEvaluator, at: Vector, columns?: Uint32Array): GramSums {
  const { problem } = evaluator;
  const sample = sampleAt(problem.layout, 1e9);
  const tilt = new Float64Array(problem.layout.columns).fill(1);
  return evaluator.evaluate({ kind: 'gram', at, sample, tilt, ...(columns === undefined ? {} : { columns }) }).sums as GramSums;
}

function table(rows: number, columns: number, value: (i: number, j: number) => number): Float64Array {
  return Float64Array.from({ length: rows * columns }, (_, at) => value(Math.floor(at / columns), at % columns));
}

function smooth(options: { loss: 'squared' | 'logistic'; intercept: boolean; l2?: number }): DenseEvaluator {
  const random = generator(3);
  const x = table(60, 5, () => random() - 0.3);
  const y = Float64Array.from({ length: 60 }, (_, i) => i % 2);
  return new DenseEvaluator({ rows: 60, columns: 5, x, y }, { l2: 0.1, ...options });
}

describe('metric', () => {
  it.each([
    { loss: 'squared', intercept: true },
    { loss: 'squared', intercept: false },
    { loss: 'logistic', intercept: true },
    { loss: 'logistic', intercept: false },
  ] as const)('is the Hessian where the sample is all rows and λ is l2: %o', (options) => {
    const evaluator = smooth(options);
    const { problem } = evaluator;
    const at: Vector = { weights: Float64Array.of(1, -1, 0.5, 0, 2), intercept: options.intercept ? -0.2 : 0 };
    const metric = metricFrom(problem, undefined, gramOf(evaluator, at));
    const p: Vector = { weights: Float64Array.of(0.1, 0.2, -0.7, 1, -1), intercept: options.intercept ? 0.4 : 0 };
    const sums = evaluator.evaluate({ kind: 'curvature', at, direction: p });
    if (metric === undefined || sums.kind !== 'curvature') throw new Error('no metric');
    const { product, quadratic } = curvatureOf(problem, p, sums.sums);
    const back = applyInverse(problem, metric, product);
    back.weights.forEach((value, j) => {
      expect(value).toBeCloseTo(p.weights[j], 12);
    });
    expect(back.intercept).toBeCloseTo(p.intercept, 12);
    expect(gapOf(problem, metric, product)).toBeCloseTo(quadratic / 2, 12);
  });

  it('takes the diagonal of the whole set where the sample shows no variation', () => {
    const x = table(8, 2, (i, j) => (j === 0 ? i - 3.5 : 1));
    const evaluator = new DenseEvaluator(
      { rows: 8, columns: 2, x, y: Float64Array.of(1, 2, 3, 4, 5, 6, 7, 9) },
      { loss: 'squared', l2: 0.5 },
    );
    const problem = { ...evaluator.problem, indicators: Uint8Array.of(0, 1), columnMeans: Float64Array.of(0, 0.75) };
    const metric = metricFrom(problem, undefined, gramOf(evaluator, problem.start));
    if (metric === undefined) throw new Error('no metric');
    expect(Array.from(metric.factor.values)).toEqual([Math.sqrt(5.25 + 0.5), 0, Math.sqrt(0.75 * 0.25 + 0.5)]);
  });

  it('regularises by 1 where there is nothing at all', () => {
    const evaluator = new DenseEvaluator(
      { rows: 2, columns: 1, x: Float64Array.of(0, 0), y: Float64Array.of(0, 1) },
      { loss: 'squared', l2: 0 },
    );
    expect(metricFrom(evaluator.problem, undefined, gramOf(evaluator, evaluator.problem.start))?.factor.values).toEqual(Float64Array.of(1));
  });

  it('is refused where there is no curvature or a number is not finite', () => {
    const { problem } = smooth({ loss: 'squared', intercept: true });
    const lower = new Float64Array(15).fill(1);
    const columns = new Float64Array(5);
    expect(metricFrom(problem, undefined, { weight: 10, c: 0, columns, lower })).toBeUndefined();
    expect(metricFrom(problem, undefined, { weight: 0, c: 0, columns, lower })).toBeUndefined();
    expect(metricFrom(problem, undefined, { weight: 1, c: 1, columns, lower: lower.with(7, Infinity) })).toBeUndefined();
    expect(metricFrom(problem, undefined, { weight: 1, c: 1, columns: columns.with(1, NaN), lower })).toBeUndefined();
  });

  it('chooses the columns of largest variance, ties by lower index, and the diagonal for the others', () => {
    const evaluator = smooth({ loss: 'squared', intercept: true });
    const problem = {
      ...evaluator.problem,
      columnVariances: Float64Array.of(1, 3, 2, 3, 2),
      columnMeans: Float64Array.of(0, 0.5, 0, 0, 0),
      indicators: Uint8Array.of(0, 1, 0, 0, 0),
    };
    const rules: MetricRules = { maxFullColumns: 4, chosenColumns: 2 };
    expect(chosenColumns(problem)).toBeUndefined();
    expect(chosenColumns(problem, rules)).toEqual(Uint32Array.of(2, 3));
    const columns = Uint32Array.of(2, 3);
    const metric = metricFrom(problem, columns, gramOf(evaluator, problem.start, columns));
    if (metric === undefined) throw new Error('no metric');
    expect(metric.factor.size).toBe(2);
    expect(Array.from(metric.diagonal)).toEqual([1 + 0.1, 0.25 + 0.1, 0, 0, 2 + 0.1]);
    const u = applyInverse(problem, metric, { weights: Float64Array.of(1.1, 0, 0, 0, 0), intercept: 0 });
    expect(u.weights[0]).toBe(1);
  });

  it('has a diagonal to stand in', () => {
    const { problem } = smooth({ loss: 'logistic', intercept: true });
    const metric = diagonalMetric({ ...problem, columnVariances: new Float64Array(5).fill(4) });
    expect(metric.curvature).toBe(0.25);
    expect(Array.from(metric.diagonal)).toEqual([1.1, 1.1, 1.1, 1.1, 1.1]);
  });
});

describe('sampling', () => {
  it('takes 20 rows a column and 1,024 more, and grows with the outer iteration', () => {
    const { layout } = smooth({ loss: 'squared', intercept: true }).problem;
    const big = { ...layout, rows: 1e6, columns: 10 };
    expect(sampleAt(big, 1).count).toBe(Math.ceil(1224 / 8));
    expect(sampleAt(big, 4).count).toBe(153);
    expect(sampleAt(big, 8).count).toBe(306);
    expect(sampleAt({ ...big, columns: 5000, dtype: 'f32' }, 2).count).toBe(Math.ceil((20 * 1024 + 1024) / 16));
    expect(sampleAt(layout, 1).count).toBe(8);
    expect(sampleAt({ ...layout, rows: 0 }, 1).count).toBe(0);
  });

  it('tilts indicators to their share of all rows, within 16 times', () => {
    const { problem } = smooth({ loss: 'squared', intercept: true });
    const shares = { ...problem, indicators: Uint8Array.of(1, 1, 1, 0, 1), columnMeans: Float64Array.of(0.5, 0.9, 0.001, 0.5, 0.1) };
    const totals = { v: 10, vy: 0, vOffset: 0, columns: Float64Array.of(2.5, 0.1, 10, 1, 0) };
    expect(Array.from(tiltOf(shares, totals))).toEqual([2, 16, 1 / 16, 1, 1]);
    expect(Array.from(tiltOf(shares, undefined))).toEqual([1, 1, 1, 1, 1]);
  });
});

describe('metric keeper', () => {
  const random = randomProblem(2, 'logistic');
  const evaluator = new DenseEvaluator(random, { loss: 'logistic', l2: 0.01, indicators: random.indicators });
  const { problem } = evaluator;

  it('asks for totals only where rows are left out and indicators are there', () => {
    expect(isEven({ ...problem, indicators: new Uint8Array(problem.layout.columns).fill(1, 0, 1) }, { count: 1 })).toBe(false);
    expect(isEven(problem, sampleAt(problem.layout, 1e9))).toBe(true);
    expect(isEven({ ...problem, indicators: new Uint8Array(problem.layout.columns) }, { count: 1 })).toBe(true);
  });

  it('builds a lost factor again from the record alone, to the bit', () => {
    const keeper = new MetricKeeper();
    let state = keeper.request(problem, NO_METRIC, problem.start, 1);
    const kinds: string[] = [];
    for (let pass = keeper.pass(problem, state); pass !== undefined; pass = keeper.pass(problem, state)) {
      kinds.push(pass.kind);
      state = keeper.absorb(problem, state, evaluator.evaluate(pass));
    }
    expect(kinds).toEqual(isEven(problem, sampleAt(problem.layout, 1)) ? ['gram'] : ['totals', 'gram']);
    const other = new MetricKeeper();
    const copy = structuredClone(state);
    const pass = other.pass(problem, copy);
    if (pass?.kind !== 'gram') throw new Error('asks for another pass');
    expect(other.absorb(problem, copy, evaluator.evaluate(pass))).toBe(copy);
    expect(other.metric(problem, copy)).toEqual(keeper.metric(problem, state));
  });

  it('keeps the previous metric where the new one is not usable, and begins with the diagonal', () => {
    const keeper = new MetricKeeper();
    const { columns } = problem.layout;
    const useless = {
      kind: 'gram',
      sums: { weight: 1, c: 0, columns: new Float64Array(columns), lower: new Float64Array((columns * (columns + 1)) / 2) },
    } as const;
    const even = { ...problem, indicators: new Uint8Array(columns) };
    let state = keeper.absorb(even, keeper.request(even, NO_METRIC, even.start, 1), useless);
    expect(keeper.metric(even, state)).toEqual(diagonalMetric(even));
    const pass = keeper.pass(even, keeper.request(even, state, even.start, 1));
    if (pass === undefined) throw new Error('asks for nothing');
    state = keeper.absorb(even, keeper.request(even, state, even.start, 1), evaluator.evaluate(pass));
    const good = keeper.metric(even, state);
    expect(good.factor.size).toBe(columns);
    const after = keeper.absorb(even, keeper.request(even, state, even.start, 4), useless);
    expect(keeper.metric(even, after)).toBe(good);
    expect(after.kept).toBe(1);
  });
});
