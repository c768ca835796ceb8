import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { EngineHooks } from '../../src/engines/engine.ts';
import { inline } from '../../src/engines/inline.ts';
import { local } from '../../src/engines/processes/local.ts';
import { ProcessSession } from '../../src/engines/processes/session.ts';
import type { DataSource, TrainingJob } from '../../src/strategies/job.ts';
import { jobOf, randomData, storeOf } from '../support/problems.ts';
import { bits, Ground, writeStore } from '../support/processes.ts';

/** So many that they add in groups of neighbours (docs/algorithms.md). */
const WORKERS = 40;
const PASSES = 12;

let ground: Ground;
let job: TrainingJob;
let source: DataSource;

beforeAll(async () => {
  ground = new Ground();
  // Its gradient is long enough for reduce-scatter, its losses (of early stopping) are short enough for all-to-all.
  const store = storeOf(randomData(7, 700, 530, false), {
    dtype: 'f32',
    chunkRows: 16,
    blockColumns: 60,
    validation: randomData(8, 60, 530, false),
  });
  expect(store.training.layout.chunks).toBeGreaterThanOrEqual(WORKERS);
  const optimizerOptions = { tolerance: 0, learningRate: 1e-3 };
  job = jobOf(store, { optimizer: 'gradient-descent', optimizerOptions, maxPasses: PASSES, earlyStopping: 1e6 });
  source = await writeStore(store, join(ground.folder, 'data'));
});
afterAll(() => ground.remove());
afterEach(() => expect(ground.left()).toEqual([]));

test('40 processes, of which two are killed: connected with few, and the bits of one', async () => {
  const base = await inline.open(1).train(job, {});
  const { partition } = jobOf(job.store, { kind: 'rows', workers: WORKERS });
  for (const share of partition.shares) expect(share.chunkEnd > share.chunkBegin).toBe(true);
  const faults = [
    { kind: 'kill', rank: 17, step: 4, phase: 'reduce-scatter' },
    { kind: 'kill', rank: 0, step: 7, phase: 'all-gather' },
  ] as const;
  const session = new ProcessSession(WORKERS, local, { faults, silenceMs: 300_000 });
  const told: number[] = [];
  try {
    const hooks: EngineHooks = { onSteps: (steps) => told.push(...steps.map(({ iteration }) => iteration)) };
    const outcome = await session.train({ ...job, partition, source }, hooks);
    expect(bits(outcome)).toBe(bits(base));
    expect(outcome.restarts).toMatchObject([
      { rank: 17, phase: 'reduce-scatter', why: 'was ended by SIGKILL' },
      { rank: 0, phase: 'all-gather', why: 'was ended by SIGKILL' },
    ]);
    expect(told).toEqual(outcome.steps.map(({ iteration }) => iteration));
  } finally {
    await session.close();
  }
});
