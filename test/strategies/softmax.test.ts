import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createLoopbackCollectives } from '../../src/communicate/loopback/collectives.ts';
import { inline } from '../../src/engines/inline.ts';
import { kernelsFor } from '../../src/engines/kernels.ts';
import { ParagradError } from '../../src/errors.ts';
import type { PartitionKind } from '../../src/partition/plan.ts';
import { CellEvaluator } from '../../src/strategies/cell-evaluator.ts';
import type { TrainingJob, TrainingOutcome } from '../../src/strategies/job.ts';
import { loop } from '../../src/strategies/map-reduce.ts';
import { problemOf } from '../../src/strategies/problem.ts';
import { OF_BATCHES, OPTIMIZERS, SQUARED_ONLY } from '../../src/update/index.ts';
import { Lbfgs } from '../../src/update/lbfgs.ts';
import { chosenColumns } from '../../src/update/metric.ts';
import type { Vector } from '../../src/update/pass.ts';
import { outputOf, outputsOf } from '../../src/update/vectors.ts';
import { classesData, jobOf, randomData, storeOf, type TestData } from '../support/problems.ts';

/** Laws of softmax: the split changes no bit, gradients are slopes, two classes are a logistic model. */
const numbersOf = ({ weights, intercept, others }: Vector): number[] => [...weights, intercept, ...(others ?? [])];
const bits = ({ outcome, progress, validationLoss }: TrainingOutcome): string =>
  Buffer.from(new Float64Array([...numbersOf(outcome.vector), outcome.objective, progress.passes, validationLoss]).buffer).toString('hex');

const NAMES = [...Object.keys(OPTIMIZERS).filter((name) => ![...SQUARED_ONLY, ...OF_BATCHES].includes(name)), 'backtracking'];
const optimizerOf = (name: string): Pick<TrainingJob, 'optimizer' | 'optimizerOptions'> => ({
  optimizer: name === 'backtracking' ? 'gradient-descent' : name,
  optimizerOptions: { tolerance: 1e-6, learningRate: 'auto', lineSearch: name === 'backtracking' ? 'backtracking' : 'none' },
});
const KINDS: readonly PartitionKind[] = ['rows', 'columns', 'grid'];
const CLASSES = 4;

describe.each(['f32', 'f64'] as const)('%s', (dtype) => {
  const validation = classesData(8, 50, 9, CLASSES);
  const store = storeOf(classesData(7, 181, 9, CLASSES), { dtype, chunkRows: 16, blockColumns: 1, validation });

  test.each(NAMES)('%s: rows and columns × 2 and 7 ranks, a grid of 4, and the reference kernels', async (name) => {
    const options: Partial<TrainingJob> = { model: 'softmax', classes: CLASSES, ...optimizerOf(name), maxPasses: 9 };
    expect(store.training.layout.chunks).toBeGreaterThanOrEqual(8);
    const base = await inline.open(1).train(jobOf(store, options), {});
    expect(base.outcome.objective).toBeLessThan(base.nullLoss);
    // A grid of a prime number of ranks is the split by rows.
    for (const [kind, workers] of [
      ['rows', 2],
      ['rows', 7],
      ['columns', 2],
      ['columns', 7],
      ['grid', 4],
    ] as const) {
      const job = jobOf(store, { ...options, kind, workers });
      for (const share of job.partition.shares) {
        expect(share.chunkEnd).toBeGreaterThan(share.chunkBegin);
        expect(share.blockEnd).toBeGreaterThan(share.blockBegin);
      }
      expect(bits(await inline.open(1).train(job, {})), `${kind} ${workers}`).toBe(bits(base));
    }
    expect(bits(await inline.open(1).train(jobOf(store, { ...options, kernels: 'reference' }), {}))).toBe(bits(base));
  });
});

test('random shapes: 1 row, no columns, 2 to 5 classes, weights, more ranks than chunks', async () => {
  const shape = fc.record({
    rows: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 90 })),
    columns: fc.oneof(fc.constant(0), fc.constant(1), fc.integer({ min: 0, max: 9 })),
    classes: fc.integer({ min: 2, max: 5 }),
    dtype: fc.constantFrom('f32' as const, 'f64' as const),
    kind: fc.constantFrom(...KINDS),
    workers: fc.integer({ min: 1, max: 7 }),
    weighted: fc.boolean(),
    intercept: fc.boolean(),
    seed: fc.nat(1000),
  });
  await fc.assert(
    fc.asyncProperty(shape, async ({ rows, columns, classes, dtype, kind, workers, weighted, intercept, seed }) => {
      const plain = classesData(seed, rows, columns, classes);
      const store = storeOf(weighted ? { ...plain, v: (row) => (row === 0 ? 1 : row % 3) } : plain, {
        dtype,
        chunkRows: 16,
        blockColumns: 2,
      });
      fc.pre(kind !== 'columns' || workers <= store.training.layout.blocks);
      const options: Partial<TrainingJob> = { model: 'softmax', classes, intercept, maxPasses: 25 };
      const base = await inline.open(1).train(jobOf(store, options), {});
      expect(bits(await inline.open(1).train(jobOf(store, { ...options, kind, workers }), {}))).toBe(bits(base));
      expect(bits(await inline.open(1).train(jobOf(store, { ...options, kernels: 'reference' }), {}))).toBe(bits(base));
      const { vector } = base.outcome;
      if (!intercept) expect([vector.intercept, ...(vector.others ?? [])]).toEqual(new Array(classes).fill(0));
    }),
    { numRuns: 25 },
  );
});

/** Σ v·loss / V + penalty, by plain loops. */
function objective(data: TestData, vector: Vector, l2: number): number {
  const outputs = Array.from({ length: outputsOf(vector) }, (_, c) => outputOf(vector, c));
  let loss = 0;
  for (let row = 0; row < data.rows; row += 1) {
    const z = outputs.map(({ weights, intercept }) => weights.reduce((sum, w, j) => sum + w * data.x(row, j), intercept));
    const m = Math.max(...z);
    loss += m + Math.log(z.reduce((sum, value) => sum + Math.exp(value - m), 0)) - (z[data.y(row)] as number);
  }
  return loss / data.rows + (l2 / 2) * vector.weights.reduce((sum, w) => sum + w * w, 0);
}

test('the optimum: the objective of plain loops, slopes of 0 in every direction, weights that are 0 in the mean', async () => {
  const data = classesData(3, 90, 4, 3);
  const l2 = 0.02;
  const store = storeOf(data, { dtype: 'f64', chunkRows: 16 });
  const options = { model: 'softmax', classes: 3, l2, optimizerOptions: { tolerance: 0, learningRate: 'auto' } } as const;
  const { outcome, nullLoss } = await inline.open(1).train(jobOf(store, options), {});
  const { vector } = outcome;
  expect(objective(data, vector, l2)).toBeCloseTo(outcome.objective, 12);
  const zero = { weights: new Float64Array(12), intercept: 0, others: new Float64Array(2) };
  const counts = [0, 1, 2].map((c) => Array.from({ length: data.rows }, (_, row) => data.y(row)).filter((y) => y === c).length / data.rows);
  const atNull = { ...zero, intercept: Math.log(counts[0] as number), others: Float64Array.from(counts.slice(1), Math.log) };
  expect(nullLoss).toBeCloseTo(objective(data, atNull, l2), 12);
  const numbers = numbersOf(vector);
  const at = (k: number, step: number): Vector => {
    const moved = numbers.with(k, (numbers[k] as number) + step);
    return { weights: Float64Array.from(moved.slice(0, 12)), intercept: moved[12] as number, others: Float64Array.from(moved.slice(13)) };
  };
  for (let k = 0; k < numbers.length; k += 1)
    expect((objective(data, at(k, 1e-5), l2) - objective(data, at(k, -1e-5), l2)) / 2e-5).toBeCloseTo(0, 8);
  for (let j = 0; j < 4; j += 1)
    expect(Math.abs((vector.weights[j] as number) + (vector.weights[4 + j] as number) + (vector.weights[8 + j] as number))).toBeLessThan(
      1e-12,
    );
  expect(Math.abs(vector.intercept + (vector.others?.[0] as number) + (vector.others?.[1] as number))).toBeLessThan(1e-12);
});

test('two classes: half of the logistic model with half of its penalty, once up and once down', async () => {
  const data = randomData(5, 120, 5, true);
  const store = storeOf(data, { dtype: 'f64', chunkRows: 16 });
  const optimizerOptions = { tolerance: 0, learningRate: 'auto' } as const;
  const logistic = await inline.open(1).train(jobOf(store, { model: 'logistic', l2: 0.01, optimizerOptions }), {});
  // ‖w‖² of both is half of the ‖2w‖² of one.
  const softmax = await inline.open(1).train(jobOf(store, { model: 'softmax', classes: 2, l2: 0.02, optimizerOptions }), {});
  const [negative, positive] = [outputOf(softmax.outcome.vector, 0), outputOf(softmax.outcome.vector, 1)];
  for (const [j, w] of logistic.outcome.vector.weights.entries()) {
    expect(positive.weights[j]).toBeCloseTo(w / 2, 8);
    expect(negative.weights[j]).toBeCloseTo(-w / 2, 8);
  }
  expect(positive.intercept).toBeCloseTo(logistic.outcome.vector.intercept / 2, 8);
  expect(softmax.outcome.objective).toBeCloseTo(logistic.outcome.objective, 12);
});

test('to 1e-6 within it, and in few passes, also where classes are rare', async () => {
  const data = classesData(11, 4000, 12, 6);
  const rare: TestData = { ...data, y: (row) => (data.y(row) === 5 && row % 8 > 0 ? 0 : data.y(row)) };
  for (const each of [data, rare]) {
    const store = storeOf(each, { dtype: 'f64' });
    const tolerance = (value: number): Partial<TrainingJob> => ({
      model: 'softmax',
      classes: 6,
      optimizerOptions: { tolerance: value, learningRate: 'auto' },
    });
    const exact = await inline.open(1).train(jobOf(store, tolerance(0)), {});
    const usual = await inline.open(1).train(jobOf(store, tolerance(1e-6)), {});
    expect(usual.reason).toBe('converged');
    expect(usual.outcome.objective - exact.outcome.objective).toBeLessThanOrEqual(1e-6 * (exact.nullLoss - exact.outcome.objective));
    expect(usual.progress.passes).toBeLessThanOrEqual(14);
  }
});

test('where the metric is not in full for all columns: the same optimum', async () => {
  const store = storeOf(classesData(12, 300, 10, 4), { dtype: 'f64', chunkRows: 64 });
  const job = jobOf(store, { model: 'softmax', classes: 4 });
  const [world, row] = [...createLoopbackCollectives(1), ...createLoopbackCollectives(1)] as const;
  const evaluator = new CellEvaluator({ ...job, rank: 0, loss: 'softmax', kernels: kernelsFor('wasm', 'f64'), world, row });
  const { problem } = await problemOf(job, evaluator);
  // 8 columns of one output are 4 of each of four.
  expect(chosenColumns(problem, { maxFullColumns: 8, chosenColumns: 6 })?.length).toBe(3);
  const objectives: number[] = [];
  for (const rules of [{ maxFullColumns: 8, chosenColumns: 6 }, undefined]) {
    const optimizer = new Lbfgs({ tolerance: 1e-9, learningRate: 'auto' }, rules);
    const options = {
      maxPasses: 500,
      decide: () => 0 as const,
      resume: undefined,
      patience: undefined,
      validationLoss: () => Promise.resolve(0),
      onStep: () => {},
    };
    const { state, reason } = await loop(optimizer, problem, evaluator, options);
    expect(reason).toBe('converged');
    objectives.push(optimizer.progress(state).objective);
  }
  expect(objectives[0]).toBeCloseTo(objectives[1] as number, 8);
});

test('a class without rows, offsets, and methods for squared loss', async () => {
  const store = storeOf(classesData(2, 60, 3, 3), { dtype: 'f64', chunkRows: 16 });
  const spare = await inline.open(1).train(jobOf(store, { model: 'softmax', classes: 4 }), {});
  expect(spare.notes).toContain('the class 3 has no training row with a weight above 0');
  expect(spare.reason).toBe('converged');
  const fail = (options: Partial<TrainingJob>, data = store): Promise<unknown> =>
    inline
      .open(1)
      .train(jobOf(data, { model: 'softmax', classes: 3, ...options }), {})
      .catch((error: unknown) => error);
  const shifted = storeOf({ ...classesData(2, 60, 3, 3), offset: () => 1 }, { dtype: 'f64', chunkRows: 16 });
  for (const [error, text] of [
    [await fail({}, shifted), '--offset is added to every class alike'],
    [await fail({ optimizer: 'conjugate-gradient' }), ''],
    [await fail({ optimizer: 'normal-equations' }), ''],
  ] as const) {
    expect(error).toBeInstanceOf(ParagradError);
    expect((error as ParagradError).message).toContain(text);
  }
});
