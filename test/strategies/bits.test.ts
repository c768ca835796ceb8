import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { inline } from '../../src/engines/inline.ts';
import { ParagradError } from '../../src/errors.ts';
import type { PartitionKind } from '../../src/partition/plan.ts';
import type { TrainingJob, TrainingOutcome } from '../../src/strategies/job.ts';
import { OF_BATCHES, OPTIMIZERS, SQUARED_ONLY } from '../../src/update/index.ts';
import { jobOf, randomData, storeOf } from '../support/problems.ts';
import { distinctKinds } from '../support/splits.ts';

/** Law: the split, the number of ranks, the kernels and the segments change no bit (docs/numerics.md). */
const bits = ({ outcome, progress, validationLoss }: TrainingOutcome): string =>
  Buffer.from(
    new Float64Array([...outcome.vector.weights, outcome.vector.intercept, outcome.objective, progress.passes, validationLoss]).buffer,
  ).toString('hex');

const BACKTRACKING = 'gradient-descent with backtracking';
const BATCHES = ' with mini-batches';
const ALL = [...Object.keys(OPTIMIZERS), BACKTRACKING, `momentum${BATCHES}`, `nesterov${BATCHES}`];
/** Cuts panels, and leaves a short batch at the end of an epoch. */
const BATCH_ROWS = 37;
const NAMES = { linear: ALL, logistic: ALL.filter((name) => !SQUARED_ONLY.includes(name)) };
const optimizerOf = (name: string): Pick<TrainingJob, 'optimizer' | 'optimizerOptions' | 'seed'> => ({
  optimizer: name === BACKTRACKING ? 'gradient-descent' : name.replace(BATCHES, ''),
  optimizerOptions: {
    tolerance: 1e-6,
    learningRate: 'auto',
    lineSearch: name === BACKTRACKING ? 'backtracking' : 'none',
    ...(OF_BATCHES.includes(name) || name.endsWith(BATCHES) ? { batchSize: BATCH_ROWS } : {}),
  },
  seed: 5,
});
const KINDS: readonly PartitionKind[] = ['rows', 'columns', 'grid'];

describe.each(['f32', 'f64'] as const)('%s', (dtype) => {
  describe.each(['linear', 'logistic'] as const)('%s', (model) => {
    const shape = { dtype, chunkRows: 16, blockColumns: 2, validation: randomData(8, 50, 15, model === 'logistic') } as const;
    const data = randomData(7, 301, 15, model === 'logistic');
    const store = storeOf(data, shape);
    const segmented = storeOf(data, { ...shape, segmentBytes: 8192 });

    test.each(NAMES[model])('%s: rows, columns, grid × 1, 2, 3, 4, 7 ranks, and the reference kernels', async (name) => {
      const options: Partial<TrainingJob> = {
        model,
        ...optimizerOf(name),
        maxPasses: name in OPTIMIZERS && !OF_BATCHES.includes(name) ? 9 : 4,
      };
      expect(store.training.layout.chunks).toBeGreaterThanOrEqual(8);
      expect(store.training.layout.blocks).toBeGreaterThanOrEqual(7);
      const base = await inline.open(1).train(jobOf(store, options), {});
      expect(base.outcome.objective).toBeLessThan(base.nullLoss);
      for (const workers of [2, 3, 4, 7])
        for (const kind of distinctKinds(store.training.layout, workers)) {
          const job = jobOf(store, { ...options, kind, workers });
          for (const share of job.partition.shares) {
            expect(share.chunkEnd).toBeGreaterThan(share.chunkBegin);
            expect(share.blockEnd).toBeGreaterThan(share.blockBegin);
          }
          expect(bits(await inline.open(1).train(job, {})), `${kind} ${workers}`).toBe(bits(base));
        }
      expect(bits(await inline.open(1).train(jobOf(store, { ...options, kernels: 'reference' }), {}))).toBe(bits(base));
      expect(segmented.segments.length).toBeGreaterThan(1);
      expect(bits(await inline.open(1).train(jobOf(segmented, { ...options, kind: 'grid', workers: 4 }), {}))).toBe(bits(base));
    });
  });
});

test('several batches of dots, uneven blocks: ranks of a column split exchange the same batches', async () => {
  const store = storeOf(randomData(4, 12_000, 40, false), { dtype: 'f32', blockColumns: 14 });
  const base = await inline.open(1).train(jobOf(store), {});
  expect(bits(await inline.open(1).train(jobOf(store, { kind: 'columns', workers: 2 }), {}))).toBe(bits(base));
});

test('random shapes: 1 row, no columns, odd sizes, weights and offsets, more ranks than chunks', async () => {
  const shape = fc.record({
    rows: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 90 })),
    columns: fc.oneof(fc.constant(0), fc.constant(1), fc.integer({ min: 0, max: 13 })),
    dtype: fc.constantFrom('f32' as const, 'f64' as const),
    model: fc.constantFrom('linear' as const, 'logistic' as const),
    kind: fc.constantFrom(...KINDS),
    workers: fc.integer({ min: 1, max: 7 }),
    blockColumns: fc.integer({ min: 1, max: 5 }),
    weighted: fc.boolean(),
    seed: fc.nat(1000),
  });
  await fc.assert(
    fc.asyncProperty(shape, async ({ rows, columns, dtype, model, kind, workers, blockColumns, weighted, seed }) => {
      const plain = randomData(seed, rows, columns, model === 'logistic');
      const data = weighted ? { ...plain, v: (row: number) => (row === 0 ? 1 : row % 3), offset: (row: number) => (row % 5) / 4 } : plain;
      const store = storeOf(data, { dtype, chunkRows: 16, blockColumns });
      fc.pre(kind !== 'columns' || workers <= store.training.layout.blocks);
      const base = await inline.open(1).train(jobOf(store, { model, maxPasses: 25 }), {});
      expect(bits(await inline.open(1).train(jobOf(store, { model, maxPasses: 25, kind, workers }), {}))).toBe(bits(base));
      expect(bits(await inline.open(1).train(jobOf(store, { model, maxPasses: 25, kernels: 'reference' }), {}))).toBe(bits(base));
    }),
    { numRuns: 60 },
  );
});

test('no row with a weight is an error, for any number of ranks', async () => {
  for (const workers of [1, 3]) {
    const empty = storeOf(randomData(1, 0, 3, false), { dtype: 'f32' });
    const unweighted = storeOf({ ...randomData(1, 40, 3, false), v: () => 0 }, { dtype: 'f32', chunkRows: 16 });
    for (const store of [empty, unweighted])
      await expect(inline.open(1).train(jobOf(store, { workers }), {})).rejects.toSatisfy(
        (error) => error instanceof ParagradError && error.code === 'PARAGRAD_NO_ROWS',
      );
  }
});

test('a time limit and an abort end all ranks at the same step, with a result', async () => {
  const store = storeOf(randomData(3, 200, 6, true), { dtype: 'f64', chunkRows: 16 });
  const limited = await inline.open(1).train(jobOf(store, { model: 'logistic', workers: 3, endAtMs: 0 }), {});
  expect(limited.reason).toBe('time limit');
  expect(limited.progress.passes).toBe(1);
  const aborted = await inline.open(1).train(jobOf(store, { model: 'logistic', workers: 3 }), { signal: AbortSignal.abort() });
  expect(aborted.reason).toBe('aborted');
});

test('sums of a gradient are those of plain loops, with sample weights and offsets', async () => {
  const data = { ...randomData(5, 37, 3, false), v: (row: number) => row % 3, offset: (row: number) => row / 8 };
  const outcome = await inline
    .open(1)
    .train(jobOf(storeOf(data, { dtype: 'f64', chunkRows: 16 }), { workers: 2, explain: true, start: 'zero' }), {});
  const expected = { loss: 0, intercept: 0, columns: new Float64Array(3) };
  for (let i = 0; i < data.rows; i += 1) {
    const d = data.v(i) * (data.offset(i) - data.y(i));
    expected.loss += 0.5 * data.v(i) * (data.offset(i) - data.y(i)) ** 2;
    expected.intercept += d;
    for (let j = 0; j < 3; j += 1) expected.columns[j] = (expected.columns[j] as number) + d * data.x(i, j);
  }
  const { sum, partials, divisor } = outcome.firstStep as NonNullable<TrainingOutcome['firstStep']>;
  expect(sum.loss).toBeCloseTo(expected.loss, 10);
  expect(sum.intercept).toBeCloseTo(expected.intercept, 10);
  for (let j = 0; j < 3; j += 1) expect(sum.columns[j]).toBeCloseTo(expected.columns[j] as number, 10);
  expect(divisor).toBe(36);
  expect(partials.length).toBe(2);
  expect(partials.reduce((total, { loss }) => total + (loss ?? 0), 0)).toBeCloseTo(expected.loss, 10);
});
