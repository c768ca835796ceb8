import { describe, expect, test } from 'vitest';
import { panelsOf } from '../../../src/partition/layout.ts';
import { choosePrecondition, preconditionerOf } from '../../../src/update/batch/precondition.ts';
import type { Problem } from '../../../src/update/optimizer.ts';
import type { GramSums } from '../../../src/update/pass.ts';
import { DenseEvaluator } from '../dense-evaluator.ts';
import { randomProblem } from '../random-problems.ts';

/** A problem, the Gram matrix of all its rows, and its Hessian: the intercept last. */
function caseOf(seed: number, loss: 'squared' | 'logistic'): { problem: Problem; gram: GramSums; hessian: number[][] } {
  const random = randomProblem(seed, loss, 0.5);
  const evaluator = new DenseEvaluator(random, { loss, dtype: 'f64', l2: 1e-3, indicators: random.indicators });
  const { problem } = evaluator;
  const tilt = new Float64Array(random.columns).fill(1);
  const { sums } = evaluator.evaluate({ kind: 'gram', at: problem.nullModel, sample: { count: panelsOf(problem.layout) }, tilt });
  const gram = sums as GramSums;
  const n = random.columns;
  const hessian = Array.from({ length: n + 1 }, (_, a) =>
    Array.from({ length: n + 1 }, (__, b) => {
      const [i, j] = [Math.max(a, b), Math.min(a, b)];
      if (i === n) return (j === n ? gram.c : gram.columns[j]) / gram.weight;
      return gram.lower[(i * (i + 1)) / 2 + j] / gram.weight + (i === j ? problem.l2 : 0);
    }),
  );
  return { problem, gram, hessian };
}

/** Eigenvalues of M⁻¹H are between these: the largest by power iteration, and their sum. */
function spectrum(apply: (g: Float64Array) => void, hessian: readonly (readonly number[])[]): { largest: number; trace: number } {
  const size = hessian.length;
  const times = (x: Float64Array): Float64Array => {
    const y = Float64Array.from(hessian, (row) => row.reduce((sum, h, j) => sum + h * x[j], 0));
    apply(y);
    return y;
  };
  let trace = 0;
  for (let j = 0; j < size; j += 1) trace += times(Float64Array.from({ length: size }, (_, i) => Number(i === j)))[j];
  let x: Float64Array<ArrayBufferLike> = new Float64Array(size).fill(1);
  let largest = 0;
  for (let i = 0; i < 300; i += 1) {
    x = times(x);
    largest = Math.max(...x.map(Math.abs));
    x = x.map((value) => value / largest);
  }
  return { largest, trace };
}

describe.each(['squared', 'logistic'] as const)('%s', (loss) => {
  test('sample: in place for all columns, and for a list of all of them, with the same bits', () => {
    const { problem, gram } = caseOf(3, loss);
    const { columns } = problem.layout;
    const g = Float64Array.from({ length: columns + 1 }, (_, j) => ((j * 7) % 11) - 4.5);
    const [all, listed] = [undefined, Uint32Array.from({ length: columns }, (_, j) => j)].map((chosen) => {
      const u = g.slice();
      preconditionerOf('sample', problem, gram, chosen, 8).apply(u);
      return Buffer.from(u.buffer).toString('hex');
    });
    expect(all).toBe(listed);
    expect(all).not.toBe(Buffer.from(g.buffer).toString('hex'));
  });

  test.each(['none', 'diagonal', 'sample'] as const)(
    '%s: its rate is 0.5 / (λmax + trace / batch) of the preconditioned Hessian',
    (kind) => {
      for (const seed of [2, 5])
        for (const rows of [1, 8, 256]) {
          const { problem, gram, hessian } = caseOf(seed, loss);
          const preconditioner = preconditionerOf(kind, problem, gram, undefined, rows);
          const { largest, trace } = spectrum(preconditioner.apply, hessian);
          const exact = 0.5 / (largest + trace / rows);
          // The trace of M⁻¹H is not computed but bounded: never a larger rate, nor one that is far too small.
          expect(preconditioner.rate).toBeLessThan(1.15 * exact);
          expect(preconditioner.rate).toBeGreaterThan(0.3 * exact);
        }
    },
  );

  test('sample: nearly the inverse of the Hessian where batches are large', () => {
    const { problem, gram, hessian } = caseOf(2, loss);
    const { apply } = preconditionerOf('sample', problem, gram, undefined, 1e9);
    const { largest, trace } = spectrum(apply, hessian);
    expect(largest).toBeLessThan(1.0001);
    expect(trace).toBeGreaterThan(0.5 * hessian.length);
  });
});

test('without a usable sample, and without an intercept', () => {
  const { problem, gram } = caseOf(2, 'squared');
  for (const kind of ['none', 'diagonal', 'sample'] as const)
    for (const sums of [undefined, gram, { ...gram, c: 0 }]) {
      const { apply, rate } = preconditionerOf(kind, { ...problem, intercept: false }, sums, undefined, 16);
      const g = new Float64Array(problem.layout.columns + 1).fill(1);
      g[g.length - 1] = 0;
      apply(g);
      expect(rate).toBeGreaterThan(0);
      expect([...g].every(Number.isFinite)).toBe(true);
      expect(g[g.length - 1]).toBe(0);
    }
});

test('auto: the whole matrix where a solve is cheap, its diagonal where it is not, nothing for rules that divide themselves', () => {
  const { problem } = caseOf(2, 'squared');
  const columns = (count: number): Problem => ({ ...problem, layout: { ...problem.layout, columns: count } });
  expect(choosePrecondition(columns(100), 1, false)).toBe('sample');
  expect(choosePrecondition(columns(300), 16, false)).toBe('diagonal');
  expect(choosePrecondition(columns(300), 256, false)).toBe('sample');
  expect(choosePrecondition(columns(5000), 1e6, false)).toBe('diagonal');
  expect(choosePrecondition(columns(100), 256, true)).toBe('none');
});
