import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { copyChunks } from '../../src/data/dataset/copy.ts';
import { DatasetWriter } from '../../src/data/dataset/write.ts';
import type { Encoded } from '../../src/data/encoded.ts';
import type { DataStore } from '../../src/data/store.ts';
import { NUMERICS_VERSION } from '../../src/partition/version.ts';
import type { DataSource, TrainingOutcome } from '../../src/strategies/job.ts';

export const bits = ({ outcome, progress, validationLoss }: TrainingOutcome): string =>
  Buffer.from(
    new Float64Array([...outcome.vector.weights, outcome.vector.intercept, outcome.objective, progress.passes, validationLoss]).buffer,
  ).toString('hex');

/** Writes a store into a dataset folder, for processes to read. */
export async function writeStore(store: DataStore, folder: string): Promise<DataSource> {
  mkdirSync(folder, { recursive: true });
  const layouts = { training: store.training.layout, validation: store.validation.layout };
  const offsets = store.training.chunks.some(({ offset }) => offset !== 0);
  const rows = (set: 'training' | 'validation'): Float64Array => Float64Array.from({ length: layouts[set].rows }, (_, i) => i);
  const writer = new DatasetWriter(folder, layouts, { weight: true, offset: offsets });
  // What a coordinator knows of columns and targets is none of the workers' business.
  const facts = { weighted: true, counts: { rows: layouts.training.rows + layouts.validation.rows } };
  await copyChunks({ store, trainingRows: rows('training'), validationRows: rows('validation') } as Encoded, writer.sinks);
  const manifest = { numericsVersion: NUMERICS_VERSION, options: {}, offsets, layouts, ...facts };
  const { id } = await writer.finish(manifest as unknown as Parameters<DatasetWriter['finish']>[0]);
  return { folder, id };
}

/** A temporary folder of a test, in which everything that is started must be: `check` says what is left. */
export class Ground {
  readonly folder = mkdtempSync(join(tmpdir(), 'pg-'));
  readonly #before = { TMPDIR: process.env.TMPDIR, PARAGRAD_CACHE: process.env.PARAGRAD_CACHE };

  constructor() {
    mkdirSync(join(this.folder, 'tmp'));
    process.env.TMPDIR = join(this.folder, 'tmp');
    process.env.PARAGRAD_CACHE = join(this.folder, 'cache');
  }

  /** Worker processes that run, and what lies in the temporary folder. */
  left(): string[] {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/u.test(name));
    const workers = pids.filter((pid) => {
      try {
        return (
          readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('worker.mjs') &&
          readFileSync(`/proc/${pid}/environ`, 'utf8').includes(this.folder)
        );
      } catch {
        return false;
      }
    });
    return [...workers.map((pid) => `process ${pid}`), ...readdirSync(join(this.folder, 'tmp'))];
  }

  remove(): void {
    for (const [name, value] of Object.entries(this.#before))
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    rmSync(this.folder, { recursive: true, force: true });
  }
}
