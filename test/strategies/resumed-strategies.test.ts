import { describe, expect, test } from 'vitest';
import { inline } from '../../src/engines/inline.ts';
import type { StrategyChoice } from '../../src/strategies/choice.ts';
import type { Checkpoint, TrainingJob, TrainingOutcome } from '../../src/strategies/job.ts';
import { ranksOf } from '../../src/strategies/registry.ts';
import { bitsOf, strategyJob, threadsOfFile } from './choices.ts';

const onThreads = threadsOfFile();

/** Law: a run that goes on from any of its checkpoints ends with the bits of one that was never interrupted, where bits are promised. */

type Run = TrainingOutcome & { readonly checkpoints: readonly Checkpoint[] };

async function run(job: TrainingJob): Promise<Run> {
  const checkpoints: Checkpoint[] = [];
  const session = inline.open(ranksOf(job));
  const outcome = await session.train(job, { onCheckpoint: (checkpoint) => checkpoints.push(structuredClone(checkpoint)) });
  return { ...outcome, checkpoints };
}

const PROMISED: [string, Partial<StrategyChoice>, number, Partial<TrainingJob>][] = [
  ['local SGD, all clients', { name: 'local-sgd' }, 2, {}],
  ['local SGD, some clients, momentum', { name: 'local-sgd', participation: 0.5, serverMomentum: 0.4, clients: 5 }, 3, {}],
  ['gossip', { name: 'gossip', syncEvery: 2 }, 4, {}],
  ['gossip with memory', { name: 'gossip', partner: 'random', topology: 'complete' }, 3, { optimizer: 'adam' }],
  ['a server with clocks', { staleness: 0 }, 3, { optimizer: 'momentum' }],
  ['a server and one worker', {}, 1, { optimizer: 'adam' }],
  ['Hogwild, one thread', { name: 'hogwild' }, 1, { optimizer: 'momentum' }],
];

describe('resumed ≡ uninterrupted', () => {
  test.each(PROMISED)('%s', async (_, choice, workers, options) => {
    const job = strategyJob('logistic', choice, workers, { ...options, checkpointEveryMs: 0 });
    const whole = await run(job);
    expect(whole.checkpoints.length).toBeGreaterThan(2);
    for (const part of [0, 0.4, 0.9]) {
      const checkpoint = whole.checkpoints[Math.floor(part * whole.checkpoints.length)];
      const resumed = await run({ ...job, resume: checkpoint });
      expect(bitsOf(resumed), `from part ${part}`).toBe(bitsOf(whole));
      expect([resumed.progress.iteration, resumed.progress.passes]).toEqual([whole.progress.iteration, whole.progress.passes]);
      expect(resumed.checkpoints.length).toBeLessThanOrEqual(whole.checkpoints.length);
      const counts = ({ costs }: Run) => costs?.ranks.map(({ role, steps, rows }) => [role, steps, rows]);
      expect(counts(resumed)).toEqual(counts(whole));
    }
  });

  test.each(PROMISED)('%s, after a limit of readings, on threads', async (_, choice, workers, options) => {
    const job = strategyJob('linear', choice, workers, options);
    const whole = bitsOf(await run(job));
    const { reason, checkpoints } = await run({ ...job, maxPasses: 2 });
    expect([reason, checkpoints.length]).toEqual(['max passes', 1]);
    expect(bitsOf(await onThreads({ ...job, resume: checkpoints[0] }))).toBe(whole);
  });

  test('map-reduce counts the readings before', async () => {
    const job = { ...strategyJob('logistic', {}, 2, { checkpointEveryMs: 0, optimizer: 'lbfgs' }), strategy: undefined };
    const optimizerOptions = { tolerance: 0, learningRate: 'auto' } as const;
    const whole = await run({ ...job, optimizerOptions });
    const resumed = await run({ ...job, optimizerOptions, resume: whole.checkpoints[3] });
    expect(bitsOf(resumed)).toBe(bitsOf(whole));
    expect(whole.costs?.ranks[0].steps).toBeGreaterThan(4);
    // One reading more: the sample of the metric that was not saved.
    expect(resumed.costs?.ranks.map(({ steps }) => steps)).toEqual(whole.costs?.ranks.map(({ steps }) => steps + 1));
  });

  test('local SGD goes on with any number of workers', async () => {
    const job = (workers: number): TrainingJob =>
      strategyJob('linear', { name: 'local-sgd', participation: 0.75 }, workers, { checkpointEveryMs: 0 });
    const whole = await run(job(1));
    const resume = whole.checkpoints[3];
    for (const workers of [2, 4]) expect(bitsOf(await run({ ...job(workers), resume }))).toBe(bitsOf(whole));
  });
});

describe('where no bits are promised', () => {
  const endless = { tolerance: 0, learningRate: 'auto', epochs: 1e6 } as const;

  test.each(['parameter-server', 'local-sgd', 'hogwild', 'gossip'] as const)(
    '%s, interrupted by the user, has a checkpoint from which it goes on and closes the gap',
    async (name) => {
      const job = strategyJob('linear', { name, servers: 2 }, 2);
      const stop = new AbortController();
      const checkpoints: Checkpoint[] = [];
      const ended = await onThreads(
        { ...job, optimizerOptions: { ...job.optimizerOptions, ...endless }, checkpointEveryMs: 0 },
        {
          signal: stop.signal,
          onCheckpoint: (checkpoint) => {
            checkpoints.push(checkpoint);
            stop.abort();
          },
        },
      );
      expect(ended.reason).toBe('aborted');
      const resume = checkpoints.at(-1) as Checkpoint;
      const before = ended.progress.passes;
      const optimizerOptions = { ...job.optimizerOptions, epochs: Math.ceil(before) + 4 };
      const { outcome, nullLoss, progress, costs } = await onThreads({ ...job, optimizerOptions, resume });
      expect(progress.passes).toBeGreaterThanOrEqual(Math.ceil(before) + 4);
      expect(costs?.lost).toBe(0);
      expect(costs?.curve.every(({ passes }) => passes > before - 1)).toBe(true);
      expect(outcome.objective).toBeLessThan(nullLoss / 10);
    },
  );

  test('a server goes on with other workers than it had, with clocks and without', async () => {
    for (const staleness of [0, 'asynchronous'] as const)
      for (const [before, after] of [
        [3, 2],
        [2, 3],
      ]) {
        const job = (workers: number): TrainingJob => strategyJob('linear', { staleness, servers: 2 }, workers, { checkpointEveryMs: 0 });
        const { checkpoints } = await run({ ...job(before), maxPasses: 1 });
        const { outcome, nullLoss, progress } = await run({ ...job(after), resume: checkpoints.at(-1) });
        expect(progress.passes).toBeGreaterThanOrEqual(4);
        expect(outcome.objective).toBeLessThan(nullLoss / 10);
      }
  });

  test('gossip goes on with as many workers only, since each has weights of its own', async () => {
    const job = (workers: number): TrainingJob => strategyJob('linear', { name: 'gossip' }, workers, { checkpointEveryMs: 0 });
    const { checkpoints } = await run(job(3));
    await expect(run({ ...job(2), resume: checkpoints[0] })).rejects.toMatchObject({
      code: 'PARAGRAD_RESUME',
      place: { option: '--workers' },
    });
  });
});
