import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { generate, prepare, type RunSummary, type TrainOptions, train } from '../src/index.ts';

/**
 * The tables of docs/strategies.md: what the field says of parallel strategies, measured on this machine. Medians of three runs each,
 * in turns; ten minutes on two cores that do nothing else.
 *
 *   node scripts/run-ts.mjs bench/claims.ts [slowest,late,memory,bytes,rounds]
 */
const RUNS = 3;
const AMES = path.resolve('examples/ames-housing.csv');
/** 60,000 rows of 50 numbers, as a dataset folder. */
const ROWS = 60_000;
const COLUMNS = 50;

const folder = mkdtempSync(path.join(tmpdir(), 'paragrad-claims-'));
const data = path.join(folder, 'gd');

const middle = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;
const percent = (part: number): string => (Number.isFinite(part) ? `${(100 * part).toFixed(1)} %` : 'diverges');

/** The run; undefined where it diverged. */
async function once(options: TrainOptions, source: string = data): Promise<RunSummary | undefined> {
  try {
    const target = source === AMES ? 'Sale_Price' : 'y';
    return (await train(source, { engine: 'threads', ...(source === AMES ? { target } : {}), ...options })).summary;
  } catch (error) {
    if ((error as { code?: string }).code === 'PARAGRAD_DIVERGED') return undefined;
    throw error;
  }
}

async function runs(options: TrainOptions, source?: string): Promise<(RunSummary | undefined)[]> {
  const all: (RunSummary | undefined)[] = [];
  for (let i = 0; i < RUNS; i += 1) all.push(await once(options, source));
  return all;
}

function print(title: string, head: readonly string[], rows: readonly (readonly string[])[]): void {
  console.log(
    `\n${title}\n\n| ${head.join(' | ')} |\n|${'---|'.repeat(head.length)}\n${rows.map((row) => `| ${row.join(' | ')} |`).join('\n')}`,
  );
}

/** Milliseconds from one update of the weights to the next. */
function perUpdate({ costs }: RunSummary): number {
  const ranks = costs?.ranks ?? [];
  const workers = ranks.filter(({ role }) => role === 'worker');
  const busy = Math.max(...workers.map(({ computeMs, waitMs, communicateMs }) => computeMs + waitMs + communicateMs));
  const steps = workers.map((rank) => rank.steps);
  const server = ranks.find(({ role }) => role === 'server');
  // Without a server every rank steps itself: all at once, or each when it likes.
  const apart = costs?.strategy === 'hogwild';
  return busy / (server?.steps ?? (apart ? steps.reduce((sum, each) => sum + each, 0) : Math.max(...steps)));
}

async function slowest(): Promise<void> {
  const common = { workers: 2, batchSize: 16_384, epochs: 150 } as const;
  const cases: [string, TrainOptions][] = [
    ['bulk-synchronous', { ...common, strategy: 'parameter-server', staleness: 0 }],
    ['asynchronous', { ...common, strategy: 'parameter-server' }],
    ['Hogwild', { ...common, strategy: 'hogwild' }],
    ['local SGD, per step', { ...common, strategy: 'local-sgd', clients: 2, syncEvery: 4 }],
  ];
  const rows: string[][] = [];
  for (const [name, options] of cases) {
    const alike = (await runs(options)) as RunSummary[];
    const slow = (await runs({ ...options, slow: ['1=10x'] })) as RunSummary[];
    const used = (all: RunSummary[]): string => `${(100 * middle(all.map(({ costs }) => costs?.utilisation ?? Number.NaN))).toFixed(0)} %`;
    const time = (all: RunSummary[]): string => `${middle(all.map(perUpdate)).toFixed(2)} ms`;
    const steps = slow[0]?.costs?.ranks.filter(({ role }) => role === 'worker').map((rank) => rank.steps) ?? [];
    rows.push([name, time(alike), time(slow), used(alike), used(slow), steps.join(', ')]);
  }
  const head = ['', 'time for an update, alike', 'worker 1 slow', 'workers computing, alike', 'slow', 'steps of workers 0, 1, slow'];
  print('Synchronous training waits for the slowest', head, rows);
}

async function late(): Promise<void> {
  const optimum = (await once({ tolerance: 1e-10 }))?.loss ?? Number.NaN;
  const common = { workers: 4, epochs: 3, batchSize: 64, schedule: 'constant', slow: ['3=20x'] } as const;
  const server = { ...common, strategy: 'parameter-server' } as const;
  const cases: [string, TrainOptions][] = [
    ['asynchronous, `--late apply`', { ...server, late: 'apply' }],
    ['`--late damp`', { ...server, late: 'damp' }],
    ['`--late refuse`', { ...server, late: 'refuse' }],
    ['`--late compensate`', { ...server, late: 'compensate' }],
    ['bulk-synchronous (`--staleness 0`)', { ...server, staleness: 0 }],
    ['local SGD (`--sync-every 4`)', { ...common, strategy: 'local-sgd', syncEvery: 4 }],
  ];
  const rates = [0.15, 0.3, 0.6, 'auto'] as const;
  const rows: string[][] = [];
  for (const [name, options] of cases) {
    const cells: string[] = [];
    for (const learningRate of rates) {
      const all = await runs({ ...options, learningRate });
      const closed = all.map((summary) =>
        summary === undefined ? Number.NEGATIVE_INFINITY : (summary.nullLoss - summary.loss) / (summary.nullLoss - optimum),
      );
      cells.push(`${percent(middle(closed))} (${percent(Math.min(...closed))} to ${percent(Math.max(...closed))})`);
    }
    rows.push([name, ...cells]);
  }
  print(
    "A slow worker's late gradients hurt: part of the gap closed, median (least to most)",
    ['', ...rates.map((rate) => `rate ${rate}`)],
    rows,
  );
}

async function memory(): Promise<void> {
  const common = { workers: 2, batchSize: 64, epochs: 3 } as const;
  const rows: string[][] = [];
  for (const [name, options] of [
    ['bulk-synchronous server', { ...common, strategy: 'parameter-server', staleness: 0 }],
    ['map-reduce, mini-batches', { ...common, strategy: 'map-reduce' }],
  ] as [string, TrainOptions][]) {
    const times: number[] = [];
    for (const engine of ['threads', 'processes'] as const)
      times.push(middle(((await runs({ ...options, engine })) as RunSummary[]).map(perUpdate)));
    const [threads, processes] = times as [number, number];
    rows.push([name, `${threads.toFixed(2)} ms`, `${processes.toFixed(2)} ms`, `${(processes / threads).toFixed(1)} ×`]);
  }
  print('Shared memory beats messages on latency', ['time for an update', 'threads', 'processes', ''], rows);
}

async function bytes(): Promise<void> {
  const common = { batchSize: 512, epochs: 3 } as const;
  const rows: string[][] = [];
  for (const [name, options] of [
    ['map-reduce', { ...common, strategy: 'map-reduce' }],
    ['asynchronous server', { ...common, strategy: 'parameter-server' }],
    ['local SGD, 8 clients', { ...common, strategy: 'local-sgd', clients: 8 }],
  ] as [string, TrainOptions][]) {
    const cells: string[] = [];
    for (const workers of [1, 2, 4, 8]) {
      const summary = await once({ ...options, workers });
      cells.push(((summary?.costs?.ranks.reduce((sum, { bytesSent }) => sum + bytesSent, 0) ?? Number.NaN) / 1e6).toFixed(2));
    }
    rows.push([name, ...cells]);
  }
  print('Communication grows with workers: megabytes sent by all ranks', ['workers', '1', '2', '4', '8'], rows);
}

async function rounds(): Promise<void> {
  const optimum = (await once({ tolerance: 1e-10 }, AMES))?.loss ?? Number.NaN;
  const rows: string[][] = [];
  for (const [name, options] of [
    ['gradient descent, all rows', { optimizer: 'gradient-descent', tolerance: 5e-3, maxPasses: 3000 }],
    ['mini-batches of 64 (`--batch-size 64`)', { batchSize: 64 }],
    ['mini-batches without preconditioner (`--precondition none --epochs 20`)', { batchSize: 64, precondition: 'none', epochs: 20 }],
    ['default: conjugate gradient on a sampled metric', {}],
  ] as [string, TrainOptions][]) {
    const summary = await once({ workers: 2, ...options }, AMES);
    if (summary === undefined) throw new Error(`${name}: diverged`);
    rows.push([name, String(Math.round(summary.passes)), percent((summary.nullLoss - summary.loss) / (summary.nullLoss - optimum))]);
  }
  print('Rounds over all rows are a poor fit for learning by small steps', ['Ames', 'passes', 'closed'], rows);
}

const TABLES = { slowest, late, memory, bytes, rounds };

async function main(names: readonly string[]): Promise<void> {
  if (!existsSync(AMES)) throw new Error('run this from the root of the repository');
  try {
    await generate({ rows: ROWS, columns: COLUMNS, out: path.join(folder, 'g.csv') });
    await prepare(path.join(folder, 'g.csv'), { target: 'y', out: data });
    for (const name of names) await TABLES[name as keyof typeof TABLES]();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await main((process.argv[2] ?? Object.keys(TABLES).join(',')).split(','));
