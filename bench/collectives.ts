import { join } from 'node:path';
import { type MessagePort, parentPort, Worker, workerData } from 'node:worker_threads';
import type { Part } from '../src/communicate/collective.ts';
import { joinSharedCollective } from '../src/communicate/shared/collective.ts';
import { createSharedCollective, type SharedHandle } from '../src/communicate/shared/memory.ts';
import { coverOf } from '../src/partition/tree.ts';

/** Latency of barrier and all-reduce through shared memory: what a step costs beyond its computing. */
export interface CollectiveFigure {
  readonly operation: 'barrier' | 'barrier + all-reduce' | 'all-reduce';
  readonly ranks: number;
  /** Elements (f64) of the vector. */
  readonly length: number;
  readonly steps: number;
  readonly medianUs: number;
  readonly p95Us: number;
  /** Size of the vector over the median time. */
  readonly gigabytesPerSecond: number;
}

export interface CollectiveBenchOptions {
  readonly ranks?: number;
  readonly lengths?: readonly number[];
  /** Steps per figure; vectors of ≥ 100,000 elements take a fiftieth of them. */
  readonly steps?: number;
  readonly slabBytes?: number;
  readonly spinUs?: number;
  /** Folder of the project. */
  readonly root?: string;
}

interface RankStart {
  readonly handle: SharedHandle;
  readonly rank: number;
  readonly lengths: readonly number[];
  readonly steps: number;
}

type Operation = CollectiveFigure['operation'];

function figureOf(operation: Operation, ranks: number, length: number, times: Float64Array): CollectiveFigure {
  const sorted = times.slice().sort();
  const at = (share: number): number => (sorted[Math.floor(share * (sorted.length - 1))] as number) * 1000;
  return {
    operation,
    ranks,
    length,
    steps: times.length,
    medianUs: at(0.5),
    p95Us: at(0.95),
    gigabytesPerSecond: (length * 8) / (at(0.5) * 1000),
  };
}

async function timed(steps: number, step: () => Promise<unknown>): Promise<Float64Array> {
  const warmUp = Math.min(5000, steps);
  const times = new Float64Array(steps);
  for (let i = -warmUp; i < steps; i += 1) {
    const begin = performance.now();
    await step();
    if (i >= 0) times[i] = performance.now() - begin;
  }
  return times;
}

/** What every rank does, in its worker; rank 0 posts the figures. A row split: one chunk subtree per rank. */
export async function measureRank(): Promise<void> {
  const { handle, rank, lengths, steps } = workerData as RankStart;
  const collective = joinSharedCollective(handle, rank);
  const { size } = handle;
  const figures = [figureOf('barrier', size, 0, await timed(steps, () => collective.barrier()))];
  for (const length of lengths) {
    const leaves = 64;
    const values = new Float64Array(length).fill(rank + 1);
    const nodes = coverOf(Math.floor((leaves * rank) / size), Math.floor((leaves * (rank + 1)) / size), leaves);
    const parts = nodes.map((node): Part => ({ node, begin: 0, end: length, values }));
    const into = new Float64Array(length);
    const count = length >= 100_000 ? Math.ceil(steps / 50) : steps;
    const reduce = (): Promise<unknown> => collective.allReduce({ length, leaves }, parts, into);
    figures.push(figureOf('all-reduce', size, length, await timed(count, reduce)));
    const both = async (): Promise<void> => {
      await collective.barrier();
      await reduce();
    };
    figures.push(figureOf('barrier + all-reduce', size, length, await timed(count, both)));
    // Checked where it is timed: sum over ranks of (rank + 1) × its nodes.
    let expected = 0;
    for (let r = 0; r < size; r += 1)
      expected += (r + 1) * coverOf(Math.floor((leaves * r) / size), Math.floor((leaves * (r + 1)) / size), leaves).length;
    if (into.some((sum) => sum !== expected)) throw new Error(`wrong sum at length ${length}`);
  }
  if (rank === 0) (parentPort as MessagePort).postMessage(figures);
}

/** Measures with one worker per rank. */
export async function measureCollectives(options: CollectiveBenchOptions = {}): Promise<CollectiveFigure[]> {
  const { ranks = 2, lengths = [1, 100, 10_000, 1_000_000], steps = 10_000, root = process.cwd(), slabBytes, spinUs } = options;
  // Imported here, since the workers, which run this file too, cannot import packages from their data: URL.
  const { build } = await import('esbuild');
  const bundle = await build({
    stdin: { contents: "import { measureRank } from './collectives.ts'; await measureRank();", resolveDir: join(root, 'bench') },
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    external: ['esbuild'],
  });
  const code = bundle.outputFiles[0]?.text ?? '';
  const handle = createSharedCollective({
    size: ranks,
    ...(slabBytes === undefined ? {} : { slabBytes }),
    ...(spinUs === undefined ? {} : { spinUs }),
  });
  return new Promise((resolve, reject) => {
    for (let rank = 0; rank < ranks; rank += 1) {
      const start: RankStart = { handle, rank, lengths, steps };
      const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), { workerData: start });
      worker.once('message', resolve);
      worker.once('error', reject);
    }
  });
}
