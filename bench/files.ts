import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { ArrayTask } from '../src/data/array-tasks.ts';
import { openDuck } from '../src/data/duckdb.ts';
import { encodeTable } from '../src/data/encode.ts';
import { usableCores } from '../src/data/limits.ts';
import { openTable } from '../src/data/open-table.ts';
import { engineOf } from '../src/engines/registry.ts';
import { generate } from '../src/run/generate/generate.ts';

/** From a file to chunks, and from a file to a model, beside what others do with the same file; and the start of a command. */
export interface FileRow {
  readonly what: string;
  readonly file: string;
  readonly seconds: number;
  readonly peer: string;
  readonly peerSeconds: number | undefined;
}

const ROWS = 1_000_000;
const COLUMNS = 50;
const CLI = resolve('dist/cli/main.js');
const RUNS = 3;

function command(args: readonly string[]): number {
  const began = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return (performance.now() - began) / 1000;
}

const best = async (once: () => Promise<number> | number): Promise<number> => {
  let least = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run += 1) least = Math.min(least, await once());
  return least;
};

/** Seconds in which DuckDB reads every value of a file. */
async function scan(file: string): Promise<number> {
  const duck = await openDuck();
  try {
    const from = file.endsWith('.parquet') ? `read_parquet('${file}')` : `read_csv('${file}')`;
    const began = performance.now();
    await duck.run(`SELECT ${Array.from({ length: COLUMNS }, (_, j) => `sum(x${j + 1})`).join(', ')} FROM ${from}`);
    return (performance.now() - began) / 1000;
  } finally {
    duck.close();
  }
}

/** With the threads that would train afterwards, which have started. */
async function toChunks(file: string): Promise<number> {
  const session = engineOf('threads').open(usableCores());
  try {
    const began = performance.now();
    const table = await openTable(file);
    try {
      const packers = { count: session.workers, run: (tasks: readonly ArrayTask[]) => session.run(tasks) };
      await encodeTable(table, { target: 'y', packers: () => Promise.resolve(packers) });
    } finally {
      table.close();
    }
    return (performance.now() - began) / 1000;
  } finally {
    await session.close();
  }
}

/** `peers` runs a part of bench/peers/peers.py, or gives undefined. */
export async function benchFiles(peers: <T>(args: readonly string[]) => T | undefined): Promise<FileRow[]> {
  const folder = mkdtempSync(join(tmpdir(), 'paragrad-files-'));
  const rows: FileRow[] = [];
  try {
    for (const ending of ['parquet', 'csv']) {
      const file = join(folder, `table.${ending}`);
      await generate({ rows: ROWS, columns: COLUMNS, out: file });
      const scanned = await best(() => scan(file));
      rows.push({
        what: 'file to chunks',
        file: ending,
        seconds: await best(() => toChunks(file)),
        peer: 'DuckDB, scan',
        peerSeconds: scanned,
      });
      const trained = await best(() => command([CLI, 'train', file, '--target', 'y', '--out', join(folder, 'model'), '--force']));
      const theirs = await best(() => peers<{ seconds: number }>(['file', file, 'y'])?.seconds ?? Number.NaN);
      const peerSeconds = Number.isNaN(theirs) ? undefined : theirs;
      rows.push({
        what: 'whole train command',
        file: ending,
        seconds: trained,
        peer: 'pandas and scikit-learn, imports apart',
        peerSeconds,
      });
    }
    const node = await best(() => command(['-e', '0']));
    rows.push({
      what: 'paragrad --help',
      file: '',
      seconds: await best(() => command([CLI, '--help'])),
      peer: 'node -e 0',
      peerSeconds: node,
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
  return rows;
}
