import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Address, addressText, parseAddress } from '../../src/communicate/streams/address.ts';
import { connect } from '../../src/communicate/streams/connect.ts';
import { type Key, keyText, newKey, TLS_OPTIONS } from '../../src/communicate/streams/key.ts';
import type { EngineOptions, MachineOptions } from '../../src/engines/engine.ts';
import { inline } from '../../src/engines/inline.ts';
import { joinRun } from '../../src/engines/machines/join.ts';
import { Machines } from '../../src/engines/machines/launcher.ts';
import { listenForRuns } from '../../src/engines/machines/listen.ts';
import { CALL, heard, type ToMachine, tell } from '../../src/engines/machines/messages.ts';
import { ProcessSession } from '../../src/engines/processes/session.ts';
import { train } from '../../src/index.ts';
import type { PartitionKind } from '../../src/partition/plan.ts';
import { NUMERICS_VERSION } from '../../src/partition/version.ts';
import type { DataSource, TrainingJob, TrainingOutcome } from '../../src/strategies/job.ts';
import { helloBytes, rawConnection, withVersion } from '../communicate/raw.ts';
import { jobOf, randomData, storeOf } from '../support/problems.ts';
import { bits, Ground, writeStore } from '../support/processes.ts';
import { CommandLine, Program } from '../support/programs.ts';

const commandLine = new CommandLine('cli-test');
const LOOPBACK: Address = { kind: 'tls', host: '127.0.0.1', port: 0 };
const KINDS: readonly PartitionKind[] = ['rows', 'columns', 'grid'];
const DESCENT = { optimizer: 'gradient-descent', optimizerOptions: { tolerance: 0, learningRate: 1e-3 }, maxPasses: 40 } as const;

let ground: Ground;
let base: TrainingJob;
let source: DataSource;

beforeAll(async () => {
  await commandLine.build();
  ground = new Ground();
  const data = { ...randomData(7, 301, 530, false), offset: (row: number) => (row % 5) / 4 };
  const validation = { ...randomData(8, 90, 530, false), offset: (row: number) => (row % 3) / 4 };
  const store = storeOf(data, { dtype: 'f32', chunkRows: 16, blockColumns: 60, validation });
  base = jobOf(store, { model: 'linear', optimizer: 'conjugate-gradient', maxPasses: 8 });
  source = await writeStore(store, join(ground.folder, 'dataset'));
});
afterAll(() => {
  ground.remove();
  commandLine.remove();
});
afterEach(() => expect(ground.left()).toEqual([]));

function jobFor(kind: PartitionKind, workers: number, options: Partial<TrainingJob> = {}): TrainingJob {
  const { partition } = jobOf(base.store, { kind, workers });
  return { ...base, source, ...options, partition };
}

async function expectedOf(job: TrainingJob): Promise<string> {
  return bits(await inline.open(1).train({ ...job, partition: jobOf(base.store).partition }, {}));
}

/** The command line in a process of its own, in an own folder, as on another machine. */
function program(key: Key | undefined, ...argv: string[]): Program {
  const { npm_lifecycle_event: _, PARAGRAD_KEY: __, ...env } = process.env;
  const cwd = join(ground.folder, 'away');
  mkdirSync(cwd, { recursive: true });
  const own = { ...env, NO_COLOR: '1', ...(key === undefined ? {} : { PARAGRAD_KEY: keyText(key) }) };
  return new Program([commandLine.file, ...argv], { cwd, env: own });
}

/** Machines that are ended with the test: in this process, and programs. */
class Machinery {
  readonly logs: string[] = [];
  readonly programs: Program[] = [];
  readonly #stop = new AbortController();
  readonly #running: Promise<unknown>[] = [];

  join(address: Address, key: Key, places = 1): Promise<void> {
    const options = { address, key, places, waitMs: 30_000, log: (text: string) => void this.logs.push(text), signal: this.#stop.signal };
    return this.#keep(joinRun(options));
  }

  listen(key: Key, places = 1): Promise<Address> {
    return new Promise((done, reject) => {
      const log = (text: string): void => void this.logs.push(text);
      const options = { address: LOOPBACK, key, places, log, signal: this.#stop.signal, onListening: done };
      this.#keep(listenForRuns(options)).catch(reject);
    });
  }

  program(key: Key | undefined, ...argv: string[]): Program {
    const started = program(key, ...argv);
    this.programs.push(started);
    return started;
  }

  #keep<T>(running: Promise<T>): Promise<T> {
    this.#running.push(running);
    running.catch(() => undefined);
    return running;
  }

  async end(): Promise<void> {
    this.#stop.abort();
    for (const { child } of this.programs) child.kill('SIGTERM');
    await Promise.allSettled([...this.#running, ...this.programs.map(({ ended }) => ended)]);
  }
}

interface Run {
  readonly session: ProcessSession;
  readonly notes: string[];
  /** Trains; `onAddress` hears where to join. */
  train(
    job: TrainingJob,
    hooks?: {
      onAddress?: (address: Address) => void;
      onNote?: (text: string) => void;
      onSteps?: () => void;
      onCheckpoint?: (checkpoint: NonNullable<TrainingJob['resume']>) => void;
    },
  ): Promise<TrainingOutcome>;
}

async function withMachines<T>(
  workers: number,
  machines: MachineOptions,
  options: EngineOptions,
  use: (run: Run) => Promise<T>,
): Promise<T> {
  const session = new ProcessSession(workers, new Machines(machines), options);
  const notes: string[] = [];
  const trainJob: Run['train'] = (job, { onAddress, onNote, ...hooks } = {}) =>
    session.train(job, {
      ...hooks,
      onNote: (text) => {
        notes.push(text);
        onNote?.(text);
        const [, address] = /^waiting at (\S+) for/u.exec(text) ?? [];
        if (address !== undefined) onAddress?.(parseAddress(address));
      },
    });
  try {
    return await use({ session, notes, train: trainJob });
  } finally {
    await session.close();
  }
}

/** A test's machines, which end with it. */
async function withMachinery(use: (machinery: Machinery) => Promise<void>): Promise<void> {
  const machinery = new Machinery();
  try {
    await use(machinery);
  } finally {
    await machinery.end();
  }
}

describe('machines that join', () => {
  test.each([
    ['peer-to-peer', 3],
    ['client-server', 4],
  ] as const)('%s, %i workers ≡ inline to the bit: rows, columns and grid', (communicate, workers) =>
    withMachinery(async (machinery) => {
      const key = newKey();
      const expected = await expectedOf(base);
      const joined: Promise<void>[] = [];
      await withMachines(workers, { bind: LOOPBACK, hosts: [], key }, { communicate }, async (run) => {
        const onAddress = (address: Address): void => {
          joined.push(machinery.join(address, key, 2), machinery.join(address, key, workers - 2));
        };
        for (const kind of KINDS) {
          const outcome = await run.train(jobFor(kind, workers), { onAddress });
          expect(bits(outcome), kind).toBe(expected);
          expect(outcome.restarts).toBeUndefined();
        }
        expect(run.notes.filter((text) => /^worker \d is on /u.test(text))).toHaveLength(workers);
        expect(run.notes).toHaveLength(workers + 1);
      });
      await Promise.all(joined);
      expect(machinery.logs.filter((text) => text === 'the run is over')).toHaveLength(2);
    }),
  );

  test('from programs that do not see the folder: cells from the coordinator, the same bits; the key is in no argument and no text', () =>
    withMachinery(async (machinery) => {
      const key = newKey();
      // A name that leads to the folder in this process alone, wherever the others run.
      const handle = openSync(source.folder, 'r');
      const away = { ...source, folder: `/proc/self/fd/${handle}` };
      const expected = await expectedOf(base);
      await withMachines(3, { bind: LOOPBACK, hosts: [], key }, {}, async (run) => {
        const onAddress = (address: Address): void => {
          for (const places of ['1', '2']) machinery.program(key, 'worker', '--join', addressText(address), '--workers', places);
        };
        for (const kind of KINDS) {
          const outcome = await run.train(jobFor(kind, 3, { source: away }), { onAddress });
          expect(bits(outcome), kind).toBe(expected);
          const lines = readdirSync('/proc').flatMap((pid) => {
            try {
              return [readFileSync(`/proc/${pid}/cmdline`, 'utf8')];
            } catch {
              return [];
            }
          });
          expect(lines.filter((line) => line.includes('worker.mjs')).length).toBeGreaterThanOrEqual(3);
          expect(lines.filter((line) => line.includes(keyText(key)))).toEqual([]);
        }
        expect(run.notes.filter((text) => text.includes('get their rows from this process'))).toHaveLength(1);
        expect(run.notes.join('\n')).not.toContain(keyText(key));
      }).finally(() => closeSync(handle));
      for (const { ended, text } of machinery.programs) {
        expect(await ended, text).toBe(0);
        expect(text).not.toContain(keyText(key));
      }
    }));

  test('a worker killed is started again by its machine; a machine killed is replaced by another that joins', () =>
    withMachinery(async (machinery) => {
      const key = newKey();
      const job = jobFor('rows', 3, { ...DESCENT, maxPasses: 1000 });
      const expected = await expectedOf(job);
      const faults = [{ kind: 'kill', rank: 2, step: 7, phase: 'reduce-scatter' }] as const;
      await withMachines(3, { bind: LOOPBACK, hosts: [], key }, { faults }, async (run) => {
        let address = '';
        let killed: Program | undefined;
        const outcome = await run.train(job, {
          onAddress: (found) => {
            address = addressText(found);
            for (let i = 0; i < 3; i += 1) machinery.program(key, 'worker', '--join', address);
          },
          onSteps: () => {
            // The first kill has been seen, and the run goes on.
            if (killed !== undefined || !run.notes.some((text) => text.includes('SIGKILL'))) return;
            killed = machinery.programs[0] as Program;
            killed.child.kill('SIGKILL');
          },
          onNote: (text) => {
            if (text.includes('is gone with its machine')) machinery.program(key, 'worker', '--join', address);
          },
        });
        expect(bits(outcome)).toBe(expected);
        expect(outcome.restarts?.map(({ why }) => why.replace(/^on .*\) /u, ''))).toEqual([
          'was ended by SIGKILL',
          'is gone with its machine',
        ]);
        expect(outcome.restarts?.[0]).toMatchObject({ rank: 2, phase: 'reduce-scatter' });
        expect(machinery.programs).toHaveLength(4);
      });
      const ends = await Promise.all(machinery.programs.map(({ ended }) => ended));
      expect(ends).toEqual(['SIGKILL', 0, 0, 0]);
    }));

  test('SIGTERM ends a machine cleanly; when nobody comes in its place, the run ends with its last state', () =>
    withMachinery(async (machinery) => {
      const key = newKey();
      const job = jobFor('rows', 2, { ...DESCENT, maxPasses: 600 });
      const expected = await expectedOf(job);
      const checkpoints: NonNullable<TrainingJob['resume']>[] = [];
      let ended = false;
      await withMachines(2, { bind: LOOPBACK, hosts: [], key, waitMs: 8000 }, {}, async (run) => {
        const onAddress = (address: Address): void => {
          void machinery.join(address, key);
          machinery.program(key, 'worker', '--join', addressText(address));
        };
        const onSteps = (): void => {
          if (ended) return;
          ended = true;
          machinery.programs[0]?.child.kill('SIGTERM');
        };
        const failing = run.train(job, { onAddress, onSteps, onCheckpoint: (checkpoint) => checkpoints.push(checkpoint) });
        await expect(failing).rejects.toMatchObject({ code: 'PARAGRAD_WORKER_LOST' });
        await expect(failing).rejects.toThrow(
          /was not replaced: no machine came for worker \d within 8 s: start one with paragrad worker --join 127\.0\.0\.1:\d+/u,
        );
      });
      expect(await machinery.programs[0]?.ended).toBe(143);
      const [resume] = checkpoints;
      expect(resume?.steps.length).toBeGreaterThan(0);
      expect(bits(await inline.open(1).train({ ...job, partition: jobOf(base.store).partition, resume }, {}))).toBe(expected);
    }));

  test('nobody comes: the run ends and says how to start one', async () => {
    const machines = { bind: LOOPBACK, hosts: [], key: newKey(), waitMs: 200 };
    await withMachines(2, machines, {}, async (run) => {
      const failing = run.train(jobFor('rows', 2));
      await expect(failing).rejects.toMatchObject({ code: 'PARAGRAD_CONNECT' });
      await expect(failing).rejects.toThrow(/within 0\.2 s: start one with paragrad worker --join/u);
    });
  });

  test('an interrupt ends the wait', async () => {
    const session = new ProcessSession(2, new Machines({ bind: LOOPBACK, hosts: [], key: newKey() }), {});
    const abort = new AbortController();
    try {
      const failing = session.train(jobFor('rows', 2), { signal: abort.signal, onNote: () => abort.abort() });
      await expect(failing).rejects.toThrow(/abort/iu);
    } finally {
      await session.close();
    }
  });
});

describe('machines that listen', () => {
  test('serve two runs one after the other, and both ends of a crowd: the same bits', () =>
    withMachinery(async (machinery) => {
      const key = newKey();
      const expected = await expectedOf(base);
      const hosts = [await machinery.listen(key, 2), await machinery.listen(key, 1)];
      for (const kind of ['rows', 'grid'] as const)
        await withMachines(3, { hosts, key }, {}, async (run) => {
          expect(bits(await run.train(jobFor(kind, 3)))).toBe(expected);
          // Meanwhile all places are taken.
          await withMachines(1, { hosts, key, waitMs: 300 }, {}, async (second) => {
            await expect(second.train(jobFor('rows', 1))).rejects.toThrow(/its 2 places are taken.*its place is taken/u);
          });
        });
      const logs = (text: string): number => machinery.logs.filter((line) => line.includes(text)).length;
      expect(logs('is taken by 127.0.0.1')).toBe(6);
      await expect.poll(() => logs('is free again: the run is over'), { timeout: 60_000 }).toBe(6);
    }));

  test('beside one that is not there, and with one that joins', () =>
    withMachinery(async (machinery) => {
      const key = newKey();
      const gone = { ...LOOPBACK, port: 1 };
      const hosts = [gone, await machinery.listen(key, 1)];
      await withMachines(2, { bind: LOOPBACK, hosts, key }, {}, async (run) => {
        const outcome = await run.train(jobFor('columns', 2), { onAddress: (address) => void machinery.join(address, key) });
        expect(bits(outcome)).toBe(await expectedOf(base));
        expect(run.notes.filter((text) => text.startsWith('127.0.0.1:1: '))).toHaveLength(1);
      });
    }));
});

/** A port such that it and the next one are not in use. */
async function freePort(): Promise<number> {
  for (;;) {
    const servers = [createServer(), createServer()];
    const listening = (server: Server, port: number): Promise<boolean> =>
      new Promise((done) => {
        server.once('error', () => done(false)).listen(port, '0.0.0.0', () => done(true));
      });
    const [first, second] = servers as [Server, Server];
    const found = (await listening(first, 0)) ? (first.address() as AddressInfo).port : 0;
    const both = found > 0 && (await listening(second, found + 1));
    for (const server of servers) server.close();
    if (both) return found;
  }
}

test('workers tell each other where they are, as --advertise says', () =>
  withMachinery(async (machinery) => {
    const key = newKey();
    const trainAt = (hosts: readonly string[]): Promise<TrainingOutcome> =>
      withMachines(2, { bind: LOOPBACK, hosts: [], key }, { maxRestarts: 0 }, (run) =>
        run.train(jobFor('rows', 2), {
          onAddress: (address) => {
            for (const host of hosts) machinery.program(key, 'worker', '--join', addressText(address), '--advertise', host);
          },
        }),
      );
    // Every address of this network is this machine.
    expect(bits(await trainAt(['127.0.0.2', '127.0.0.3']))).toBe(await expectedOf(base));
    // A port that is said is taken again by a worker that comes in the place of another.
    const faults = [{ kind: 'kill', rank: 0, step: 2, phase: 'map' }] as const;
    const port = await freePort();
    await withMachines(2, { bind: LOOPBACK, hosts: [], key }, { faults }, async (run) => {
      const onAddress = (address: Address): void => {
        machinery.program(key, 'worker', '--join', addressText(address), '--workers', '2', '--advertise', `127.0.0.4:${port}`);
      };
      const outcome = await run.train(jobFor('rows', 2), { onAddress });
      expect(bits(outcome)).toBe(await expectedOf(base));
      expect(outcome.restarts).toHaveLength(1);
    });
    await expect(trainAt(['nowhere.invalid', 'nowhere.invalid'])).rejects.toThrow(/nowhere\.invalid/u);
  }));

/** Somebody at a port who has no key: its bytes, and that the other side closes. */
async function knock(address: Address, bytes: Uint8Array | string): Promise<string> {
  const { socket, answer } = rawConnection(address);
  socket.end(bytes);
  return (await answer).toString('latin1');
}

/** A connection that has the key, and speaks by itself: what it hears. */
function withKey(address: Extract<Address, { kind: 'tls' }>, key: Key, bytes: Uint8Array): Promise<string> {
  return new Promise((done) => {
    const pieces: Buffer[] = [];
    const socket = connectTls({
      ...TLS_OPTIONS,
      host: address.host,
      port: address.port,
      pskCallback: () => ({ psk: key, identity: 'paragrad' }),
      checkServerIdentity: () => undefined,
    });
    socket.on('data', (piece: Buffer) => pieces.push(piece));
    socket.on('error', () => undefined);
    socket.on('close', () => done(Buffer.concat(pieces).toString('latin1')));
    socket.once('secureConnect', () => socket.write(bytes));
  });
}

const HELLO = { group: CALL.join, numericsVersion: NUMERICS_VERSION, generation: 0 };

/** All who must not come in, twice each. @returns texts that a log must have once */
async function strangers(address: Address, key: Key, group: string): Promise<RegExp[]> {
  const tls = address as Extract<Address, { kind: 'tls' }>;
  const hello = { ...HELLO, group };
  for (let round = 0; round < 2; round += 1) {
    await expect(connect({ address, key: newKey(), hello, timeoutMs: 20_000 })).rejects.toMatchObject({ code: 'PARAGRAD_KEY' });
    expect(await knock(address, 'GET / HTTP/1.0\r\n\r\n')).not.toContain('paragrad');
    await expect(
      connect({ address, key, hello: { ...hello, numericsVersion: NUMERICS_VERSION + 1 }, timeoutMs: 20_000 }),
    ).rejects.toMatchObject({
      code: 'PARAGRAD_HELLO',
    });
    await withKey(tls, key, withVersion(helloBytes(hello), 0));
  }
  return [
    /has another key or none \((?!http request)/u,
    /has another key or none \(http request\)/u,
    /numerics version 2 came, this side has 1/u,
    /version 0 of the protocol/u,
  ];
}

describe('who must not come in', () => {
  test('gets nowhere at a coordinator, is told of once, and disturbs nobody', () =>
    withMachinery(async (machinery) => {
      const key = newKey();
      await withMachines(2, { bind: LOOPBACK, hosts: [], key }, {}, async (run) => {
        let refused: Promise<RegExp[]> | undefined;
        const visit = async (address: Address): Promise<RegExp[]> => {
          const found = await strangers(address, key, CALL.join);
          // One with the key, and an old Node.js.
          const { channel } = await connect({ address, key, hello: HELLO });
          await tell(channel, { kind: 'offer', host: 'old-machine', node: '18.20.4' });
          const answer = heard<ToMachine>(await channel.receive(20_000));
          expect(answer).toMatchObject({ kind: 'refused', message: 'old-machine has Node.js 18.20.4, and workers need 20.19 or later' });
          await channel.close();
          await machinery.join(address, key, 2);
          return found;
        };
        const onAddress = (address: Address): void => {
          refused = visit(address);
        };
        expect(bits(await run.train(jobFor('rows', 2), { onAddress }))).toBe(await expectedOf(base));
        await run.session.close();
        for (const pattern of [...((await refused) ?? []), /old-machine has Node.js 18/u])
          expect(
            run.notes.filter((text) => pattern.test(text)),
            `${pattern} in ${run.notes.join('\n')}`,
          ).toHaveLength(1);
        expect(run.notes.join('\n')).not.toContain(keyText(key));
      });
    }));

  test('gets nowhere at a machine that listens, and neither does a coordinator with another key', () =>
    withMachinery(async (machinery) => {
      const key = newKey();
      const address = await machinery.listen(key);
      const patterns = await strangers(address, key, CALL.hire);
      await expect(connect({ address, key, hello: HELLO, timeoutMs: 20_000 })).rejects.toThrow(/group join is not served here/u);
      for (const pattern of patterns)
        expect(
          machinery.logs.filter((text) => pattern.test(text)),
          String(pattern),
        ).toHaveLength(1);
      await withMachines(1, { hosts: [address], key: newKey() }, {}, async (run) => {
        await expect(run.train(jobFor('rows', 1))).rejects.toMatchObject({ code: 'PARAGRAD_KEY' });
      });
      await withMachines(1, { hosts: [address], key }, {}, async (run) => {
        expect(bits(await run.train(jobFor('rows', 1)))).toBe(await expectedOf(base));
      });
    }));

  test('the command line without a key, or with another one', () =>
    withMachinery(async (machinery) => {
      const key = newKey();
      const address = await machinery.listen(key);
      const without = machinery.program(undefined, 'worker', '--join', addressText(address));
      expect(await without.ended).toBe(1);
      expect(without.text).toMatch(/the key of the run is missing.*PARAGRAD_KEY/su);
      const other = machinery.program(newKey(), 'worker', '--join', addressText(address));
      expect(await other.ended).toBe(1);
      expect(other.text).toMatch(/has another key, or is not paragrad/u);
    }));
});

test('a coordinator killed: machines that joined end, those that listen go on, and --resume comes to the same bits', () =>
  withMachinery(async (machinery) => {
    const key = newKey();
    const table = join(ground.folder, 'table.csv');
    const rows = Array.from({ length: 2000 }, (_, i) => [i % 97, (i * i) % 31, (i * 7) % 13, (i % 97) * 2 - ((i * i) % 31)].join(','));
    writeFileSync(table, `a,b,c,y\n${rows.join('\n')}\n`);
    const options = { target: 'y', optimizer: 'gradient-descent', tolerance: 0, chunkRows: 64, maxPasses: 20_000 } as const;
    const argv = ['--target', 'y', '--optimizer', 'gradient-descent', '--tolerance', '0', '--chunk-rows', '64', '--max-passes', '20000'];
    const listening = machinery.program(key, 'worker', '--listen', '127.0.0.1:0');
    const [, host] = await listening.said(/listening at (\S+) with/u);
    const out = join(ground.folder, 'run');
    const machines = ['--engine', 'processes', '--workers', '2', '--hosts', host as string];
    const more = ['--bind', '127.0.0.1:0', '--checkpoint-every', '0', '--out', out];
    const coordinator = machinery.program(key, 'train', table, ...argv, ...machines, ...more);
    const [, address] = await coordinator.said(/waiting at (\S+) for 2 workers/u);
    const joined = machinery.program(key, 'worker', '--join', address as string);
    await joined.said(/worker \d started/u);
    // A whole one: it is written under another name first.
    const whole = (): number => listFiles(join(out, 'checkpoints')).filter((name) => name.endsWith('.safetensors')).length;
    await expect.poll(whole, { timeout: 60_000 }).toBeGreaterThan(0);
    coordinator.child.kill('SIGKILL');
    expect(await coordinator.ended).toBe('SIGKILL');
    expect(await joined.ended, joined.text).toBe(1);
    expect(joined.text).toMatch(/the coordinator at \S+ is gone/u);
    await listening.said(/is free again: the coordinator at 127\.0\.0\.1 is gone/u);
    const resumed = machinery.program(
      key,
      'train',
      '--resume',
      out,
      '--engine',
      'processes',
      '--workers',
      '1',
      '--hosts',
      host as string,
      '--json',
    );
    expect(await resumed.ended, resumed.text).toBe(0);
    const { summary } = await train(table, options);
    expect(resumed.text).toContain(summary.weightsSha256);
    listening.child.kill('SIGTERM');
    expect(await listening.ended).toBe(0);
  }));

function listFiles(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
