import { describe, expect, test } from 'vitest';
import { createLoopbackCollectives } from '../../src/communicate/loopback/collectives.ts';
import { inline } from '../../src/engines/inline.ts';
import { kernelsFor } from '../../src/engines/kernels.ts';
import { CellEvaluator } from '../../src/strategies/cell-evaluator.ts';
import type { StrategyChoice } from '../../src/strategies/choice.ts';
import { clientPartition, clientsOf } from '../../src/strategies/clients.ts';
import type { Checkpoint, TrainingJob, TrainingOutcome } from '../../src/strategies/job.ts';
import { ranksOf } from '../../src/strategies/registry.ts';
import type { Vector } from '../../src/update/pass.ts';
import { classesData, generator, jobOf, storeOf } from '../support/problems.ts';
import { CHOICE, threadsOfFile } from './choices.ts';

const onThreads = threadsOfFile();

/** Laws of mini-batches of several classes: the same as those of one output. */
const CLASSES = 4;
const COLUMNS = 9;
const STORES = {
  f32: storeOf(classesData(7, 701, COLUMNS, CLASSES), {
    dtype: 'f32',
    chunkRows: 32,
    blockColumns: 2,
    validation: classesData(8, 50, COLUMNS, CLASSES),
  }),
  f64: storeOf(classesData(7, 701, COLUMNS, CLASSES), {
    dtype: 'f64',
    chunkRows: 32,
    blockColumns: 2,
    validation: classesData(8, 50, COLUMNS, CLASSES),
  }),
};
const MANY = storeOf(classesData(17, 3000, COLUMNS, CLASSES), { dtype: 'f32', chunkRows: 64 });
const bitsOf = ({ outcome: { vector, objective } }: TrainingOutcome): string =>
  Buffer.from(new Float64Array([...vector.weights, vector.intercept, ...(vector.others ?? []), objective]).buffer).toString('hex');
const run = (job: TrainingJob): Promise<TrainingOutcome> => inline.open(ranksOf(job)).train(job, {});
const options = { tolerance: 0, learningRate: 'auto', batchSize: 50, epochs: 2 } as const;
const SOFTMAX = { model: 'softmax', classes: CLASSES } as const;

describe.each(['f32', 'f64'] as const)('%s', (dtype) => {
  test.each(['sgd', 'svrg', 'adamw', 'momentum'])('%s: rows, columns, grid, and the reference kernels', async (optimizer) => {
    const job = (more: Parameters<typeof jobOf>[1]): TrainingJob =>
      jobOf(STORES[dtype], { ...SOFTMAX, optimizer, optimizerOptions: options, ...more });
    expect(STORES[dtype].training.layout.chunks).toBeGreaterThanOrEqual(8);
    const base = await run(job({}));
    expect(base.outcome.objective).toBeLessThan(base.nullLoss);
    for (const [kind, workers] of [
      ['rows', 3],
      ['columns', 5],
      ['grid', 6],
    ] as const)
      expect(bitsOf(await run(job({ kind, workers }))), kind).toBe(bitsOf(base));
    expect(bitsOf(await run(job({ kernels: 'reference' })))).toBe(bitsOf(base));
  });

  test('a batch of all rows has the bits of a pass, and the batches of an epoch add up to it', async () => {
    const job = jobOf(STORES[dtype], SOFTMAX);
    const [world] = createLoopbackCollectives(1);
    const evaluator = new CellEvaluator({ ...job, rank: 0, loss: 'softmax', kernels: kernelsFor('wasm', dtype), world, row: world });
    const random = generator(3);
    const numbers = (length: number): Float64Array => Float64Array.from({ length }, () => random() - 0.5);
    const at: Vector[] = [0, 1].map(() => ({ weights: numbers(CLASSES * COLUMNS), intercept: random(), others: numbers(CLASSES - 1) }));
    const whole = await evaluator.evaluate({ kind: 'gradient', at });
    const all = structuredClone(await evaluator.evaluate({ kind: 'gradient', at, batch: { epoch: 3, index: 0, size: 701 } }));
    expect(all).toEqual(whole);
    let [rest] = whole.map(({ columns }) => columns.slice());
    for (let index = 0; index < 8; index += 1) {
      const [{ columns }] = await evaluator.evaluate({ kind: 'gradient', at: at.slice(0, 1), batch: { epoch: 1, index, size: 100 } });
      rest = rest.map((value, j) => value - columns[j]);
    }
    for (const value of rest) expect(Math.abs(value)).toBeLessThan(dtype === 'f32' ? 1e-4 : 1e-10);
  });
});

test.each(['auto', 'sample', 'diagonal', 'none'] as const)(
  'precondition %s: closes 99 of 100 parts of the gap by itself',
  async (precondition) => {
    const best = await run(jobOf(STORES.f64, SOFTMAX));
    const optimizerOptions = { tolerance: 5e-3, learningRate: 'auto', batchSize: 32, precondition } as const;
    const { outcome, reason, nullLoss } = await run(jobOf(STORES.f64, { ...SOFTMAX, optimizer: 'sgd', optimizerOptions }));
    expect(reason).toBe('converged');
    expect((nullLoss - outcome.objective) / (nullLoss - best.outcome.objective)).toBeGreaterThan(0.99);
  },
);

test('two classes have the path of a logistic model: differences of their weights, at half the penalty', async () => {
  const store = storeOf(classesData(5, 400, 6, 2), { dtype: 'f64', chunkRows: 32 });
  const optimizerOptions = { tolerance: 0, learningRate: 'auto', batchSize: 40, epochs: 3, schedule: 'constant' } as const;
  const softmax = await run(jobOf(store, { model: 'softmax', classes: 2, l2: 0.02, optimizer: 'sgd', optimizerOptions }));
  const logistic = await run(jobOf(store, { model: 'logistic', l2: 0.01, optimizer: 'sgd', optimizerOptions }));
  const { weights } = softmax.outcome.vector;
  for (let j = 0; j < 6; j += 1) expect(weights[6 + j] - weights[j]).toBeCloseTo(logistic.outcome.vector.weights[j], 8);
});

describe('strategies', () => {
  function strategyJob(
    choice: Partial<StrategyChoice>,
    workers: number,
    more: Partial<TrainingJob['optimizerOptions']> = {},
    store = STORES.f32,
  ): TrainingJob {
    const { layout } = store.training;
    const strategy = { ...CHOICE, ...choice };
    const job = jobOf(store, {
      ...SOFTMAX,
      workers,
      optimizer: 'sgd',
      optimizerOptions: { tolerance: 0, learningRate: 'auto', batchSize: 32, epochs: 4, ...more },
    });
    const clients = strategy.name === 'local-sgd' ? clientPartition(layout, clientsOf(layout, strategy.clients), workers) : undefined;
    return { ...job, strategy, partition: clients ?? job.partition };
  }

  test('with one worker all of them are serial descent, to the bit', async () => {
    const constant = { schedule: 'constant', epochs: 1 } as const;
    const serial = bitsOf(await run({ ...strategyJob({}, 1, constant), strategy: undefined }));
    for (const choice of [
      {},
      { staleness: 0 },
      { name: 'local-sgd', clients: 1, syncEvery: 1 },
      { name: 'gossip' },
      { name: 'hogwild' },
    ] as const)
      expect(bitsOf(await run(strategyJob(choice, 1, constant))), JSON.stringify(choice)).toBe(serial);
    for (const servers of [2, 7, 40]) {
      const plain = { ...constant, precondition: 'none' } as const;
      expect(bitsOf(await run(strategyJob({ servers }, 1, plain)))).toBe(bitsOf(await run(strategyJob({}, 1, plain))));
    }
  });

  test.each(['parameter-server', 'local-sgd', 'hogwild', 'gossip'] as const)(
    '%s closes 99 of 100 parts of the gap, on threads',
    async (name) => {
      const best = await run(jobOf(MANY, SOFTMAX));
      const { outcome, nullLoss } = await onThreads(strategyJob({ name, servers: 2 }, 2, { epochs: 10 }, MANY));
      expect((nullLoss - outcome.objective) / (nullLoss - best.outcome.objective)).toBeGreaterThan(0.99);
    },
  );

  test('local SGD has the same bits for any number of workers, and a resumed run those of a whole one', async () => {
    const job = (workers: number): TrainingJob => ({
      ...strategyJob({ name: 'local-sgd', participation: 0.75 }, workers),
      checkpointEveryMs: 0,
    });
    const checkpoints: Checkpoint[] = [];
    const whole = await inline.open(1).train(job(1), { onCheckpoint: (checkpoint) => checkpoints.push(structuredClone(checkpoint)) });
    expect(bitsOf(await run(job(3)))).toBe(bitsOf(whole));
    expect(bitsOf(await run({ ...job(2), resume: checkpoints[2] }))).toBe(bitsOf(whole));
  });
});
