import { once } from 'node:events';
import { join } from 'node:path';
import { type MessagePort, parentPort, Worker, workerData } from 'node:worker_threads';
import { createMessageCollective } from '../src/communicate/messages/collective.ts';
import type { Address } from '../src/communicate/streams/address.ts';
import { newKey } from '../src/communicate/streams/key.ts';
import { createMesh, openPort } from '../src/communicate/streams/mesh.ts';
import { createSocketFolder } from '../src/engines/socket-folder.ts';
import { type CollectiveFigure, figureOf, timed } from './collectives.ts';

/** Latency of an all-reduce (direct) over unix sockets and TLS: what a step of separate processes costs beyond its computing. */
export interface MessageBenchOptions {
  readonly ranks?: number;
  readonly lengths?: readonly number[];
  /** Steps per figure; vectors of ≥ 100,000 elements take a fiftieth of them. */
  readonly steps?: number;
  /** Folder of the project. */
  readonly root?: string;
}

interface RankStart {
  readonly kind: 'unix' | 'tls';
  readonly rank: number;
  readonly size: number;
  readonly address: Address;
  readonly key: Uint8Array | undefined;
  readonly lengths: readonly number[];
  readonly steps: number;
}

/** What every rank does, in a thread with an event loop of its own; rank 0 posts the figures. One tree node per rank. */
export async function measureMessageRank(): Promise<void> {
  const { kind, rank, size, address, key, lengths, steps } = workerData as RankStart;
  const parent = parentPort as MessagePort;
  const port = await openPort({ address, key, numericsVersion: 1 });
  const told = once(parent, 'message') as Promise<[readonly Address[]]>;
  parent.postMessage(port.address);
  const [addresses] = await told;
  const collective = createMessageCollective(rank, await createMesh({ port, rank, size, addresses }));
  const figures: CollectiveFigure[] = [];
  for (const length of lengths) {
    const values = new Float64Array(length).fill(rank + 1);
    const parts = [{ node: { level: 0, index: rank }, begin: 0, end: length, values }];
    const into = new Float64Array(length);
    const count = length >= 100_000 ? Math.ceil(steps / 50) : steps;
    const operation = kind === 'unix' ? 'all-reduce, unix sockets' : 'all-reduce, TLS';
    figures.push(figureOf(operation, size, length, await timed(count, () => collective.allReduce({ length, leaves: size }, parts, into))));
    // Checked where it is timed.
    if (into.some((sum) => sum !== (size * (size + 1)) / 2)) throw new Error(`wrong sum at length ${length}`);
  }
  await collective.close();
  port.close();
  parent.postMessage({ figures });
}

async function measureOver(
  kind: 'unix' | 'tls',
  code: string,
  options: Required<Omit<MessageBenchOptions, 'root'>>,
): Promise<CollectiveFigure[]> {
  const { ranks: size, lengths, steps } = options;
  const folder = await createSocketFolder();
  const key = kind === 'tls' ? newKey() : undefined;
  const workers = Array.from({ length: size }, (_, rank) => {
    const address: Address = kind === 'unix' ? folder.addressOf(`${rank}.sock`) : { kind, host: '127.0.0.1', port: 0 };
    const start: RankStart = { kind, rank, size, address, key, lengths, steps };
    return new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), { workerData: start });
  });
  try {
    const addresses = await Promise.all(workers.map(async (worker) => ((await once(worker, 'message')) as [Address])[0]));
    const answers = workers.map(async (worker) => ((await once(worker, 'message')) as [{ figures: CollectiveFigure[] }])[0]);
    for (const worker of workers) worker.postMessage(addresses);
    const [first] = await Promise.all(answers);
    return first?.figures ?? [];
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
    await folder.remove();
  }
}

/** Measures with one thread per rank, over unix sockets and then over TLS. */
export async function measureMessages(options: MessageBenchOptions = {}): Promise<CollectiveFigure[]> {
  const { ranks = 2, lengths = [1, 100, 10_000, 1_000_000], steps = 2000, root = process.cwd() } = options;
  // Imported here, since the workers, which run this file too, cannot import packages from their data: URL.
  const { build } = await import('esbuild');
  const bundle = await build({
    stdin: { contents: "import { measureMessageRank } from './messages.ts'; await measureMessageRank();", resolveDir: join(root, 'bench') },
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    external: ['esbuild'],
  });
  const code = bundle.outputFiles[0]?.text ?? '';
  const figures = [];
  for (const kind of ['unix', 'tls'] as const) figures.push(...(await measureOver(kind, code, { ranks, lengths, steps })));
  return figures;
}
