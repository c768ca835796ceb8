import { describe, expect, test } from 'vitest';
import { inline } from '../../src/engines/inline.ts';
import type { L2Path, TrainingOutcome } from '../../src/strategies/job.ts';
import { jobOf, randomData, storeOf } from '../support/problems.ts';

const MODELS = ['linear', 'logistic'] as const;

function storeFor(model: (typeof MODELS)[number], dtype: 'f32' | 'f64', validationRows = 60) {
  const classes = model === 'logistic';
  // Few rows for the columns, so that the least penalty is not the best one.
  const validation = randomData(3, validationRows, 15, classes);
  return storeOf(randomData(3, 140, 15, classes), { dtype, chunkRows: 16, blockColumns: 2, validation });
}

const bits = ({ outcome, path }: TrainingOutcome): string =>
  Buffer.from(
    new Float64Array([
      ...outcome.vector.weights,
      outcome.vector.intercept,
      ...(path?.values ?? []).flatMap((v) => [v.l2, v.validationLoss]),
    ]).buffer,
  ).toString('hex');

describe.each(MODELS)('--l2 auto: %s', (model) => {
  test('every penalty has the bits that it has alone, and the best one is the result', async () => {
    const store = storeFor(model, 'f32');
    const auto = await inline.open(1).train(jobOf(store, { model, l2: 'auto' }), {});
    const { values, best } = auto.path as L2Path;
    expect(values.length).toBe(20);
    for (const { l2, validationLoss, trainingLoss, passes, reason } of values) {
      const alone = await inline.open(1).train(jobOf(store, { model, l2, optimizer: 'lbfgs' }), {});
      expect([alone.validationLoss, alone.dataLoss, alone.progress.passes, alone.reason]).toEqual([
        validationLoss,
        trainingLoss,
        passes,
        reason,
      ]);
    }
    expect(values.map(({ l2 }) => l2)).toEqual(values.map(({ l2 }) => l2).toSorted((a, b) => b - a));
    expect(Math.min(...values.map(({ validationLoss }) => validationLoss))).toBe(values.find(({ l2 }) => l2 === best)?.validationLoss);
    const chosen = await inline.open(1).train(jobOf(store, { model, l2: best }), {});
    expect(auto.l2).toBe(best);
    expect(auto.outcome).toEqual(chosen.outcome);
    expect(auto.progress).toEqual(chosen.progress);
  });

  test.each(['f32', 'f64'] as const)('%s: rows, columns, grid, the reference kernels: the same bits', async (dtype) => {
    const store = storeFor(model, dtype);
    const base = await inline.open(1).train(jobOf(store, { model, l2: 'auto' }), {});
    // A grid of a prime number of ranks is the split by rows.
    for (const [kind, workers] of [
      ['rows', 2],
      ['rows', 7],
      ['columns', 3],
      ['columns', 7],
      ['grid', 4],
    ] as const)
      expect(bits(await inline.open(1).train(jobOf(store, { model, l2: 'auto', kind, workers }), {})), `${kind} ${workers}`).toBe(
        bits(base),
      );
    expect(bits(await inline.open(1).train(jobOf(store, { model, l2: 'auto', kernels: 'reference' }), {}))).toBe(bits(base));
  });
});

test('without validation rows there is nothing to choose by', async () => {
  const job = jobOf(storeFor('linear', 'f32', 0), { l2: 'auto' });
  await expect(inline.open(1).train(job, {})).rejects.toThrow(/--l2 auto compares penalties on validation rows/);
});

test('limits end all penalties, on all ranks, with a result', async () => {
  const store = storeFor('logistic', 'f64');
  const limited = await inline.open(1).train(jobOf(store, { model: 'logistic', l2: 'auto', workers: 3, endAtMs: 0 }), {});
  expect(limited.reason).toBe('time limit');
  expect(limited.path?.values.every(({ reason }) => reason === 'time limit')).toBe(true);
  const few = await inline.open(1).train(jobOf(store, { model: 'logistic', l2: 'auto', maxPasses: 2 }), {});
  const many = await inline.open(1).train(jobOf(store, { model: 'logistic', l2: 'auto' }), {});
  expect(few.reason).toBe('max passes');
  expect(few.path).toEqual(many.path);
});

test('a penalty at the end of those tried is remarked on', async () => {
  // Effects are larger in the validation rows: any penalty is one too many.
  const training = randomData(5, 400, 3, false);
  const store = storeOf(training, { dtype: 'f64', validation: { ...training, y: (row) => 1.5 * training.y(row) } });
  const { notes, path } = await inline.open(1).train(jobOf(store, { l2: 'auto' }), {});
  expect(path?.best).toBe(path?.values[19]?.l2);
  expect(notes.join()).toMatch(/the smallest penalty that was tried.*a smaller --l2 may be better still/);
});

test('no columns: any penalty is as good', async () => {
  const data = randomData(5, 40, 0, false);
  const { path } = await inline.open(1).train(jobOf(storeOf(data, { dtype: 'f32', validation: data }), { l2: 'auto' }), {});
  expect(path?.best).toBe(10);
});
