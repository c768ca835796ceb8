import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { EngineHooks, EngineOptions, RankFault } from '../../src/engines/engine.ts';
import { inline } from '../../src/engines/inline.ts';
import type { Launcher } from '../../src/engines/processes/launcher.ts';
import { local } from '../../src/engines/processes/local.ts';
import { ProcessSession } from '../../src/engines/processes/session.ts';
import type { PartitionKind } from '../../src/partition/plan.ts';
import type { DataSource, TrainingJob, TrainingOutcome } from '../../src/strategies/job.ts';
import { generator, jobOf, randomData, storeOf } from '../support/problems.ts';
import { bits, Ground, writeStore } from '../support/processes.ts';

/**
 * Workers killed at random places of a run, by a seed: another one (PARAGRAD_TEST_SEED) is other kills. A run has a kill in each
 * phase that its way of communication has, so that every phase is hit as often as there are runs.
 */
const SEED = Number(process.env.PARAGRAD_TEST_SEED ?? 7);
const KINDS: readonly PartitionKind[] = ['rows', 'columns', 'grid'];
const DTYPES = ['f32', 'f64'] as const;
const PHASES = {
  'peer-to-peer': ['loading', 'idle', 'map', 'all-to-all', 'reduce-scatter', 'all-gather'],
  'client-server': ['loading', 'idle', 'map', 'shuffle', 'reduce', 'broadcast'],
} as const;
const WAYS = ['peer-to-peer', 'client-server'] as const;
const PASSES = 30;
/** Late enough to lie in the loop, early enough for what is still to come. */
const LAST_STEP = 24;
const PATIENT = { maxRestarts: 100, silenceMs: 60_000 } as const;

interface Worker {
  readonly rank: number;
  readonly pid: number;
  how: string | undefined;
}

let ground: Ground;
const problems = new Map<string, { readonly job: TrainingJob; readonly source: DataSource }>();
const hits = new Map<string, number>();

beforeAll(async () => {
  ground = new Ground();
  for (const dtype of DTYPES) {
    // Its gradient is long enough for reduce-scatter, its losses (of early stopping) are short enough for all-to-all.
    const data = { ...randomData(7, 140, 530, false), offset: (row: number) => (row % 5) / 4 };
    const store = storeOf(data, { dtype, chunkRows: 16, blockColumns: 60, validation: randomData(8, 60, 530, false) });
    expect(store.training.layout.chunks).toBeGreaterThanOrEqual(8);
    const optimizerOptions = { tolerance: 0, learningRate: 1e-3 };
    const job = jobOf(store, { optimizer: 'gradient-descent', optimizerOptions, maxPasses: PASSES, earlyStopping: 1e6 });
    problems.set(dtype, { job, source: await writeStore(store, join(ground.folder, dtype)) });
  }
});
afterAll(() => {
  const total = [...hits.values()].reduce((sum, count) => sum + count, 0);
  process.stdout.write(
    `kills by phase (seed ${SEED}): ${[...hits].map(([phase, count]) => `${phase} ${count}`).join(', ')}; ${total} in all\n`,
  );
  ground.remove();
});
afterEach(() => expect(ground.left()).toEqual([]));

/** Runs the problem on processes, and knows every process that was started. */
async function run(
  dtype: string,
  kind: PartitionKind,
  workers: number,
  options: EngineOptions,
  more: Partial<TrainingJob> = {},
  hooksOf: (session: ProcessSession) => EngineHooks = () => ({}),
): Promise<{ outcome: TrainingOutcome; base: TrainingOutcome; started: Worker[] }> {
  const { job, source } = problems.get(dtype) as NonNullable<ReturnType<typeof problems.get>>;
  const base = await inline.open(1).train({ ...job, ...more }, {});
  const { partition } = jobOf(job.store, { kind, workers });
  for (const share of partition.shares) expect(share.chunkEnd > share.chunkBegin && share.blockEnd > share.blockBegin).toBe(true);
  const started: Worker[] = [];
  const launcher: Launcher = {
    ...local,
    async start(invitation, key) {
      const launched = local.start(invitation, key);
      const worker: Worker = { rank: invitation.rank as number, pid: launched.pid as number, how: undefined };
      started.push(worker);
      void launched.gone.then((how) => {
        worker.how = how;
      });
      return launched;
    },
  };
  const session = new ProcessSession(workers, launcher, options);
  try {
    return { outcome: await session.train({ ...job, ...more, partition, source }, hooksOf(session)), base, started };
  } finally {
    await session.close();
  }
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}

/** A kill in each phase, of random ranks after random steps; `reduce` is what reducers do. */
function planOf(random: () => number, communicate: (typeof WAYS)[number], workers: number, reducers: number): RankFault[] {
  const below = (end: number): number => Math.floor(random() * end);
  return PHASES[communicate].map((phase) => ({
    kind: 'kill',
    rank: below(phase === 'reduce' ? reducers : workers),
    step: below(LAST_STEP),
    phase,
  }));
}

describe.each(WAYS)('killed, %s', (communicate) => {
  describe.each(KINDS)('%s', (kind) => {
    test.each(DTYPES)('%s: every worker is replaced, and the weights have the same bits', async (dtype) => {
      const random = generator(SEED * 1000 + WAYS.indexOf(communicate) * 100 + KINDS.indexOf(kind) * 10 + DTYPES.indexOf(dtype));
      const workers = 3 + Math.floor(random() * 2);
      const reducers = 1 + Math.floor(random() * 2);
      const faults = planOf(random, communicate, workers, reducers);
      const plan = faults.map((fault) => JSON.stringify(fault)).join(' ');
      const told: number[] = [];
      const hooks: EngineHooks = { onSteps: (steps) => told.push(...steps.map(({ iteration }) => iteration)) };
      const { outcome, base, started } = await run(dtype, kind, workers, { ...PATIENT, communicate, reducers, faults }, {}, () => hooks);
      expect(bits(outcome), plan).toBe(bits(base));
      // Every update was told, once and in order.
      expect(told).toEqual(outcome.steps.map(({ iteration }) => iteration));
      expect(outcome.steps.map(({ objective }) => objective)).toEqual(base.steps.map(({ objective }) => objective));
      // All that was planned has happened, and nothing else.
      const planned = faults.map((fault) => (fault.kind === 'slow' ? '' : `${fault.rank} ${fault.phase}`));
      expect(outcome.restarts?.map(({ rank, phase }) => `${rank} ${phase}`).sort(), plan).toEqual(planned.sort());
      for (let rank = 0; rank < workers; rank += 1) {
        const lives = started.filter((worker) => worker.rank === rank);
        const kills = faults.filter((fault) => fault.rank === rank).length;
        expect(lives).toHaveLength(kills + 1);
        for (const { pid, how } of lives.slice(0, kills)) {
          expect(how).toBe('was ended by SIGKILL');
          expect(isGone(pid)).toBe(true);
        }
      }
      for (const { phase } of outcome.restarts ?? []) hits.set(phase, (hits.get(phase) ?? 0) + 1);
    });
  });
});

test('every phase was hit at least five times, in at least fifty kills', () => {
  for (const phase of new Set(Object.values(PHASES).flat())) expect(hits.get(phase) ?? 0, phase).toBeGreaterThanOrEqual(5);
  expect([...hits.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(50);
});

const STOPPED = [
  ['rows', 'f64'],
  ['columns', 'f32'],
  ['grid', 'f64'],
] as const;

test.each(WAYS)('stopped by SIGSTOP while another is killed from outside, %s: both are replaced, the same bits', async (communicate) => {
  // Side by side, since most of the time is waiting for a sign of life.
  const runs = STOPPED.map(async ([kind, dtype]) => {
    const random = generator(SEED * 1000 + 500 + WAYS.indexOf(communicate) * 10 + KINDS.indexOf(kind));
    const workers = 4;
    const stopped = Math.floor(random() * workers);
    const killed = (stopped + 1 + Math.floor(random() * (workers - 1))) % workers;
    const step = Math.floor(random() * 20);
    // A worker that holds its breath: what follows is done to a run that cannot have ended before.
    const faults: RankFault[] = [{ kind: 'pause', rank: killed, step: step + 2, ms: 1500 }];
    const victims: (number | undefined)[] = [];
    const hooksOf = (session: ProcessSession): EngineHooks => ({
      onSteps: () => {
        if (victims.length > 0) return;
        victims.push(session.pids[stopped], session.pids[killed]);
        process.kill(victims[0] as number, 'SIGSTOP');
        process.kill(victims[1] as number, 'SIGKILL');
      },
    });
    const options = { maxRestarts: 20, silenceMs: 4000, communicate, faults };
    const { outcome, base, started } = await run(dtype, kind, workers, options, { maxPasses: 100 }, hooksOf);
    expect(bits(outcome)).toBe(bits(base));
    expect(outcome.restarts?.map(({ rank }) => rank)).toEqual(expect.arrayContaining([stopped, killed]));
    expect(outcome.restarts?.find(({ rank }) => rank === stopped)?.why).toBe('showed no sign of life for 4000 ms');
    for (const pid of victims) {
      expect(started.find((worker) => worker.pid === pid)?.how).toBe('was ended by SIGKILL');
      expect(isGone(pid as number)).toBe(true);
    }
  });
  await Promise.all(runs);
});
