import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { ArraySource } from '../data/arrays.ts';
import { type ClassWeights, classWeightsOf } from '../data/class-weights.ts';
import { classTotalsOf, encodedWithoutRows, loadValidation } from '../data/dataset/part.ts';
import { type Dataset, openDataset } from '../data/dataset/read.ts';
import { checkMemory, type Encoded } from '../data/encoded.ts';
import { makeTempFolder } from '../data/folders.ts';
import { memoryLimitBytes } from '../data/limits.ts';
import { absolute } from '../data/source/location.ts';
import { isReadOnce, isTableSource, type TableSource } from '../data/source-files.ts';
import { ParagradError } from '../errors.ts';
import type { DataSource } from '../strategies/job.ts';
import { type Cached, cached, cacheKey } from './cache.ts';
import { encodingOptionsOf } from './dataset.ts';
import type { ResolvedOptions } from './options.ts';
import { prepare } from './prepare.ts';
import type { RunEvent } from './types.ts';
import { NUMERICS_VERSION } from './version.ts';

/** Data that worker processes read for themselves: a dataset folder, and what the coordinator knows of it. */
export interface RowsOfWorkers {
  readonly dataset: Dataset;
  /** Without rows. */
  readonly encoded: Encoded;
  /** Folders that are of this run only. */
  readonly temporary: readonly string[];
  /** Where workers find it. @param factors class weights of the run */
  source(factors: ClassWeights | undefined): DataSource;
  /** Class weights for `--class-weight balanced`. @throws PARAGRAD_OPTION */
  balance(): Promise<ClassWeights>;
  /** With the validation rows: after training. */
  withValidation(): Promise<Encoded>;
  /** At the end; `error`: what the run ended with. */
  release(error?: unknown): Promise<void>;
}

/**
 * The dataset folder of a source: the source itself where it is one; for a table that of the cache, made when it is not there; for
 * arrays, and for what can be read only once, one that is removed at the end.
 *
 * @throws what `prepare` does; PARAGRAD_CACHE; PARAGRAD_MEMORY when all workers are on this machine, and it has not enough
 */
export async function rowsOfWorkers(
  source: TableSource | ArraySource | Dataset,
  options: ResolvedOptions,
  hooks: { readonly signal: AbortSignal | undefined; readonly emit: (event: RunEvent) => void },
): Promise<RowsOfWorkers> {
  const rows = await rowsAt(source, options, hooks);
  const isHere = options.engine === 'processes' && options.hosts === undefined && options.bind === undefined;
  try {
    // All workers together hold all rows.
    if (isHere) checkMemory(rows.dataset.manifest.layouts, memoryLimitBytes());
    return rows;
  } catch (error) {
    await rows.release(error);
    throw error;
  }
}

async function rowsAt(
  source: TableSource | ArraySource | Dataset,
  options: ResolvedOptions,
  { signal, emit }: { readonly signal: AbortSignal | undefined; readonly emit: (event: RunEvent) => void },
): Promise<RowsOfWorkers> {
  if (!isTableSource(source) && 'manifest' in source) return rowsOf(source, [], () => Promise.resolve());
  const began = performance.now();
  const seconds = { read: 0, encode: 0 };
  const build = async (out: string): Promise<void> => {
    const onEvent = (event: RunEvent): void => {
      if (event.kind === 'reading' || event.kind === 'download') emit(event);
    };
    const made = await prepare(source, { ...encodingOptionsOf(options), out, onEvent, ...(signal === undefined ? {} : { signal }) });
    seconds.read = made.seconds.read;
    seconds.encode = (performance.now() - began) / 1000 - seconds.read;
  };
  if (isTableSource(source) && ![source, options.validationData ?? []].some(isReadOnce)) {
    const { dataset, made, release, discard }: Cached = await cached(await cacheKey(source, options), build);
    emit({
      kind: 'note',
      text: `workers read the table as the dataset ${dataset.folder}, ${made ? 'made for this run and the next' : 'made before'}`,
    });
    const end = async (error: unknown): Promise<void> => {
      if (isDamage(error)) await discard();
      await release();
    };
    return rowsOf(dataset, [], end, seconds);
  }
  const folder = makeTempFolder('paragrad-rows-');
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    await build(path.join(folder, 'dataset'));
    return rowsOf(await openDataset(path.join(folder, 'dataset'), NUMERICS_VERSION), [folder], remove, seconds);
  } catch (error) {
    await remove();
    throw error;
  }
}

function isDamage(error: unknown): boolean {
  return error instanceof ParagradError && (error.code === 'PARAGRAD_DATASET_FILE' || error.code === 'PARAGRAD_DATASET_MIXED');
}

function rowsOf(
  dataset: Dataset,
  temporary: readonly string[],
  release: (error?: unknown) => Promise<void>,
  seconds: Encoded['seconds'] = { read: 0, encode: 0 },
): RowsOfWorkers {
  const encoded = { ...encodedWithoutRows(dataset), seconds };
  return {
    dataset,
    encoded,
    temporary,
    source: (factors) => {
      const { id, shards } = dataset.manifest;
      return { folder: absolute(dataset.folder), bytes: shards.reduce((sum, { bytes }) => sum + bytes, 0), id, factors };
    },
    balance: async () => classWeightsOf(encoded.target, await classTotalsOf(dataset)),
    withValidation: async () => ({ ...encoded, store: await loadValidation(dataset, undefined) }),
    release,
  };
}
