import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { resolve } from 'node:path';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { type BackupRow, benchBackups } from './backups.ts';
import { type BatchRow, type BatchSpeedup, benchBatches, benchBatchSpeedups, crossing } from './batches.ts';
import { type CollectiveFigure, measureCollectives } from './collectives.ts';
import { benchFiles, type FileRow } from './files.ts';
import { benchKernels, type KernelRow, readLimit } from './kernels.ts';
import { benchMessages, type MessageRow } from './messages.ts';
import { benchPasses, type PassRow } from './passes.ts';
import { benchTraining, type TrainingRow } from './training.ts';

/**
 * Everything in one run, so that its figures can be compared: the machine's read limit, kernels, collectives, whole passes on one
 * and on all threads, and time from arrays to a model, beside NumPy and scikit-learn where `npm run engine:python` installed
 * them. Prints tables and writes bench/results/latest.json. Quote ratios: absolute times are this machine's, today.
 *
 *   npm run bench [-- kernels,collectives,messages,passes,batches,training,backups,files]
 */
interface Results {
  readonly machine: { readonly node: string; readonly cpu: string; readonly threads: number };
  readLimit?: { readonly oneThread: number; readonly allThreads: number };
  kernels?: readonly KernelRow[];
  numpy?: readonly { readonly dtype: string; readonly columns: number; readonly gigabytesPerSecond: number }[];
  collectives?: readonly CollectiveFigure[];
  messages?: readonly MessageRow[];
  passes?: readonly PassRow[];
  batches?: readonly BatchRow[];
  batchSpeedups?: readonly BatchSpeedup[];
  training?: readonly TrainingRow[];
  backups?: readonly BackupRow[];
  files?: readonly FileRow[];
}

const ROOT = process.cwd();
export const PYTHON = resolve(ROOT, '.engines/python/bin/python');
const PEERS = resolve(ROOT, 'bench/peers/peers.py');

/** Runs a part of bench/peers/peers.py; undefined where there is no Python with the peers. */
export function peers<T>(args: readonly string[]): T | undefined {
  if (!existsSync(PYTHON)) return undefined;
  return JSON.parse(execFileSync(PYTHON, [PEERS, ...args], { encoding: 'utf8', maxBuffer: 2 ** 28 })) as T;
}

const number = (value: number, digits = 2): string => value.toFixed(digits);

function table(title: string, head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] as number) : cell.padStart(widths[i] as number))).join('  ');
  console.log(`\n${title}\n${line(head)}\n${widths.map((width) => '─'.repeat(width)).join('  ')}\n${rows.map(line).join('\n')}`);
}

/** GB/s that `threads` threads read together, started at the same moment. */
async function readLimitOf(threads: number): Promise<number> {
  const gate = new SharedArrayBuffer(4);
  const workers = Array.from({ length: threads }, () => new Worker(process.argv[1] as string, { workerData: { gate, threads } }));
  const rates = await Promise.all(
    workers.map((worker) => new Promise<number>((done, fail) => worker.once('message', done).once('error', fail))),
  );
  await Promise.all(workers.map((worker) => worker.terminate()));
  return rates.reduce((sum, rate) => sum + rate, 0);
}

async function main(parts: readonly string[]): Promise<void> {
  const results: Results = { machine: { node: process.version, cpu: cpus()[0]?.model ?? '', threads: availableParallelism() } };
  console.log(`${results.machine.cpu}, ${results.machine.threads} threads, Node.js ${results.machine.node}`);
  results.readLimit = { oneThread: await readLimitOf(1), allThreads: await readLimitOf(results.machine.threads) };
  const { oneThread, allThreads } = results.readLimit;
  console.log(`read limit: one thread ${number(oneThread, 1)} GB/s, all ${number(allThreads, 1)} GB/s`);
  if (parts.includes('kernels')) {
    results.kernels = benchKernels();
    const numpy = peers<NonNullable<Results['numpy']>>(['kernels']);
    if (numpy !== undefined) results.numpy = numpy;
    const peerOf = (row: KernelRow): string => {
      const peer = numpy?.find(({ dtype, columns }) => dtype === row.dtype && columns === row.columns);
      return row.kernel === 'gradient' && row.loss === 'squared' && peer !== undefined
        ? `${number(row.rate / peer.gigabytesPerSecond)} ×`
        : '';
    };
    table(
      'kernels, one thread, data in no cache',
      ['kernel', 'dtype', 'columns', 'rate', '', 'of read limit', 'NumPy, all threads'],
      results.kernels.map((row) => [
        `${row.kernel} ${row.loss}`,
        row.dtype,
        String(row.columns),
        number(row.rate, 1),
        row.unit,
        row.ofReadLimit === null ? '' : number(row.ofReadLimit),
        peerOf(row),
      ]),
    );
  }
  if (parts.includes('collectives')) {
    results.collectives = await measureCollectives();
    table(
      'collectives, 2 threads',
      ['operation', 'f64', 'median µs', '95 % µs'],
      results.collectives.map((row) => [row.operation, String(row.length), number(row.medianUs), number(row.p95Us)]),
    );
  }
  if (parts.includes('messages')) {
    results.messages = await benchMessages();
    table(
      'all-reduce of f32 between processes; gloo of torch in turns (skipped where .engines/torch is not there)',
      ['over', 'processes', 'bytes', 'median µs', 'GB/s', "gloo's time / ours"],
      results.messages.map((row) => [
        row.transport,
        String(row.ranks),
        String(row.bytes),
        number(row.medianUs, 0),
        number(row.gigabytesPerSecond),
        row.ratio === undefined ? '' : `${number(row.ratio)} ×`,
      ]),
    );
  }
  if (parts.includes('passes')) {
    results.passes = await benchPasses();
    table(
      'gradient passes through the whole engine, 400 MB of f32',
      ['columns', 'threads', 'ms', 'GB/s', 'of the read limit', 'against one'],
      results.passes.map((row) => [
        String(row.columns),
        String(row.threads),
        number(row.milliseconds),
        number(row.gigabytesPerSecond, 1),
        number(row.gigabytesPerSecond / (row.threads === 1 ? oneThread : allThreads)),
        `${number(row.speedup)} ×`,
      ]),
    );
  }
  if (parts.includes('batches')) {
    results.batches = await benchBatches(peers);
    table(
      'updates by mini-batches, one thread: 1,000,000 × 100 of f32, M features/s',
      ['rows of a batch', 'paragrad', 'of the read limit', 'plain TypeScript', 'SGDRegressor'],
      results.batches.map((row) => [
        String(row.rows),
        number(row.rate, 0),
        number(row.rate / row.limit),
        number(row.plainRate, 0),
        row.peerRate === undefined ? '' : number(row.peerRate, 0),
      ]),
    );
    const speedups = await benchBatchSpeedups((row) =>
      console.log(`  ${row.engine}, ${row.rows} rows a batch: two against one ${number(row.early)} × early, ${number(row.speedup)} × then`),
    );
    results.batchSpeedups = speedups;
    for (const engine of ['threads', 'processes'] as const) {
      const own = speedups.filter((row) => row.engine === engine);
      table(
        `epochs of mini-batches on ${engine}, the readings that judge them included: 100,000 × 1,000 of f32; two are faster from ${crossing(own, 'early') ?? 'no'} rows on in the first epochs, from ${crossing(own, 'speedup') ?? 'no'} rows on then`,
        ['rows of a batch', 'two against one, epochs 2 to 5', 'then'],
        own.map((row) => [String(row.rows), `${number(row.early)} ×`, `${number(row.speedup)} ×`]),
      );
    }
  }
  if (parts.includes('training')) {
    results.training = await benchTraining(peers);
    table(
      'from arrays to a model: 1,000,000 × 100, condition number 1e4',
      ['model', 'by', 'seconds', 'gap reached', 'paragrad is faster by'],
      results.training.map((row) => [
        row.model,
        row.by,
        number(row.seconds, 3),
        row.gap.toExponential(1),
        row.ratio === undefined ? '' : `${number(row.ratio, 1)} ×`,
      ]),
    );
  }
  if (parts.includes('backups')) {
    results.backups = await benchBackups();
    table(
      'backups: 200,000 × 100 on 2 processes, by client and server; worker 1 takes three times as long',
      ['slow', 'backup', 'ms per step', 'without / with', 'first'],
      results.backups.map((row) => [
        row.slow ? 'worker 1' : 'nobody',
        String(row.backup),
        number(row.stepMs),
        number(row.ratio),
        row.backup === 0 ? '' : `${row.won} of ${row.passes}`,
      ]),
    );
  }
  if (parts.includes('files')) {
    results.files = await benchFiles(peers);
    table(
      'files: 1,000,000 × 50',
      ['what', 'file', 'seconds', 'beside', 'seconds', 'theirs / ours'],
      results.files.map((row) => [
        row.what,
        row.file,
        number(row.seconds),
        row.peer,
        row.peerSeconds === undefined ? '' : number(row.peerSeconds),
        row.peerSeconds === undefined ? '' : number(row.peerSeconds / row.seconds),
      ]),
    );
  }
  mkdirSync('bench/results', { recursive: true });
  writeFileSync('bench/results/latest.json', `${JSON.stringify(results, null, 2)}\n`);
  console.log('\nwritten: bench/results/latest.json');
}

if (isMainThread) await main((process.argv[2] ?? 'kernels,collectives,messages,passes,batches,training,backups,files').split(','));
else if (workerData !== null && 'gate' in workerData) {
  const { gate, threads } = workerData as { gate: SharedArrayBuffer; threads: number };
  const arrived = new Int32Array(gate);
  if (Atomics.add(arrived, 0, 1) + 1 === threads) Atomics.notify(arrived, 0);
  for (let seen = Atomics.load(arrived, 0); seen < threads; seen = Atomics.load(arrived, 0)) Atomics.wait(arrived, 0, seen, 1000);
  parentPort?.postMessage(readLimit());
}
