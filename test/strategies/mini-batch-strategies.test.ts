import { describe, expect, test } from 'vitest';
import { inline } from '../../src/engines/inline.ts';
import { CellEvaluator } from '../../src/strategies/cell-evaluator.ts';
import type { StrategyChoice } from '../../src/strategies/choice.ts';
import type { Checkpoint, TrainingJob, TrainingOutcome } from '../../src/strategies/job.ts';
import { ranksOf } from '../../src/strategies/registry.ts';
import { bitsOf, STORES, strategyJob, threadsOfFile } from './choices.ts';

const onThreads = threadsOfFile();

/** Laws of the strategies that take mini-batches, in one thread and on threads. */

const run = (job: TrainingJob): Promise<TrainingOutcome> => inline.open(ranksOf(job)).train(job, {});
const constant = { tolerance: 0, learningRate: 'auto', batchSize: 16, epochs: 1, schedule: 'constant' } as const;
/** Batches of a strategy are its own. */
const alone = { batchSize: 16 };

describe('one worker', () => {
  test.each(['linear', 'logistic'] as const)('%s: every way to wait is serial descent, to the bit', async (model) => {
    const optimizerOptions = constant;
    const serial = bitsOf(await run({ ...strategyJob(model, {}, 1, { optimizerOptions }), strategy: undefined }));
    const choices: Partial<StrategyChoice>[] = [
      { staleness: 'asynchronous' },
      { staleness: 0 },
      { staleness: 3 },
      { late: 'damp' },
      { late: 'refuse' },
      { late: 'compensate' },
      { name: 'local-sgd', clients: 1, syncEvery: 1 },
      { name: 'gossip' },
      { name: 'hogwild' },
    ];
    for (const choice of choices)
      expect(bitsOf(await run(strategyJob(model, { ...alone, ...choice }, 1, { optimizerOptions }))), JSON.stringify(choice)).toBe(serial);
    expect(bitsOf(await onThreads(strategyJob(model, alone, 1, { optimizerOptions })))).toBe(serial);
  });

  test.each(['momentum', 'nesterov', 'adam', 'adamw', 'rmsprop', 'adagrad'])(
    '%s at the server has the bits that it has alone',
    async (optimizer) => {
      const options = { optimizer, optimizerOptions: constant };
      const serial = bitsOf(await run({ ...strategyJob('linear', {}, 1, options), strategy: undefined }));
      expect(bitsOf(await run(strategyJob('linear', alone, 1, options)))).toBe(serial);
    },
  );

  test('several servers have the bits of one, where gradients are not preconditioned', async () => {
    const optimizerOptions = { ...constant, precondition: 'none' as const };
    const one = bitsOf(await run(strategyJob('linear', {}, 1, { optimizerOptions })));
    for (const servers of [2, 3, 10]) expect(bitsOf(await run(strategyJob('linear', { servers }, 1, { optimizerOptions })))).toBe(one);
  });
});

describe('parameter server', () => {
  test('bulk-synchronous: the same bits on threads and in one thread, for any number of servers without preconditioner', async () => {
    const optimizerOptions = { ...constant, precondition: 'none' as const };
    const job = (servers: number): TrainingJob => strategyJob('linear', { staleness: 0, servers }, 3, { optimizerOptions });
    const base = await run(job(1));
    expect(bitsOf(await run(job(2)))).toBe(bitsOf(base));
    expect(bitsOf(await onThreads(job(2)))).toBe(bitsOf(base));
    expect(base.costs?.staleness).toHaveLength(1);
  });

  test('staleness stays within the bound, and is seen', async () => {
    const { costs } = await onThreads(strategyJob('linear', { staleness: 2 }, 3));
    expect(costs?.staleness.length).toBeLessThanOrEqual(3);
    expect(costs?.staleness.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(40);
  });

  test('a replay has the bits of the record, on threads and in one thread', async () => {
    // Several turns: what threads do is another thing each time.
    const options = { optimizerOptions: { tolerance: 0, learningRate: 'auto', epochs: 2 } } as const;
    for (const late of ['apply', 'compensate', 'apply'] as const) {
      const choice = { late, servers: 2 };
      const recorded = await onThreads(strategyJob('linear', choice, 3, options));
      expect(recorded.orders).toHaveLength(2);
      for (const again of [onThreads, run]) {
        const replayed = await again(strategyJob('linear', { ...choice, replay: recorded.orders }, 3, options));
        expect(bitsOf(replayed)).toBe(bitsOf(recorded));
        expect(replayed.costs?.staleness).toEqual(recorded.costs?.staleness);
      }
    }
  });
});

describe('local SGD', () => {
  test('ends where the epochs do: exactly, or where some clients sit out within a batch of each', async () => {
    for (const [syncEvery, epochs] of [
      [16, 1],
      [5, 3],
    ] as const) {
      const options = { optimizerOptions: { ...constant, epochs } };
      const whole = await run(strategyJob('linear', { name: 'local-sgd', batchSize: 16, syncEvery }, 2, options));
      expect(whole.progress.passes).toBe(epochs);
      const some = await run(strategyJob('linear', { name: 'local-sgd', batchSize: 16, syncEvery, participation: 0.5 }, 2, options));
      expect(some.progress.passes).toBeGreaterThanOrEqual(epochs);
      expect(some.progress.passes).toBeLessThan(epochs + (2 * 16) / 1500);
    }
  });

  test('the number of workers changes no bit: 1, 2, 3, 4, in one thread and on threads', async () => {
    const choice = { name: 'local-sgd', participation: 0.75, serverMomentum: 0.3, clients: 5 } as const;
    const base = bitsOf(await run(strategyJob('logistic', choice, 1)));
    for (const workers of [2, 3, 4]) {
      const job = strategyJob('logistic', choice, workers);
      for (const { chunkBegin, chunkEnd } of job.partition.shares) expect(chunkEnd).toBeGreaterThan(chunkBegin);
      expect(bitsOf(await run(job))).toBe(base);
    }
    expect(bitsOf(await onThreads(strategyJob('logistic', choice, 3)))).toBe(base);
  });

  test('a period of 1 is synchronous averaging: every client takes one step, and the mean of them is common', async () => {
    const clients = 3;
    const optimizerOptions = {
      tolerance: 0,
      learningRate: 0.05,
      batchSize: 32,
      epochs: 1,
      schedule: 'constant',
      precondition: 'none',
    } as const;
    const job = strategyJob('linear', { name: 'local-sgd', clients, syncEvery: 1 }, 1, { optimizerOptions });
    expect(bitsOf(await run(job))).toBe(await averaged(job, clients));
  });
});

/** One epoch of it, as the words say: rows of each client by their numbers, gradients from the evaluator of all rows. */
async function averaged(job: TrainingJob, clients: number): Promise<string> {
  const { OwnBatches } = await import('../../src/strategies/own-batches.ts');
  const { clientsOf } = await import('../../src/strategies/clients.ts');
  const { kernelsFor } = await import('../../src/engines/kernels.ts');
  const { createLoopbackCollectives } = await import('../../src/communicate/loopback/collectives.ts');
  const { layout } = STORES.linear.training;
  const [row] = createLoopbackCollectives(1);
  const own = clientsOf(layout, clients).map((client) => ({
    rows: client.rows,
    batches: new OwnBatches({
      store: job.store,
      share: { rank: 0, chunkBegin: client.chunkBegin, chunkEnd: client.chunkEnd, blockBegin: 0, blockEnd: layout.blocks },
      loss: 'squared',
      kernels: kernelsFor('wasm', 'f32'),
      row,
      seed: 0,
      batchSize: 32,
    }),
  }));
  const evaluator = new CellEvaluator({
    store: job.store,
    partition: job.partition,
    rank: 0,
    loss: 'squared',
    kernels: kernelsFor('wasm', 'f32'),
    world: row,
    row,
  });
  const totals = await evaluator.evaluate({ kind: 'totals', set: 'training' });
  const w = new Float64Array(layout.columns + 1);
  w[layout.columns] = totals.vy / totals.v;
  const V = totals.v;
  let read = 0;
  for (let round = 0; read < layout.rows; round += 1) {
    const reached = own.map(({ rows, batches }) => {
      // Whose epoch is over waits for the others'.
      if (round >= batches.perEpoch) return w.map((value) => (rows / layout.rows) * value);
      const { sums, rows: count } = batches.gradient(round, w, true);
      read += count;
      const step = w.map((value, j) => {
        const gradient = sums[j] / ((V * count) / layout.rows) + (j < layout.columns ? (1 / V) * value : 0);
        return value - 0.05 * (j < layout.columns ? gradient : sums[j] / ((V * count) / layout.rows));
      });
      return step.map((value) => (rows / layout.rows) * value);
    });
    for (let j = 0; j < w.length; j += 1) w[j] = reached[0][j] + reached[1][j] + reached[2][j];
  }
  return Buffer.from(w.buffer).toString('hex');
}

test.each(['parameter-server', 'local-sgd', 'hogwild', 'gossip'] as const)('%s: a part of an epoch is enough', async (name) => {
  const optimizerOptions = { ...constant, epochs: 0.5 };
  const { progress, reason } = await run(strategyJob('linear', { name, batchSize: 16, syncEvery: 4 }, 2, { optimizerOptions }));
  expect(reason).toBe('epochs done');
  expect(progress.passes).toBeGreaterThanOrEqual(0.5);
  expect(progress.passes).toBeLessThan(0.5 + (4 * 16) / 1500);
});

describe('gossip', () => {
  test('the same bits every time, in one thread and on threads, for every topology', async () => {
    for (const topology of ['ring', 'torus', 'complete'] as const)
      for (const partner of ['rotating', 'random'] as const) {
        const job = strategyJob('linear', { name: 'gossip', topology, partner, syncEvery: 2 }, 4);
        const bits = bitsOf(await run(job));
        expect(bitsOf(await (topology === 'torus' ? onThreads(job) : run(job)))).toBe(bits);
      }
  });
});

describe('all of them', () => {
  const NAMES = ['parameter-server', 'local-sgd', 'hogwild', 'gossip'] as const;

  test.each(NAMES)('%s closes 99 of 100 parts of the gap on least-squares and logistic data, with 2 threads', async (name) => {
    for (const model of ['linear', 'logistic'] as const) {
      const best = await run({
        ...strategyJob(model, {}, 1),
        strategy: undefined,
        optimizer: 'auto',
        optimizerOptions: { tolerance: 1e-6, learningRate: 'auto' },
      });
      const job = strategyJob(model, { name }, 2, { optimizerOptions: { tolerance: 0, learningRate: 'auto', epochs: 10 } });
      const { outcome, nullLoss } = await onThreads(job);
      expect((nullLoss - outcome.objective) / (nullLoss - best.outcome.objective), model).toBeGreaterThan(0.99);
    }
  });

  test.each(NAMES)('%s tells what it cost', async (name) => {
    const { costs, trainMs } = await onThreads(strategyJob('linear', { name }, 2));
    expect(costs?.strategy).toBe(name);
    expect(costs?.ranks).toHaveLength(name === 'parameter-server' ? 3 : 2);
    for (const { computeMs, waitMs, communicateMs, steps, rows, role } of costs?.ranks ?? []) {
      expect(Math.min(computeMs, communicateMs)).toBeGreaterThanOrEqual(0);
      // All of a rank's time is one of these three.
      expect(computeMs + waitMs + communicateMs).toBeLessThanOrEqual(trainMs + 50);
      expect(steps).toBeGreaterThan(0);
      if (role === 'worker') expect(rows).toBeGreaterThan(steps);
    }
    expect(costs?.curve.length).toBeGreaterThan(5);
    expect(costs?.utilisation).toBeGreaterThan(0);
  });

  test.each(NAMES)('%s ends when the user wants it to, with what was learned', async (name) => {
    const job = strategyJob('linear', { name }, 2, { optimizerOptions: { tolerance: 0, learningRate: 'auto', epochs: 1e6 } });
    const stop = new AbortController();
    const ending = onThreads(job, { signal: stop.signal });
    stop.abort();
    const { reason, outcome } = await ending;
    expect(reason).toBe('aborted');
    expect(outcome.vector.weights.every(Number.isFinite)).toBe(true);
    const limited = await onThreads({ ...job, endAtMs: Date.now() - 1 });
    expect(limited.reason).toBe('time limit');
  });
});

describe('threads that end', () => {
  test('a worker is replaced, and a server comes back from its snapshot: both are told, and the run converges', async () => {
    const faults = [
      { kind: 'kill', rank: 0, step: 20 },
      { kind: 'kill', rank: 2, step: 60 },
    ] as const;
    const outcome = await onThreads(strategyJob('linear', {}, 2), { faults });
    expect(outcome.restarts?.map(({ rank }) => rank).sort()).toEqual([0, 2]);
    expect(outcome.told).toHaveLength(2);
    expect(outcome.costs?.lost).toBeGreaterThan(0);
    expect(outcome.costs?.lost).toBeLessThanOrEqual(100);
    expect(outcome.outcome.objective).toBeLessThan(outcome.nullLoss / 10);
    expect(outcome.orders).toBeUndefined();
  });

  test('bulk-synchronous: with a worker lost, the bits of a run without', async () => {
    const job = strategyJob('linear', { staleness: 0 }, 2);
    const whole = bitsOf(await onThreads(job));
    expect(bitsOf(await onThreads(job, { faults: [{ kind: 'kill', rank: 1, step: 7 }] }))).toBe(whole);
  });

  test('too many losses end the run with an error that names the worker', async () => {
    const faults = [{ kind: 'kill', rank: 1, step: 3 }] as const;
    await expect(onThreads(strategyJob('linear', {}, 2), { faults, maxRestarts: 0 })).rejects.toMatchObject({
      code: 'PARAGRAD_WORKER_LOST',
      place: { rank: 1 },
    });
    await expect(onThreads(strategyJob('linear', { name: 'gossip' }, 2), { faults })).rejects.toMatchObject({
      code: 'PARAGRAD_WORKER_LOST',
      message: expect.stringContaining('as --kill 1@3 told it to: with --engine threads a lost worker of gossip is not replaced'),
    });
    const passes = {
      ...strategyJob('linear', {}, 2),
      strategy: undefined,
      optimizer: 'lbfgs',
      optimizerOptions: { tolerance: 0, learningRate: 'auto' },
    } as const;
    await expect(onThreads(passes, { faults })).rejects.toThrow(
      'as --kill 1@3 told it to: with --engine threads a lost worker of map-reduce',
    );
  });

  test('a slow worker pushes less than the others, a paused one stands still, and both go on', async () => {
    const faults = [
      { kind: 'slow', rank: 1, times: 10 },
      { kind: 'pause', rank: 0, step: 2, ms: 1 },
    ] as const;
    const { costs } = await onThreads(strategyJob('linear', {}, 2), { faults });
    expect(costs?.ranks[0]?.steps).toBeGreaterThan(costs?.ranks[1]?.steps ?? 0);
  });
});

describe('a tolerance', () => {
  test.each(['local-sgd', 'gossip'] as const)(
    '%s ends after the epoch in which it is reached, with the same bits wherever it runs',
    async (name) => {
      for (const model of ['linear', 'logistic'] as const) {
        const job = (tolerance: number, more: Partial<TrainingJob> = {}): TrainingJob =>
          strategyJob(model, { name }, 2, { ...more, optimizerOptions: { tolerance, learningRate: 'auto', epochs: 30 } });
        const all = await run(job(0));
        expect([all.reason, Math.round(all.progress.passes)]).toEqual(['epochs done', 30]);
        const checkpoints: Checkpoint[] = [];
        const session = inline.open(2);
        const ended = await session.train(job(5e-3, { checkpointEveryMs: 0 }), {
          onCheckpoint: (each) => checkpoints.push(structuredClone(each)),
        });
        expect(ended.reason).toBe('converged');
        expect(ended.progress.passes).toBeLessThan(20);
        expect(ended.outcome.gap).toBeLessThanOrEqual(5e-3 * (ended.nullLoss - ended.outcome.objective));
        expect(bitsOf(await onThreads(job(5e-3)))).toBe(bitsOf(ended));
        expect(bitsOf(await run(job(5e-3, { resume: checkpoints[Math.floor(checkpoints.length / 2)] })))).toBe(bitsOf(ended));
      }
    },
  );
});
