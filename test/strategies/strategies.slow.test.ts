import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inline } from '../../src/engines/inline.ts';
import { train } from '../../src/run/train.ts';
import type { TrainOptions } from '../../src/run/train-options.ts';
import { generator } from '../support/problems.ts';
import { strategyJob, threadsOfFile } from './choices.ts';

const onThreads = threadsOfFile();

/** Strategies on processes and on real data, and what they make of many losses. */

const AMES = path.resolve(import.meta.dirname, '../../examples/ames-housing.csv');
let folder: string;
const cache = process.env.PARAGRAD_CACHE;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'paragrad-test-'));
  process.env.PARAGRAD_CACHE = path.join(folder, 'cache');
});
afterAll(async () => {
  if (cache === undefined) delete process.env.PARAGRAD_CACHE;
  else process.env.PARAGRAD_CACHE = cache;
  await rm(folder, { recursive: true, force: true });
});

const ames = async (options: TrainOptions) => (await train(AMES, { target: 'Sale_Price', workers: 2, ...options })).summary;

/** Faults at places that a seed chooses, among `ranks` ranks. */
function kills(count: number, ranks: number, seed: number): { readonly kind: 'kill'; readonly rank: number; readonly step: number }[] {
  const random = generator(seed);
  return Array.from({ length: count }, () => ({ kind: 'kill', rank: Math.floor(random() * ranks), step: 1 + Math.floor(random() * 40) }));
}

/** By synchronous map-reduce: as near to the optimum as matters. */
let best: Promise<{ readonly loss: number }>;
beforeAll(() => {
  best = ames({ strategy: 'map-reduce', engine: 'threads' });
});

describe('Ames, with default options', () => {
  test.each([
    ['parameter-server', 'threads'],
    ['parameter-server', 'processes'],
    ['hogwild', 'threads'],
  ] as const)('%s on %s closes 99 of 100 parts of the gap', async (strategy, engine) => {
    const { loss, nullLoss } = await ames({ strategy, engine });
    expect((nullLoss - loss) / (nullLoss - (await best).loss)).toBeGreaterThan(0.99);
  });

  test.each(['local-sgd', 'gossip'] as const)('%s does so, and has the same bits on threads and on processes', async (strategy) => {
    const [one, other] = await Promise.all([ames({ strategy, engine: 'threads' }), ames({ strategy, engine: 'processes' })]);
    expect((one.nullLoss - one.loss) / (one.nullLoss - (await best).loss)).toBeGreaterThan(0.99);
    expect(other.weightsSha256).toBe(one.weightsSha256);
    expect(other.loss).toBe(one.loss);
  });

  // A run takes a tenth of a second: without a moment's patience the other thread has done nearly all of it by itself, and 97 of
  // 100 parts are closed.
  test.each([0, 1])('hogwild does so though thread %i is kept from its core for a moment', async (rank) => {
    const { loss, nullLoss } = await ames({ strategy: 'hogwild', engine: 'threads', pause: [`${rank}@2=50ms`] });
    expect((nullLoss - loss) / (nullLoss - (await best).loss)).toBeGreaterThan(0.99);
  });

  test('bulk-synchronous with three servers has the same bits on threads and on processes', async () => {
    const options = { strategy: 'parameter-server', staleness: 0, servers: 3 } as const;
    const [one, other] = await Promise.all([ames({ ...options, engine: 'threads' }), ames({ ...options, engine: 'processes' })]);
    expect(other.weightsSha256).toBe(one.weightsSha256);
  });
});

describe('losses of workers and servers', () => {
  test('50 on threads: the run converges, and tells of every one', async () => {
    const optimizerOptions = { tolerance: 1e-6, learningRate: 'auto' } as const;
    const optimum = await inline
      .open(1)
      .train({ ...strategyJob('linear', {}, 1), strategy: undefined, optimizer: 'auto', optimizerOptions }, {});
    for (const servers of [1, 2]) {
      const faults = kills(50, 2 + servers, servers);
      const job = strategyJob('linear', { servers }, 2, { optimizerOptions: { tolerance: 0, learningRate: 'auto', epochs: 60 } });
      const outcome = await onThreads(job, { faults, maxRestarts: 1000 });
      expect(outcome.restarts?.length).toBe(50);
      expect(outcome.told.length).toBe(50);
      const gained = outcome.nullLoss - outcome.outcome.objective;
      expect(gained / (outcome.nullLoss - optimum.outcome.objective)).toBeGreaterThan(0.99);
      // At most 100 updates with every server that was lost.
      const servings = outcome.restarts?.filter(({ rank }) => rank >= 2).length ?? 0;
      expect(outcome.costs?.lost).toBeLessThanOrEqual(100 * servings);
    }
  });

  test('50 on processes: the run converges, nothing is left behind', async () => {
    const faults = kills(50, 3, 9).map(({ rank, step }) => `${rank}@${step}`);
    const summary = await ames({
      strategy: 'parameter-server',
      engine: 'processes',
      batchSize: 32,
      epochs: 40,
      kill: faults,
      maxRestarts: 1000,
    });
    expect(summary.restarts?.length).toBe(50);
    expect((summary.nullLoss - summary.loss) / (summary.nullLoss - (await best).loss)).toBeGreaterThan(0.99);
    expect((await readdir(folder)).sort()).toEqual(['cache']);
  });
});
