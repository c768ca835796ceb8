import { type ChildProcess, execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { createMessageCollective } from '../src/communicate/messages/collective.ts';
import type { Address } from '../src/communicate/streams/address.ts';
import { keyText, newKey, parseKey } from '../src/communicate/streams/key.ts';
import { createMesh, openPort } from '../src/communicate/streams/mesh.ts';
import { createSocketFolder } from '../src/engines/socket-folder.ts';
import { adder } from '../src/kernels/adder.ts';

/**
 * All-reduce (direct) between processes, over unix sockets and TLS, beside torch's gloo back end: the same number of processes,
 * the same f32, in one run. What a step of separate processes costs beyond its computing.
 */
export interface MessageRow {
  readonly transport: 'unix sockets' | 'TLS' | 'gloo, TCP';
  readonly ranks: number;
  /** Size of the vector of f32. */
  readonly bytes: number;
  readonly steps: number;
  readonly medianUs: number;
  /** Size of the vector over the median time. */
  readonly gigabytesPerSecond: number;
  /** Processor time of rank 0 for a step, user and system, all its threads: means something where other programs take the clock's. */
  readonly cpuUs: number;
  /** gloo's time over this one, where torch is installed; and its processor time. */
  readonly ratio?: number;
  readonly cpuRatio?: number;
}

/** A size of the vector in bytes, and how often it is added. */
export type Task = readonly [bytes: number, steps: number];
const TASKS: readonly Task[] = [
  [8, 2000],
  [80_000, 500],
  [8_000_000, 20],
  [80_000_000, 5],
];
/** Each side is measured so often, in turns; its best turn counts. */
const TURNS = Number(process.env.TURNS ?? 3);
const TORCH = resolve('.engines/torch/bin/python');

interface Orders {
  readonly kind: 'unix' | 'tls';
  readonly rank: number;
  readonly size: number;
  readonly address: Address;
  readonly tasks: readonly Task[];
}

/** Of a task. */
interface Measured {
  readonly medianUs: number;
  readonly cpuUs: number;
}

/** What every rank does, in a process of its own, and sends what it measured. One tree node per rank. */
export async function measureMessageRank(): Promise<void> {
  const next = <T>(): Promise<T> => new Promise((done) => process.once('message', (message) => done(message as T)));
  const { kind, rank, size, address, tasks } = await next<Orders>();
  const key = kind === 'tls' ? parseKey(process.env.PARAGRAD_BENCH_KEY ?? '') : undefined;
  const port = await openPort({ address, key, numericsVersion: 1 });
  const told = next<readonly Address[]>();
  process.send?.(port.address);
  const collective = createMessageCollective(rank, await createMesh({ port, rank, size, addresses: await told }), { adder: adder() });
  const measured: Measured[] = [];
  for (const [bytes, steps] of tasks) {
    const length = bytes / 4;
    const values = new Float32Array(length).fill(rank + 1);
    const parts = [{ node: { level: 0, index: rank }, begin: 0, end: length, values }];
    const into = new Float32Array(length);
    const times: number[] = [];
    let before = process.cpuUsage();
    for (let step = -Math.max(2, Math.ceil(steps / 5)); step < steps; step += 1) {
      if (bytes > 1_000_000) await collective.barrier();
      if (step === 0) before = process.cpuUsage();
      const begin = performance.now();
      await collective.allReduce({ length, leaves: size }, parts, into);
      if (step >= 0) times.push(performance.now() - begin);
    }
    const { user, system } = process.cpuUsage(before);
    // Checked where it is timed.
    if (into.some((sum) => sum !== (size * (size + 1)) / 2)) throw new Error(`wrong sum of ${bytes} bytes`);
    times.sort((a, b) => a - b);
    measured.push({ medianUs: (times[Math.floor(times.length / 2)] as number) * 1000, cpuUs: (user + system) / steps });
  }
  await collective.close();
  port.close();
  process.send?.(measured, () => process.disconnect());
}

const said = async <T>(child: ChildProcess): Promise<T> => ((await once(child, 'message')) as [T])[0];

/** Of rank 0, by task. */
async function measureOver(kind: 'unix' | 'tls', program: string, size: number, tasks: readonly Task[]): Promise<Measured[]> {
  const folder = await createSocketFolder();
  const env = { ...process.env, PARAGRAD_BENCH_KEY: keyText(newKey()) };
  const ranks = Array.from({ length: size }, () => fork(program, [], { env, execArgv: [] }));
  try {
    for (const [rank, child] of ranks.entries()) {
      const address: Address = kind === 'unix' ? folder.addressOf(`${rank}.sock`) : { kind, host: '127.0.0.1', port: 0 };
      child.send({ kind, rank, size, address, tasks } satisfies Orders);
    }
    const addresses = await Promise.all(ranks.map((child) => said<Address>(child)));
    const answers = Promise.all(ranks.map((child) => said<Measured[]>(child)));
    for (const child of ranks) child.send(addresses);
    return (await answers)[0] as Measured[];
  } finally {
    for (const child of ranks) child.kill('SIGKILL');
    await folder.remove();
  }
}

/** gloo's rank 0, by task; undefined where torch is not installed. */
async function measureGloo(size: number, tasks: readonly Task[]): Promise<Measured[] | undefined> {
  if (!existsSync(TORCH)) return undefined;
  const wanted = tasks.map(([bytes, steps]) => `${bytes}:${steps}`);
  const { stdout } = await promisify(execFile)(TORCH, [resolve('bench/peers/gloo.py'), String(size), ...wanted]);
  return JSON.parse(stdout) as Measured[];
}

/** Measures with `sizes` processes, in turns with gloo. */
export async function benchMessages(sizes: readonly number[] = [2, 4], tasks: readonly Task[] = TASKS): Promise<MessageRow[]> {
  const { build } = await import('esbuild');
  const folder = await createSocketFolder();
  const program = join(folder.path, 'rank.mjs');
  const rows: MessageRow[] = [];
  try {
    await build({
      stdin: { contents: "import { measureMessageRank } from './messages.ts'; await measureMessageRank();", resolveDir: resolve('bench') },
      bundle: true,
      outfile: program,
      platform: 'node',
      format: 'esm',
      external: ['esbuild'],
    });
    for (const size of sizes) {
      const best = new Map<MessageRow['transport'], Measured[]>();
      const keep = (transport: MessageRow['transport'], measured: readonly Measured[] | undefined): void => {
        if (measured === undefined) return;
        const before = best.get(transport) ?? measured;
        best.set(
          transport,
          measured.map(({ medianUs, cpuUs }, i) => ({
            medianUs: Math.min(medianUs, (before[i] as Measured).medianUs),
            cpuUs: Math.min(cpuUs, (before[i] as Measured).cpuUs),
          })),
        );
      };
      for (let turn = 0; turn < TURNS; turn += 1) {
        keep('unix sockets', await measureOver('unix', program, size, tasks));
        keep('gloo, TCP', await measureGloo(size, tasks));
        keep('TLS', await measureOver('tls', program, size, tasks));
      }
      const gloo = best.get('gloo, TCP');
      for (const [transport, all] of best)
        for (const [i, measured] of all.entries()) {
          const [bytes, steps] = tasks[i] as Task;
          const theirs = transport === 'gloo, TCP' ? undefined : gloo?.[i];
          const ratios =
            theirs === undefined ? {} : { ratio: theirs.medianUs / measured.medianUs, cpuRatio: theirs.cpuUs / measured.cpuUs };
          rows.push({
            transport,
            ranks: size,
            bytes,
            steps,
            ...measured,
            gigabytesPerSecond: bytes / (measured.medianUs * 1000),
            ...ratios,
          });
        }
    }
  } finally {
    await folder.remove();
  }
  return rows;
}
