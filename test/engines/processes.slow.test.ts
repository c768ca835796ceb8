import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Collective } from '../../src/communicate/collective.ts';
import { createLoopbackChannels } from '../../src/communicate/loopback/channel.ts';
import { createMessageCollective } from '../../src/communicate/messages/collective.ts';
import type { EngineHooks, EngineOptions } from '../../src/engines/engine.ts';
import { inline } from '../../src/engines/inline.ts';
import { kernelsFor } from '../../src/engines/kernels.ts';
import { local } from '../../src/engines/processes/local.ts';
import { ProcessSession } from '../../src/engines/processes/session.ts';
import type { PartitionKind } from '../../src/partition/plan.ts';
import type { DataSource, TrainingJob, TrainingOutcome } from '../../src/strategies/job.ts';
import { mapReduce } from '../../src/strategies/map-reduce.ts';
import { jobOf, randomData, storeOf } from '../support/problems.ts';
import { bits, Ground, writeStore } from '../support/processes.ts';
import { distinctKinds } from '../support/splits.ts';

const DTYPES = ['f32', 'f64'] as const;
/** Wide enough for reduce-scatter and all-gather, and for a block for each of five workers. */
const COLUMNS = 530;

let ground: Ground;
const problems = new Map<string, { readonly job: TrainingJob; readonly source: DataSource; readonly base: TrainingOutcome }>();

beforeAll(async () => {
  ground = new Ground();
  for (const dtype of DTYPES)
    for (const model of ['linear', 'logistic'] as const) {
      const data = { ...randomData(7, 301, COLUMNS, model === 'logistic'), offset: (row: number) => (row % 5) / 4 };
      const validation = { ...randomData(8, 90, COLUMNS, model === 'logistic'), offset: (row: number) => (row % 3) / 4 };
      const store = storeOf(data, { dtype, chunkRows: 16, blockColumns: 60, validation });
      expect(store.training.layout.chunks).toBeGreaterThanOrEqual(8);
      const job = jobOf(store, { model, optimizer: model === 'linear' ? 'conjugate-gradient' : 'lbfgs', maxPasses: 8 });
      const source = await writeStore(store, join(ground.folder, `${dtype}-${model}`));
      problems.set(`${dtype} ${model}`, { job, source, base: await inline.open(1).train(job, {}) });
    }
});
afterAll(() => ground.remove());
afterEach(() => expect(ground.left()).toEqual([]));

async function onProcesses<T>(workers: number, options: EngineOptions, use: (session: ProcessSession) => Promise<T>): Promise<T> {
  const session = new ProcessSession(workers, local, options);
  try {
    return await use(session);
  } finally {
    await session.close();
  }
}

function jobFor(name: string, kind: PartitionKind, workers: number, options: Partial<TrainingJob> = {}): TrainingJob {
  const { job, source } = problems.get(name) as NonNullable<ReturnType<typeof problems.get>>;
  const made = jobOf(job.store, { ...job, kind, workers, ...options, source });
  const { partition } = jobOf(job.store, { kind, workers });
  for (const share of partition.shares) expect(share.chunkEnd > share.chunkBegin && share.blockEnd > share.blockBegin).toBe(true);
  return { ...made, partition };
}

/** f32 and f64 for every number of workers, and both models: the one that goes with a dtype changes from number to number. */
const PROBLEMS = [
  ['f32 linear', 'f64 logistic'],
  ['f32 logistic', 'f64 linear'],
] as const;

test.each([
  ...[1, 2, 3, 4, 5].map((workers) => ['peer-to-peer', 1, workers] as const),
  ...[1, 2, 3, 4, 5].map((workers) => ['client-server', 1, workers] as const),
  ...[2, 3, 4, 5].map((workers) => ['client-server', 2, workers] as const),
])('%s, reducers %i, processes %i ≡ inline to the bit: rows, columns, grid, f32, f64', async (communicate, reducers, workers) => {
  await onProcesses(workers, { communicate, reducers }, async (session) => {
    for (const name of PROBLEMS[workers % 2] ?? []) {
      const { job, base } = problems.get(name) as NonNullable<ReturnType<typeof problems.get>>;
      for (const kind of distinctKinds(job.store.training.layout, workers))
        expect(bits(await session.train(jobFor(name, kind, workers), {})), `${name} ${kind}`).toBe(bits(base));
    }
  });
});

/** The ring over loopback channels, in this thread: its bits depend on the number of ranks. */
async function ringInline(job: TrainingJob): Promise<TrainingOutcome> {
  const { workers, grid } = job.partition;
  const ring = (size: number): Collective[] =>
    createLoopbackChannels(size).map((channels, rank) => createMessageCollective(rank, channels, { algorithm: 'ring' }));
  const worlds = ring(workers);
  const rows = Array.from({ length: grid.rows }, () => ring(grid.columns)).flat();
  const outcomes = await Promise.all(
    worlds.map((world, rank) =>
      mapReduce.run(job, {
        rank,
        world,
        row: rows[rank] as Collective,
        kernels: kernelsFor('wasm', job.store.training.layout.dtype),
        now: () => 0,
        decide: () => 0,
        onStep: () => undefined,
        onCheckpoint: () => undefined,
      }),
    ),
  );
  return outcomes[0] as TrainingOutcome;
}

test.each([2, 3, 5])('ring of %i: the bits of a ring of that size', async (workers) => {
  await onProcesses(workers, { communicate: 'ring' }, async (session) => {
    for (const name of ['f32 linear', 'f64 logistic'])
      for (const kind of distinctKinds(jobFor(name, 'rows', workers).store.training.layout, workers)) {
        const job = jobFor(name, kind, workers);
        expect(bits(await session.train(job, {})), `${name} ${kind}`).toBe(bits(await ringInline(job)));
      }
  });
});

const DESCENT = { optimizer: 'gradient-descent', optimizerOptions: { tolerance: 0, learningRate: 1e-3 }, maxPasses: 40 } as const;

/** A long job, and its bits. */
async function descent(
  kind: PartitionKind,
  workers: number,
  more: Partial<TrainingJob> = {},
): Promise<{ job: TrainingJob; expected: string }> {
  const job = jobFor('f32 linear', kind, workers, { ...DESCENT, ...more });
  return { job, expected: bits(await inline.open(1).train({ ...job, partition: jobOf(job.store).partition }, {})) };
}

/** One kill, looked at closely; kills in every phase of every way and split are in kills.slow.test.ts, but for the ring. */
test.each([
  ['peer-to-peer', 'reduce-scatter', 'grid'],
  ['client-server', 'reduce', 'rows'],
  ['ring', 'loading', 'rows'],
  ['ring', 'map', 'grid'],
] as const)('a worker killed, %s, at %s, %s: replaced, and the same bits', async (communicate, phase, kind) => {
  const { job, expected } = await descent(kind, 4);
  const notes: string[] = [];
  const told: number[] = [];
  const rank = phase === 'reduce' ? 0 : 2;
  const hooks: EngineHooks = {
    onNote: (text) => notes.push(text),
    onSteps: (steps) => told.push(...steps.map(({ iteration }) => iteration)),
  };
  const outcome = await onProcesses(4, { communicate, faults: [{ kind: 'kill', rank, step: 9, phase }] }, (session) =>
    session.train(job, hooks),
  );
  if (communicate === 'ring') expect(bits(outcome)).toBe(bits(await ringInline(job)));
  else expect(bits(outcome)).toBe(expected);
  expect(outcome.restarts).toMatchObject([{ rank, phase, why: 'was ended by SIGKILL' }]);
  expect(notes).toHaveLength(1);
  // Every update was told, once and in order.
  expect(told).toEqual(outcome.steps.map(({ iteration }) => iteration));
});

test('rank 0 killed, several times, with early stopping and a line search: the same bits', async () => {
  const more = {
    earlyStopping: 30,
    optimizerOptions: { tolerance: 0, learningRate: 'auto', lineSearch: 'backtracking' },
  } as const;
  const { job, expected } = await descent('columns', 3, more);
  const faults = [5, 11, 20].map((step) => ({ kind: 'kill', rank: 0, step, phase: 'all-gather' }) as const);
  const outcome = await onProcesses(3, { faults }, (session) => session.train(job, {}));
  expect(bits(outcome)).toBe(expected);
  expect(outcome.restarts).toHaveLength(3);
});

test('all workers killed at the same step: the run begins again, and has the same bits', async () => {
  const { job, expected } = await descent('rows', 3);
  const faults = [0, 1, 2].map((rank) => ({ kind: 'kill', rank, step: 7, phase: 'map' }) as const);
  const outcome = await onProcesses(3, { faults }, (session) => session.train(job, {}));
  expect(bits(outcome)).toBe(expected);
  expect(outcome.restarts).toHaveLength(3);
});

test('a worker that stands still for too long is replaced; a shorter pause and slowness change nothing', async () => {
  const { job, expected } = await descent('rows', 3);
  const still = [{ kind: 'pause', rank: 1, step: 6, phase: 'map', ms: 600_000 }] as const;
  const replaced = await onProcesses(3, { silenceMs: 4000, faults: still }, (session) => session.train(job, {}));
  expect(bits(replaced)).toBe(expected);
  expect(replaced.restarts).toMatchObject([{ rank: 1, phase: 'map', why: 'showed no sign of life for 4000 ms' }]);
  const harmless = [
    { kind: 'pause', rank: 1, step: 6, phase: 'all-gather', ms: 300 },
    { kind: 'slow', rank: 2, times: 3 },
  ] as const;
  const waited = await onProcesses(3, { faults: harmless }, (session) => session.train(job, {}));
  expect(bits(waited)).toBe(expected);
  expect(waited.restarts).toBeUndefined();
});

test('more losses than allowed: the error names the worker, and the last state is handed out before', async () => {
  const { job, expected } = await descent('rows', 3);
  const faults = [4, 6, 8].map((step) => ({ kind: 'kill', rank: 1, step, phase: 'map' }) as const);
  const checkpoints: unknown[] = [];
  const run = onProcesses(3, { maxRestarts: 2, faults }, (session) =>
    session.train(job, { onCheckpoint: (checkpoint) => checkpoints.push(checkpoint) }),
  );
  await expect(run).rejects.toMatchObject({ code: 'PARAGRAD_WORKER_LOST', place: { rank: 1 } });
  expect(checkpoints).toHaveLength(1);
  const resume = checkpoints[0] as NonNullable<TrainingJob['resume']>;
  expect(resume.steps.length).toBeGreaterThan(3);
  expect(bits(await onProcesses(2, {}, (session) => session.train({ ...jobFor('f32 linear', 'rows', 2, DESCENT), resume }, {})))).toBe(
    expected,
  );
});

test('an error of the run itself ends it, without restarts, and the session goes on', async () => {
  const diverging = jobFor('f64 linear', 'rows', 3, { ...DESCENT, optimizerOptions: { tolerance: 0, learningRate: 1e6 }, maxPasses: 1e6 });
  const { base } = problems.get('f64 linear') as NonNullable<ReturnType<typeof problems.get>>;
  await onProcesses(3, {}, async (session) => {
    await expect(session.train(diverging, {})).rejects.toMatchObject({ code: 'PARAGRAD_DIVERGED' });
    const missing = { ...diverging, source: { folder: join(ground.folder, 'nowhere'), id: '' } };
    await expect(session.train(missing, {})).rejects.toMatchObject({ code: 'PARAGRAD_DATASET_FOLDER' });
    expect(bits(await session.train(jobFor('f64 linear', 'rows', 3), {}))).toBe(bits(base));
  });
});

test('an abort and a hook that throws end all ranks', async () => {
  const endless = jobFor('f32 linear', 'rows', 2, { ...DESCENT, optimizerOptions: { tolerance: 0, learningRate: 1e-9 }, maxPasses: 1e9 });
  const abort = new AbortController();
  const mine = new Error('mine');
  await onProcesses(2, {}, async (session) => {
    const outcome = await session.train(endless, { signal: abort.signal, onSteps: () => abort.abort() });
    expect(outcome.reason).toBe('aborted');
    const throws = (): void => {
      throw mine;
    };
    await expect(session.train(endless, { onSteps: throws })).rejects.toBe(mine);
  });
});
