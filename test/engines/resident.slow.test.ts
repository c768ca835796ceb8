import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DatasetWriter } from '../../src/data/dataset/write.ts';
import { allocateStore } from '../../src/data/store.ts';
import { local } from '../../src/engines/processes/local.ts';
import { ProcessSession } from '../../src/engines/processes/session.ts';
import { bytesPerValue, layoutOf, rowsOfChunk } from '../../src/partition/layout.ts';
import { bytesOfShare, partitionOf } from '../../src/partition/plan.ts';
import { NUMERICS_VERSION } from '../../src/partition/version.ts';
import type { DataSource, TrainingJob } from '../../src/strategies/job.ts';
import { generator, jobOf } from '../support/problems.ts';
import { Ground } from '../support/processes.ts';

const MB = 1e6;
/** 150 MB are promised; what is measured is 98 to 114. */
const LIMIT_BYTES = 130 * MB;
const training = layoutOf({ dtype: 'f32', rows: 110_000, columns: 1000 });
const validation = layoutOf({ ...training, rows: 0 });

let ground: Ground;
let source: DataSource;

/** Chunk by chunk: this process need not hold them. */
async function writeLarge(folder: string): Promise<DataSource> {
  mkdirSync(folder);
  const writer = new DatasetWriter(folder, { training, validation }, { weight: false, offset: false });
  const random = generator(3);
  const numbers = Float32Array.from({ length: 4093 }, () => random() - 0.5);
  for (let chunk = 0; chunk < training.chunks; chunk += 1) {
    const { views, sourceRows } = writer.sinks.training.open(chunk);
    for (let i = 0; i < views.x.length; i += 1) views.x[i] = numbers[(i * 31 + chunk * 7) % numbers.length] as number;
    for (let i = 0; i < rowsOfChunk(training, chunk); i += 1) {
      views.y[i] = random();
      sourceRows[i] = chunk * training.chunkRows + i;
    }
    await writer.sinks.training.close(chunk);
  }
  const facts = { weighted: false, counts: { rows: training.rows }, offsets: false, layouts: { training, validation } };
  const manifest = { numericsVersion: NUMERICS_VERSION, options: {}, ...facts };
  const { id } = await writer.finish(manifest as unknown as Parameters<DatasetWriter['finish']>[0]);
  return { folder, id };
}

beforeAll(async () => {
  ground = new Ground();
  source = await writeLarge(join(ground.folder, 'large'));
});
afterAll(() => ground.remove());

/** Most that a process ever had in memory. */
function peakBytes(pid: number): number {
  const [, kB] = /^VmHWM:\s+(\d+) kB$/mu.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kB) * 1024;
}

test.each(['columns', 'rows', 'grid'] as const)(
  'of 440 MB in 1,000 columns a worker has its own part in memory, by %s, and at most 130 MB more, also while it loads',
  async (kind) => {
    expect(training.rows * training.columns * bytesPerValue('f32')).toBeGreaterThanOrEqual(400 * MB);
    const empty = allocateStore({ ...training, rows: 0, chunks: 0 }, validation);
    const store = { ...empty, training: { ...empty.training, layout: training } };
    const partition = partitionOf(training, kind, 4);
    const options = { optimizer: 'lbfgs', maxPasses: 4, source } as const;
    const job: TrainingJob = { ...jobOf(store, options), partition };
    const session = new ProcessSession(4, local);
    try {
      await session.train(job, {});
      const peaks = session.pids.map((pid) => peakBytes(pid as number));
      for (const [rank, peak] of peaks.entries()) {
        const own = bytesOfShare(training, partition.shares[rank] as (typeof partition.shares)[number]);
        // Of each row the target and the weight.
        const rows = kind === 'columns' ? training.rows : training.rows / partition.grid.rows;
        expect(own).toBeLessThan(120 * MB);
        expect(peak, `rank ${rank}`).toBeLessThanOrEqual(own + rows * 16 + LIMIT_BYTES);
        expect(peak).toBeGreaterThan(own);
      }
      console.log(`${kind}: peaks of ${peaks.map((peak) => (peak / MB).toFixed(0)).join(', ')} MB for parts of about 110 MB`);
    } finally {
      await session.close();
    }
    expect(ground.left()).toEqual([]);
  },
);
