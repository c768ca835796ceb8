import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { train } from '../src/index.ts';
import { generate } from './data.ts';

/** Training by client and server on processes, of which worker 1 takes three times as long: what a backup is worth. */
export interface BackupRow {
  readonly slow: boolean;
  readonly backup: number;
  /** Median of a step. */
  readonly stepMs: number;
  /** Step of the slow worker without backup over this one. */
  readonly ratio: number;
  /** Sums in which the backup had the slow worker's cells, and in which it was first. */
  readonly passes: number;
  readonly won: number;
}

const ROWS = 200_000;
const COLUMNS = 100;
const PASSES = 60;
/** Steps before the backup has its cells. */
const WARM = 20;

export async function benchBackups(): Promise<BackupRow[]> {
  const folder = mkdtempSync(join(tmpdir(), 'paragrad-bench-'));
  const before = process.env.PARAGRAD_CACHE;
  process.env.PARAGRAD_CACHE = folder;
  try {
    const source = generate(ROWS, COLUMNS, 10);
    const rows: Omit<BackupRow, 'ratio'>[] = [];
    for (const [slow, backup] of [
      [false, 0],
      [true, 0],
      [true, 1],
    ] as const) {
      const steps: number[] = [];
      const { summary } = await train(source, {
        engine: 'processes',
        communicate: 'client-server',
        workers: 2,
        model: 'linear',
        optimizer: 'gradient-descent',
        tolerance: 0,
        maxPasses: PASSES,
        validationFraction: 0,
        onEvent: (event) => {
          if (event.kind === 'steps') steps.push(...event.steps.map(({ atMs }) => atMs));
        },
        ...(slow ? { slow: ['1=3x'] } : {}),
        ...(backup > 0 ? { backup } : {}),
      });
      const times = steps.slice(WARM);
      const took = times.slice(1).map((atMs, i) => atMs - (times[i] as number));
      took.sort((a, b) => a - b);
      const { passes = 0, won = 0 } = summary.speculated?.find(({ rank }) => rank === 1) ?? {};
      rows.push({ slow, backup, stepMs: took[took.length >> 1] as number, passes, won });
    }
    const alone = (rows[1] as (typeof rows)[number]).stepMs;
    return rows.map((row) => ({ ...row, ratio: alone / row.stepMs }));
  } finally {
    if (before === undefined) delete process.env.PARAGRAD_CACHE;
    else process.env.PARAGRAD_CACHE = before;
    rmSync(folder, { recursive: true, force: true });
  }
}
