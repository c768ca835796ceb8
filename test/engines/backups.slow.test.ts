import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { EngineOptions } from '../../src/engines/engine.ts';
import { inline } from '../../src/engines/inline.ts';
import { local } from '../../src/engines/processes/local.ts';
import { ProcessSession } from '../../src/engines/processes/session.ts';
import type { DataSource, TrainingJob, TrainingOutcome } from '../../src/strategies/job.ts';
import { jobOf, randomData, storeOf } from '../support/problems.ts';
import { bits, Ground, writeStore } from '../support/processes.ts';

const DTYPES = ['f32', 'f64'] as const;
const WORKERS = 3;

let ground: Ground;
const problems = new Map<string, { readonly job: TrainingJob; readonly source: DataSource }>();

beforeAll(async () => {
  ground = new Ground();
  for (const dtype of DTYPES) {
    const data = { ...randomData(7, 300, 200, false), offset: (row: number) => (row % 5) / 4 };
    const store = storeOf(data, { dtype, chunkRows: 16, validation: randomData(8, 60, 200, false) });
    const optimizerOptions = { tolerance: 0, learningRate: 1e-3 };
    const job = jobOf(store, { optimizer: 'gradient-descent', optimizerOptions, maxPasses: 120 });
    problems.set(dtype, { job, source: await writeStore(store, join(ground.folder, dtype)) });
  }
});
afterAll(() => ground.remove());
afterEach(() => expect(ground.left()).toEqual([]));

async function run(
  dtype: string,
  backup: number,
  options: EngineOptions,
  more: Partial<TrainingJob> = {},
): Promise<[TrainingOutcome, string]> {
  const { job, source } = problems.get(dtype) as NonNullable<ReturnType<typeof problems.get>>;
  const base = bits(await inline.open(1).train({ ...job, ...more }, {}));
  const { partition } = jobOf(job.store, { kind: 'rows', workers: WORKERS });
  const session = new ProcessSession(WORKERS + backup, local, { communicate: 'client-server', backup, ...options });
  try {
    return [await session.train({ ...job, ...more, partition, source }, {}), base];
  } finally {
    await session.close();
  }
}

test.each(DTYPES)('a slow worker and a backup, %s: the backup is first, and the sums have the same bits', async (dtype) => {
  const [outcome, base] = await run(dtype, 1, { faults: [{ kind: 'slow', rank: 1, times: 20 }] });
  expect(bits(outcome)).toBe(base);
  const slow = outcome.speculated?.find(({ rank }) => rank === 1);
  expect(slow?.won).toBeGreaterThan(0);
  expect(slow?.won).toBeLessThanOrEqual(slow?.passes as number);
});

test.each(DTYPES)('nobody is slow, or everybody: the same bits, %s', async (dtype) => {
  for (const optimizer of ['conjugate-gradient', 'lbfgs', 'newton-cg'] as const) {
    const [outcome, base] = await run(dtype, 2, {}, { optimizer, maxPasses: 40 });
    expect(bits(outcome), optimizer).toBe(base);
  }
});

test.each([1, 3])('rank %i, a worker or the backup, is killed: it is replaced, and the sums have the same bits', async (rank) => {
  const faults = [
    { kind: 'slow', rank: 2, times: 20 },
    { kind: 'kill', rank, step: 60, phase: 'map' },
  ] as const;
  const [outcome, base] = await run('f64', 1, { faults });
  expect(bits(outcome)).toBe(base);
  expect(outcome.restarts).toMatchObject([{ rank, phase: 'map' }]);
});
