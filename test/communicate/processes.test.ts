import { type ChildProcess, fork } from 'node:child_process';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Address } from '../../src/communicate/streams/address.ts';
import { keyText, newKey } from '../../src/communicate/streams/key.ts';
import { createSocketFolder, type SocketFolder } from '../../src/engines/socket-folder.ts';
import type { Orders } from './rank.ts';

const SIZE = 3;
let folder: SocketFolder;
let program: string;

beforeAll(async () => {
  folder = await createSocketFolder();
  program = join(folder.path, 'rank.mjs');
  const source = fileURLToPath(new URL('./rank.ts', import.meta.url));
  await build({ entryPoints: [source], outfile: program, bundle: true, platform: 'node', format: 'esm', target: 'node20' });
});
afterAll(() => folder.remove());

interface Said {
  readonly address?: Address;
  readonly sums?: readonly number[];
  readonly argv?: readonly string[];
  readonly error?: { readonly code: string; readonly place: { readonly rank?: number } };
}

class Rank {
  readonly child: ChildProcess;
  readonly gone: Promise<unknown>;
  readonly #said: Said[] = [];
  #wake: () => void = () => undefined;

  constructor(key: string) {
    this.child = fork(program, [], { env: { ...process.env, RUN_KEY: key }, execArgv: [] });
    this.child.on('message', (message) => {
      this.#said.push(message as Said);
      this.#wake();
    });
    this.gone = new Promise((resolve) => {
      this.child.once('exit', (code, signal) => resolve(signal ?? code));
    });
  }

  async next(): Promise<Said> {
    while (this.#said.length === 0)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    return this.#said.shift() as Said;
  }
}

/** Starts the ranks, and waits until they have added three times, rightly. */
async function started(kind: 'unix' | 'tls', timeoutMs: number): Promise<[Rank, Rank, Rank]> {
  const key = keyText(newKey());
  const ranks = Array.from({ length: SIZE }, () => new Rank(key));
  for (const [rank, { child }] of ranks.entries()) {
    const address: Address = kind === 'unix' ? folder.addressOf(`${rank}.sock`) : { kind, host: '127.0.0.1', port: 0 };
    child.send({ kind, rank, size: SIZE, address, timeoutMs } satisfies Orders);
  }
  const addresses = await Promise.all(ranks.map(async (rank) => (await rank.next()).address as Address));
  for (const { child } of ranks) child.send(addresses);
  // (a + b) + c: the tree of three leaves.
  const expected = Array.from({ length: 2000 }, (_, i) => 1 / (i + 3) + 2 / (i + 3) + 3 / (i + 3));
  for (const { sums, argv } of await Promise.all(ranks.map((rank) => rank.next()))) {
    expect(sums).toEqual(expected);
    expect(argv?.join(' ')).not.toContain(key);
  }
  return ranks as [Rank, Rank, Rank];
}

const sockets = async (): Promise<string[]> => (await readdir(folder.path)).filter((name) => name.endsWith('.sock'));

describe.each(['unix', 'tls'] as const)('processes over %s', (kind) => {
  test('one is killed: the others hear of it long before the deadline, and end by themselves', async () => {
    const [zero, one, two] = await started(kind, 600_000);
    one.child.kill('SIGKILL');
    expect(await one.gone).toBe('SIGKILL');
    for (const rank of [zero, two]) {
      expect((await rank.next()).error).toMatchObject({ code: 'PARAGRAD_PEER_LOST', place: { rank: 1 } });
      expect(await rank.gone).toBe(0);
    }
    // The socket of the killed one is left for whoever removes the folder.
    expect(await sockets()).toEqual(kind === 'unix' ? ['1.sock'] : []);
    if (kind === 'unix') await rm(join(folder.path, '1.sock'));
  });

  test('one is stopped: the others name it after the deadline, and end by themselves', async () => {
    const [zero, one, two] = await started(kind, 2000);
    one.child.kill('SIGSTOP');
    for (const rank of [zero, two]) {
      expect((await rank.next()).error).toMatchObject({ code: 'PARAGRAD_TIMEOUT', place: { rank: 1 } });
      expect(await rank.gone).toBe(0);
    }
    // It comes back to find the others gone, and ends, too.
    one.child.kill('SIGCONT');
    expect((await one.next()).error?.code).toMatch(/PARAGRAD_(TIMEOUT|PEER_LOST)/);
    expect(await one.gone).toBe(0);
    expect(await sockets()).toEqual([]);
  });
});
