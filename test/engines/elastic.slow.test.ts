import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Address, addressText, parseAddress } from '../../src/communicate/streams/address.ts';
import { type Key, keyText, newKey } from '../../src/communicate/streams/key.ts';
import type { RankFault } from '../../src/engines/engine.ts';
import { inline } from '../../src/engines/inline.ts';
import { joinRun } from '../../src/engines/machines/join.ts';
import { Machines } from '../../src/engines/machines/launcher.ts';
import { listenForRuns } from '../../src/engines/machines/listen.ts';
import { local } from '../../src/engines/processes/local.ts';
import { ProcessSession } from '../../src/engines/processes/session.ts';
import type { DataSource, TrainingJob, TrainingOutcome } from '../../src/strategies/job.ts';
import { ranksOf } from '../../src/strategies/registry.ts';
import { partitionFor } from '../../src/strategies/regroup.ts';
import { bitsOf, CHOICE } from '../strategies/choices.ts';
import { jobOf, randomData, storeOf } from '../support/problems.ts';
import { bits, Ground, writeStore } from '../support/processes.ts';
import { CommandLine } from '../support/programs.ts';

/** Laws of runs whose workers come and go: the bits of a run with one worker, or counts that add up; and nothing is left behind. */

const commandLine = new CommandLine('elastic-test');
const LOOPBACK: Address = { kind: 'tls', host: '127.0.0.1', port: 0 };
const ROWS = 1536;
const BATCH = 32;
const FOREVER = 1e9;
/** Workers sleep most of the time, so that those that come find a processor, and the run with one worker has less to repeat. */
const SLOW = [0, 1, 2].map((rank) => ({ kind: 'slow', rank, times: 8 }) as const);
const DESCENT = { optimizer: 'gradient-descent', optimizerOptions: { tolerance: 0, learningRate: 1e-3 }, maxPasses: FOREVER } as const;

let ground: Ground;
let base: TrainingJob;
let source: DataSource;

beforeAll(async () => {
  await commandLine.build();
  ground = new Ground();
  const data = { ...randomData(7, ROWS, 40, false), offset: (row: number) => (row % 5) / 4 };
  const validation = { ...randomData(8, 90, 40, false), offset: (row: number) => (row % 3) / 4 };
  // 24 chunks, and two batches in each, so that every batch has as many rows.
  const store = storeOf(data, { dtype: 'f32', chunkRows: 64, blockColumns: 8, validation });
  base = jobOf(store, { model: 'linear' });
  source = await writeStore(store, join(ground.folder, 'dataset'));
});
afterAll(() => {
  ground.remove();
  commandLine.remove();
});
afterEach(() => expect(ground.left()).toEqual([]));

function jobFor(kind: 'rows' | 'columns', min: number, max: number, options: Partial<TrainingJob>): TrainingJob {
  const { layout } = base.store.training;
  const partition = partitionFor({ partition: { kind }, ...options }, layout, max);
  return { ...base, source, ...options, partition, elastic: { min, layout } };
}

/** A machine with one place, in this process or as a program, and its workers. */
class Machine {
  readonly pids: number[] = [];
  readonly #stop = new AbortController();
  readonly #program: ChildProcess | undefined;
  readonly ended: Promise<unknown>;

  constructor(address: Address, key: Key, isProgram: boolean) {
    if (isProgram) {
      const { npm_lifecycle_event: _, ...env } = process.env;
      const argv = [commandLine.file, 'worker', '--join', addressText(address)];
      this.#program = spawn(process.execPath, argv, { env: { ...env, PARAGRAD_KEY: keyText(key) }, stdio: 'ignore' });
      this.ended = new Promise((done) => this.#program?.once('close', done));
      return;
    }
    const log = (text: string): void => {
      const [, pid] = /started \(process (\d+)\)/u.exec(text) ?? [];
      if (pid !== undefined) this.pids.push(Number(pid));
    };
    const options = { address, key, places: 1, waitMs: 30_000, log, signal: this.#stop.signal };
    this.ended = joinRun(options).catch((error: unknown) => error);
  }

  leave(): void {
    this.#stop.abort();
    this.#program?.kill('SIGTERM');
  }

  kill(): void {
    this.#program?.kill('SIGKILL');
  }
}

type Story = readonly { readonly when: RegExp; readonly do: (machines: Machine[], join: (isProgram?: boolean) => void) => void }[];

interface Told extends TrainingOutcome {
  readonly notes: readonly string[];
}

/** A run on machines that come and go as a story says: each of its lines waits for a note. The run is ended a little after the last. */
async function told(job: TrainingJob, story: Story, faults: readonly RankFault[] = SLOW): Promise<Told> {
  const key = newKey();
  const session = new ProcessSession(ranksOf(job), new Machines({ bind: LOOPBACK, hosts: [], key }), {
    graceMs: 0,
    faults,
  });
  const machines: Machine[] = [];
  const notes: string[] = [];
  const controller = new AbortController();
  let address = LOOPBACK;
  let line = 0;
  let after = 0;
  try {
    const outcome = await session.train(job, {
      signal: controller.signal,
      onNote: (text) => {
        notes.push(text);
        const [, at] = /waiting at (\S+) /u.exec(text) ?? [];
        if (at !== undefined) address = parseAddress(at);
        const next = story[line];
        if (next === undefined || !next.when.test(text)) return;
        line += 1;
        next.do(machines, (isProgram = false) => machines.push(new Machine(address, key, isProgram)));
      },
      onSteps: () => {
        if (line === story.length) after += 1;
        if (after === 3) controller.abort();
      },
    });
    return { ...outcome, notes };
  } catch (error) {
    throw new Error(`${(error as Error).message}; ${notes.join('; ')}`);
  } finally {
    await session.close();
    for (const machine of machines) machine.leave();
    await Promise.all(machines.map(({ ended }) => ended));
  }
}

/** One worker, then three; one leaves; the machine of one is killed; the worker of another is, and comes again. */
const WHOLE: Story = [
  { when: /^waiting/u, do: (_, join) => join() },
  {
    when: /^the run begins with one worker/u,
    do: (_, join) => {
      join();
      join(true);
    },
  },
  { when: /^3 workers from step \d+ on/u, do: ([first]) => first?.leave() },
  { when: /^2 workers from step \d+ on: 1 left/u, do: ([, , program]) => program?.kill() },
  { when: /^one worker from step \d+ on: 1 lost/u, do: ([, second]) => process.kill(second?.pids[0] as number, 'SIGKILL') },
  { when: /^one worker from step \d+ on: 1 joined, 1 lost/u, do: () => undefined },
];

/** The same with two, and nobody killed but a worker. */
const SHORT: Story = [
  { when: /^waiting/u, do: (_, join) => join() },
  { when: /^the run begins with one worker/u, do: (_, join) => join() },
  { when: /^2 workers from step \d+ on/u, do: ([first]) => first?.leave() },
  { when: /^one worker from step \d+ on: 1 left/u, do: ([, second]) => process.kill(second?.pids[0] as number, 'SIGKILL') },
  { when: /^one worker from step \d+ on: 1 joined, 1 lost/u, do: () => undefined },
];

/** The run with one worker in this thread, as far. */
function alone(job: TrainingJob, { progress }: TrainingOutcome): Promise<TrainingOutcome> {
  const { elastic: _, ...rest } = job;
  return inline.open(1).train({ ...rest, partition: partitionFor(job, base.store.training.layout, 1), maxPasses: progress.passes }, {});
}

describe('machines that come and go: the bits of one worker', () => {
  test.each([
    ['rows', WHOLE, 3],
    ['columns', SHORT, 2],
  ] as const)('map-reduce, %s', async (kind, story, most) => {
    const job = jobFor(kind, 1, 3, DESCENT);
    const outcome = await told(job, story);
    const { crews = [] } = outcome;
    expect(crews[0]).toMatchObject({ generation: 0, workers: 1, joined: 1, steps: 0 });
    expect(Math.max(...crews.map(({ workers }) => workers))).toBe(most);
    expect(crews.reduce((sum, { left }) => sum + left, 0)).toBe(1);
    expect(outcome.restarts).toHaveLength(most - 1);
    expect(bits(outcome)).toBe(bits(await alone(job, outcome)));
  });

  test('map-reduce, and one is killed while it loads beside the run', async () => {
    const story: Story = [
      { when: /^waiting/u, do: (_, join) => join() },
      { when: /^the run begins with one worker/u, do: (_, join) => join() },
      { when: /^worker 1 on .* was ended by SIGKILL, before it took part$/u, do: () => undefined },
      { when: /^2 workers from step \d+ on: 1 joined$/u, do: () => undefined },
    ];
    const job = jobFor('rows', 1, 2, DESCENT);
    const outcome = await told(job, story, [...SLOW, { kind: 'kill', rank: 1, step: 0, phase: 'loading' }]);
    expect(outcome.restarts).toMatchObject([{ rank: 1, phase: 'loading' }]);
    expect(bits(outcome)).toBe(bits(await alone(job, outcome)));
  });

  test('local SGD, half of the clients in each round', async () => {
    const strategy = { ...CHOICE, name: 'local-sgd', participation: 0.5, serverMomentum: 0.3 } as const;
    const optimizerOptions = { tolerance: 0, learningRate: 'auto', epochs: FOREVER } as const;
    const job = jobFor('rows', 1, 2, { strategy, optimizer: 'sgd', optimizerOptions });
    const outcome = await told(job, SHORT);
    const expected = await alone(job, outcome);
    expect(bitsOf(outcome)).toBe(bitsOf(expected));
    expect(outcome.progress).toEqual(expected.progress);
  });
});

/** Every gradient that was applied was applied once, and all have as many rows. */
test.each([
  ['asynchronous', Number.POSITIVE_INFINITY],
  [1, 1],
] as const)('a parameter server with workers that come and go, staleness %s', async (staleness, bound) => {
  const strategy = { ...CHOICE, staleness };
  const optimizerOptions = { tolerance: 0, learningRate: 'auto', epochs: FOREVER } as const;
  const job = jobFor('rows', 1, 2, { strategy, optimizer: 'sgd', optimizerOptions, maxPasses: FOREVER });
  const [first, ...rest] = SHORT;
  const two: Story = [
    {
      when: (first as Story[number]).when,
      do: (_, join) => {
        join();
        join();
      },
    },
    ...rest,
  ];
  const { progress, costs, restarts, crews, orders, outcome, nullLoss } = await told(job, two, []);
  expect(crews?.map(({ workers }) => workers).slice(0, 3)).toEqual([1, 2, 1]);
  expect(restarts).toHaveLength(1);
  const counts = costs?.staleness ?? [];
  const pushes = counts.reduce((sum, count) => sum + count, 0);
  expect(counts.length - 1).toBeLessThanOrEqual(bound);
  expect(progress.passes * ROWS).toBe(pushes * BATCH);
  if (staleness === 'asynchronous') expect(progress.iteration).toBe(pushes);
  expect(costs?.lost).toBeLessThanOrEqual(100);
  expect(orders).toBeUndefined();
  expect(outcome.objective).toBeLessThan(0.9 * nullLoss);
});

/** A port that nobody listens at: below those that systems give to whoever asks for any, or calls somebody. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 15_000 + Math.floor(15_000 * Math.random());
    const server = createServer();
    const isFree = await new Promise((done) => {
      server.once('error', () => done(false)).listen(port, '127.0.0.1', () => done(true));
    });
    await new Promise((done) => server.close(done));
    if (isFree) return port;
  }
}

test('machines that listen, and begin to after the run did, or once more', async () => {
  const key = newKey();
  const hosts = await Promise.all([freePort(), freePort()]).then((ports) => ports.map((port) => ({ ...LOOPBACK, port })));
  const listening: { readonly stop: AbortController; readonly ended: Promise<void> }[] = [];
  const listenAt = (index: number): void => {
    const stop = new AbortController();
    const options = { address: hosts[index] as Address, key, places: 1, log: () => undefined, signal: stop.signal };
    listening.push({ stop, ended: listenForRuns(options) });
  };
  const story = [
    { when: /^the run begins with one worker$/u, do: () => listenAt(0) },
    { when: /^2 workers from step \d+ on: 1 joined$/u, do: () => listening[0]?.stop.abort() },
    { when: /^one worker from step \d+ on: 1 left$/u, do: () => listenAt(1) },
    { when: /^2 workers from step \d+ on: 1 joined$/u, do: () => controller.abort() },
  ];
  const controller = new AbortController();
  listenAt(1);
  const session = new ProcessSession(2, new Machines({ bind: undefined, hosts, key }), { graceMs: 0, faults: SLOW.slice(0, 2) });
  const job = jobFor('rows', 1, 2, DESCENT);
  const notes: string[] = [];
  let line = 0;
  try {
    const onNote = (text: string): void => {
      notes.push(text);
      if (story[line]?.when.test(text) !== true) return;
      line += 1;
      story[line - 1]?.do();
    };
    const outcome = await session.train(job, { signal: controller.signal, onNote });
    expect(
      outcome.crews?.map(({ workers }) => workers),
      notes.join('; '),
    ).toEqual([1, 2, 1, 2]);
    expect(outcome.restarts).toBeUndefined();
    expect(bits(outcome)).toBe(bits(await alone(job, outcome)));
  } finally {
    await session.close();
    for (const { stop } of listening) stop.abort();
    await Promise.all(listening.map(({ ended }) => ended));
  }
});

test('workers of this machine that are lost too often are done without, down to the least', async () => {
  const job = jobFor('rows', 2, 4, { ...DESCENT, maxPasses: 300 });
  const faults = [0, 3].map((rank) => ({ kind: 'kill', rank, step: 20 + rank, phase: 'map' }) as const);
  const notes: string[] = [];
  const session = new ProcessSession(4, local, { maxRestarts: 0, faults });
  try {
    const outcome = await session.train(job, { onNote: (text) => notes.push(text) });
    expect(bits(outcome)).toBe(bits(await alone(job, outcome)));
    expect(outcome.crews?.map(({ workers }) => workers)).toEqual([4, 3, 2]);
    expect(notes.filter((text) => text.endsWith('was ended by SIGKILL: the run goes on without it'))).toHaveLength(2);
  } finally {
    await session.close();
  }
});

test('with fewer than the least, and nobody who comes, the run ends with an error, and its state before', async () => {
  const job = jobFor('rows', 2, 3, DESCENT);
  const faults = [0, 1].map((rank) => ({ kind: 'kill', rank, step: 5 + rank, phase: 'map' }) as const);
  const checkpoints: unknown[] = [];
  const session = new ProcessSession(3, local, { maxRestarts: 0, faults });
  try {
    const run = session.train(job, { onCheckpoint: (checkpoint) => checkpoints.push(checkpoint) });
    await expect(run).rejects.toMatchObject({ code: 'PARAGRAD_WORKER_LOST' });
    expect(checkpoints.length).toBeGreaterThan(0);
  } finally {
    await session.close();
  }
});
