import { describe, expect, test } from 'vitest';
import { inline } from '../../src/engines/inline.ts';
import type { Checkpoint, TrainingJob, TrainingOutcome } from '../../src/strategies/job.ts';
import { DEFAULT_BATCH_TOLERANCE } from '../../src/update/batch/defaults.ts';
import { OF_BATCHES } from '../../src/update/index.ts';
import type { OptimizerOptions } from '../../src/update/optimizer.ts';
import { jobOf, randomData, storeOf } from '../support/problems.ts';

const NAMES = [...OF_BATCHES, 'momentum', 'nesterov'];
const MODELS = ['linear', 'logistic'] as const;
const options = (more: Partial<OptimizerOptions> = {}): OptimizerOptions => ({
  tolerance: DEFAULT_BATCH_TOLERANCE,
  learningRate: 'auto',
  batchSize: 64,
  ...more,
});
const hex = ({ outcome, progress, reason }: TrainingOutcome): string =>
  `${reason} ${Buffer.from(Float64Array.of(...outcome.vector.weights, outcome.vector.intercept, outcome.objective, progress.passes).buffer).toString('hex')}`;

/** Trains; the last checkpoint comes along. */
async function run(job: TrainingJob): Promise<{ outcome: TrainingOutcome; checkpoint: Checkpoint | undefined }> {
  let checkpoint: Checkpoint | undefined;
  const outcome = await inline.open(1).train(job, {
    onCheckpoint: (each) => {
      checkpoint = each;
    },
  });
  return { outcome, checkpoint };
}

/** Part of the way from the intercept-only model to the optimum. */
async function closed(job: TrainingJob): Promise<number> {
  const optimum = await inline
    .open(1)
    .train({ ...job, optimizer: 'auto', optimizerOptions: { tolerance: 1e-9, learningRate: 'auto' } }, {});
  const { nullLoss, outcome } = await inline.open(1).train(job, {});
  return (nullLoss - outcome.objective) / (nullLoss - optimum.outcome.objective);
}

describe.each(MODELS)('%s', (model) => {
  const store = storeOf(randomData(7, 2000, 15, model === 'logistic'), { dtype: 'f32' });

  test.each(NAMES.flatMap((name) => [1, 64, 256].map((size) => [name, size] as const)))(
    '%s with batches of %i closes 99 %% of the gap with default options',
    async (optimizer, batchSize) => {
      expect(await closed(jobOf(store, { model, optimizer, optimizerOptions: options({ batchSize }) }))).toBeGreaterThan(0.99);
    },
  );

  test.each(['none', 'diagonal', 'sample'] as const)('precondition %s', async (precondition) => {
    for (const optimizer of ['sgd', 'svrg', 'momentum'])
      expect(await closed(jobOf(store, { model, optimizer, optimizerOptions: options({ precondition }) }))).toBeGreaterThan(0.99);
  });

  test.each(NAMES)('%s: resumed in the middle of epochs ≡ uninterrupted, to the bit, with other ranks', async (optimizer) => {
    const rows = storeOf(randomData(7, 301, 15, model === 'logistic'), { dtype: 'f64', chunkRows: 16, blockColumns: 2 });
    const job = jobOf(rows, { model, optimizer, optimizerOptions: options({ batchSize: 20, tolerance: 0 }), seed: 3 });
    const whole = await run({ ...job, maxPasses: 9 });
    let part = await run({ ...job, maxPasses: 1.4 });
    // Batches of the k-th epoch are counted from 2k − 1 to 2k: the reading that judges it comes after.
    for (const maxPasses of [3.3, 5.5, 7.7, 9]) {
      const { passes } = part.outcome.progress;
      expect(part.outcome.reason).toBe('max passes');
      expect(passes === Math.floor(passes)).toBe(false);
      const ranks = jobOf(rows, { kind: 'grid', workers: 4 }).partition;
      part = await run({ ...job, maxPasses, resume: part.checkpoint, ...(maxPasses === 5.5 ? { partition: ranks } : {}) });
    }
    expect(hex(part.outcome)).toBe(hex(whole.outcome));
    expect(part.outcome.steps.map(({ iteration, objective }) => [iteration, objective])).toEqual(
      whole.outcome.steps.map(({ iteration, objective }) => [iteration, objective]),
    );
  });

  test('one batch of all rows at a given rate is a step of gradient descent', async () => {
    const learningRate = 0.05;
    const batch = options({ batchSize: 2000, learningRate, precondition: 'none', epochs: 1, tolerance: 0 });
    const one = await inline.open(1).train(jobOf(store, { model, optimizer: 'sgd', optimizerOptions: batch }), {});
    const plain = { tolerance: 0, learningRate };
    const step = await inline
      .open(1)
      .train(jobOf(store, { model, optimizer: 'gradient-descent', optimizerOptions: plain, maxPasses: 2 }), {});
    expect(one.reason).toBe('epochs done');
    expect(one.outcome.vector).toEqual(step.outcome.vector);
    expect(one.outcome.objective).toBe(step.outcome.objective);
  });
});

test('exactly the epochs asked for; passes count batches by their share', async () => {
  const store = storeOf(randomData(2, 500, 5, false), { dtype: 'f32' });
  for (const schedule of ['constant', 'step', 'cosine', 'inverse-sqrt', 'auto'] as const) {
    const optimizerOptions = options({ epochs: 3, schedule, tolerance: 0, warmup: 0.5 });
    const { progress, reason, outcome, nullLoss } = await inline.open(1).train(jobOf(store, { optimizer: 'sgd', optimizerOptions }), {});
    expect([reason, progress.iteration, progress.passes]).toEqual(['epochs done', 3, 7]);
    expect(outcome.objective).toBeLessThan(nullLoss);
  }
});

test('a run that a limit ends inside an epoch judges the weights it has got to', async () => {
  const store = storeOf(randomData(2, 500, 5, true), { dtype: 'f32' });
  for (const optimizer of ['sgd', 'svrg', 'adam']) {
    const job = jobOf(store, { model: 'logistic', optimizer, optimizerOptions: options({ batchSize: 16, tolerance: 0 }), maxPasses: 1.5 });
    const { outcome, nullLoss, reason, progress } = await inline.open(1).train(job, {});
    expect([reason, progress.iteration]).toEqual(['max passes', 0]);
    expect(progress.passes).toBeCloseTo(1.5, 1);
    expect(outcome.objective).toBeLessThan(nullLoss - 0.01);
    const judged = { tolerance: 0, learningRate: 'auto' } as const;
    const again = jobOf(store, { model: 'logistic', optimizer: 'lbfgs', optimizerOptions: judged, initial: outcome.vector, maxPasses: 1 });
    expect((await inline.open(1).train(again, {})).outcome.objective).toBe(outcome.objective);
  }
});

test('plain steps taken in one go have the bits of steps one by one, wherever a limit ends them', async () => {
  const shape = { chunkRows: 32, blockColumns: 2 } as const;
  for (const [dtype, model] of [
    ['f32', 'linear'],
    ['f64', 'logistic'],
  ] as const) {
    const store = storeOf(randomData(6, 333, 7, model === 'logistic'), { dtype, ...shape });
    for (const batchSize of [1, 5, 16, 50])
      for (const [schedule, maxPasses] of [
        ['auto', 6.3],
        ['step', 1.41],
        ['inverse-sqrt', 4],
      ] as const) {
        const optimizerOptions = options({
          batchSize,
          schedule,
          warmup: schedule === 'step' ? 0.5 : 0,
          precondition: 'none',
          tolerance: 0,
        });
        const more = { model, optimizer: 'sgd', optimizerOptions, maxPasses, seed: 2 } as const;
        const one = await inline.open(1).train(jobOf(store, more), {});
        const job = jobOf(store, { ...more, kind: 'rows', workers: 3 });
        const three = await inline.open(3).train(job, {});
        expect(hex(one)).toBe(hex(three));
        expect(one.steps.map(({ objective }) => objective)).toEqual(three.steps.map(({ objective }) => objective));
        expect(one.costs?.ranks.map(({ steps }) => steps)).toEqual(three.costs?.ranks.slice(0, 1).map(({ steps }) => steps));
      }
  }
});

test('seeds change the order and so the bits', async () => {
  const store = storeOf(randomData(2, 500, 5, false), { dtype: 'f32' });
  const job = (seed: number) => jobOf(store, { optimizer: 'sgd', optimizerOptions: options({ batchSize: 16 }), seed });
  const [a, b, again] = await Promise.all([0, 1, 0].map((seed) => inline.open(1).train(job(seed), {})));
  expect(hex(a)).not.toBe(hex(b));
  expect(hex(a)).toBe(hex(again));
});

test('a rate that is too large ends with an error that names a smaller one; an automatic rate never diverges', async () => {
  const store = storeOf(randomData(2, 400, 8, false), { dtype: 'f32' });
  const given = options({ learningRate: 1e6, precondition: 'none' });
  await expect(inline.open(1).train(jobOf(store, { optimizer: 'sgd', optimizerOptions: given }), {})).rejects.toMatchObject({
    code: 'PARAGRAD_DIVERGED',
    place: { option: '--learning-rate' },
    message: expect.stringContaining('1000000'),
  });
});

test('rare categories, one row each at times: the automatic rate holds', async () => {
  const plain = randomData(4, 600, 6, false);
  // Column j + 6 is 1 in one row of 600 only.
  const data = { ...plain, columns: 26, x: (i: number, j: number) => (j < 6 ? plain.x(i, j) : Number(i === (j - 6) * 29)) };
  const store = storeOf({ ...data, y: (i) => plain.y(i) + (i % 29 === 0 ? 40 : 0) }, { dtype: 'f32' });
  const indicators = Uint8Array.from({ length: 26 }, (_, j) => Number(j >= 6));
  for (const precondition of ['diagonal', 'sample'] as const)
    for (const batchSize of [1, 8, 64])
      expect(
        await closed(jobOf(store, { optimizer: 'sgd', indicators, optimizerOptions: options({ batchSize, precondition }) })),
      ).toBeGreaterThan(0.99);
});

test('early stopping counts epochs, and keeps the weights of the lowest validation loss', async () => {
  const validation = randomData(8, 60, 10, true);
  const store = storeOf(randomData(7, 80, 10, true), { dtype: 'f32', validation });
  const job = jobOf(store, {
    model: 'logistic',
    optimizer: 'sgd',
    optimizerOptions: options({ batchSize: 8, tolerance: 0 }),
    earlyStopping: 2,
  });
  const outcome = await inline.open(1).train({ ...job, l2: 0 }, {});
  expect(outcome.reason).toBe('early stopping');
  expect(outcome.progress.iteration).toBeLessThan(30);
});
