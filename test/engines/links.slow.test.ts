import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { EngineHooks, EngineOptions } from '../../src/engines/engine.ts';
import { inline } from '../../src/engines/inline.ts';
import { local } from '../../src/engines/processes/local.ts';
import { ProcessSession } from '../../src/engines/processes/session.ts';
import type { DataSource, TrainingJob, TrainingOutcome } from '../../src/strategies/job.ts';
import { jobOf, randomData, storeOf } from '../support/problems.ts';
import { bits, Ground, writeStore } from '../support/processes.ts';

const DESCENT = { optimizer: 'gradient-descent', optimizerOptions: { tolerance: 0, learningRate: 0.1 }, maxPasses: 200 } as const;

let ground: Ground;
let source: DataSource;
let job: TrainingJob;
let exact: TrainingOutcome;

beforeAll(async () => {
  ground = new Ground();
  const store = storeOf(randomData(3, 301, 24, false), { dtype: 'f64', chunkRows: 16, blockColumns: 8 });
  expect(store.training.layout.chunks).toBeGreaterThanOrEqual(8);
  source = await writeStore(store, join(ground.folder, 'data'));
  job = jobOf(store, { ...DESCENT, model: 'linear' });
  exact = await inline.open(1).train(job, {});
});
afterAll(() => ground.remove());
afterEach(() => expect(ground.left()).toEqual([]));

async function on(workers: number, options: EngineOptions, hooks: EngineHooks = {}): Promise<TrainingOutcome> {
  const session = new ProcessSession(workers, local, options);
  const { partition } = jobOf(job.store, { kind: 'rows', workers });
  try {
    return await session.train({ ...job, partition, source }, hooks);
  } finally {
    await session.close();
  }
}

test.each(['peer-to-peer', 'client-server'] as const)(
  'a delay and a rate, %s: the same bits, and not faster than the link',
  async (communicate) => {
    const begin = performance.now();
    const outcome = await on(3, { communicate, link: { delayMs: 2, bytesPerSecond: 1e6 } });
    expect(bits(outcome)).toBe(bits(exact));
    // Each pass is a step of communication at least.
    expect(performance.now() - begin).toBeGreaterThan(2 * exact.progress.passes);
  },
);

test.each([{ kind: 'f32' }, { kind: 'top-k', share: 0.25 }] as const)(
  'gradients as $kind: other bits, the same model, and it is said',
  async (compress) => {
    const notes: string[] = [];
    const outcome = await on(3, { compress }, { onNote: (text) => notes.push(text) });
    expect(notes.join()).toMatch(/not the same bits/);
    expect(bits(outcome)).not.toBe(bits(exact));
    const difference = outcome.outcome.vector.weights.map((weight, i) => Math.abs(weight - (exact.outcome.vector.weights[i] as number)));
    const size = Math.max(...exact.outcome.vector.weights.map(Math.abs));
    expect(Math.max(...difference)).toBeLessThan(size * (compress.kind === 'f32' ? 1e-6 : 1e-2));
  },
);
