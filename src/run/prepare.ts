import type { ArraySource } from '../data/arrays.ts';
import { copyChunks } from '../data/dataset/copy.ts';
import type { Facts, RowArrays, SetName } from '../data/dataset/format.ts';
import { DatasetWriter } from '../data/dataset/write.ts';
import { duckMemoryBytes } from '../data/duckdb.ts';
import { fitTable } from '../data/encode.ts';
import { encodeArrays } from '../data/encode-arrays.ts';
import type { EncodeProgress } from '../data/encoded.ts';
import { openTable } from '../data/open-table.ts';
import type { OpenOptions } from '../data/read-options.ts';
import { isTableSource, type TableSource } from '../data/source-files.ts';
import type { Download } from '../data/spool.ts';
import { INGEST_ROWS, type Table } from '../data/table.ts';
import { assert, ParagradError } from '../errors.ts';
import type { Layout } from '../partition/layout.ts';
import { requireOptions } from './arguments.ts';
import { checkSource } from './check-options.ts';
import { type DatasetSummary, type EncodingOption, encodingOptionsOf, summaryOfDataset, tableOptions } from './dataset.ts';
import { type ResolvedOptions, resolveOptions } from './options.ts';
import { checkOutFolder } from './out-paths.ts';
import { NewFolder } from './run-folder.ts';
import { skipNotes } from './summary.ts';
import type { TrainOptions } from './train-options.ts';
import type { RunEvent } from './types.ts';
import { NUMERICS_VERSION } from './version.ts';
import { mostWorkers } from './workers.ts';

/** What can be said of `prepare`: of training what decides how rows are encoded, and its own. */
export interface PrepareOptions extends Pick<TrainOptions, EncodingOption | 'workers' | 'force' | 'signal' | 'onEvent'> {
  /** The dataset folder. */
  readonly out: string;
  /** Bytes of memory to stay below; default: what this process may use. */
  readonly memoryBytes?: number | undefined;
  /** Bytes of a shard, at most; default 256 MiB. A chunk is never split. */
  readonly shardBytes?: number | undefined;
}

/** The dataset folder that was made. */
export interface PrepareSummary extends DatasetSummary {
  /** What was left out of the rows, in words. */
  readonly notes: readonly string[];
  readonly seconds: { readonly total: number; readonly read: number; readonly encode: number };
}

/** Node.js itself, with the code of DuckDB and what its stream runs ahead. */
const BASE_BYTES = 256 * 1024 ** 2;

/**
 * Encodes a source into a dataset folder, in two scans and in bounded memory: what `train` would do with the same options, to
 * be done once. The same source and options give the same bytes. The folder appears whole or not at all.
 *
 * @param source path of a file, a pattern, `-` or several, with `target` in the options; or a row-major matrix with its target.
 * @throws PARAGRAD_MEMORY when `memoryBytes` does not suffice; PARAGRAD_OUT, PARAGRAD_OUT_EXISTS; what reading and encoding throw.
 */
export async function prepare(source: TableSource | ArraySource, options: PrepareOptions): Promise<PrepareSummary> {
  checkSource(source);
  requireOptions(options, 'prepare(source, { target, out })');
  await checkOutFolder(options.out, '--out', [isTableSource(source) ? source : undefined, options.validationData]);
  const onDownload = (download: Download): void => options.onEvent?.({ kind: 'download', ...download });
  return prepareFrom(isTableSource(source) ? { open: (how) => openTable(source, { ...how, onDownload }) } : source, options);
}

/** A table that can be opened. */
export interface Openable {
  open(options: OpenOptions): Promise<Table>;
}

/** `prepare` for any table. */
export async function prepareFrom(source: Openable | ArraySource, options: PrepareOptions): Promise<PrepareSummary> {
  const began = performance.now();
  const { out, memoryBytes, shardBytes, signal, onEvent, ...encoding } = options;
  const resolved = resolveOptions(encoding);
  const onProgress = ({ phase, rows }: EncodeProgress): void => onEvent?.({ kind: 'reading', part: phase, rows } satisfies RunEvent);
  const folder = await NewFolder.claim(out, options.force ?? false, 'dataset');
  try {
    const made = await folder.fill((path) => write(path, source, resolved, { memoryBytes, shardBytes, signal, onProgress }));
    for (const text of made.notes) onEvent?.({ kind: 'note', text });
    await folder.commit();
    onEvent?.({ kind: 'saved', path: out });
    return { ...made, path: out, seconds: { ...made.seconds, total: (performance.now() - began) / 1000 } };
  } catch (error) {
    await folder.discard();
    throw error;
  }
}

interface Settings {
  readonly memoryBytes: number | undefined;
  readonly shardBytes: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: (progress: EncodeProgress) => void;
}

/** Opens the files, once it is known what goes into them. */
type Start = (layouts: Readonly<Record<SetName, Layout>>, arrays: RowArrays) => DatasetWriter['sinks'];

interface Made {
  readonly facts: Facts;
  readonly layouts: Readonly<Record<SetName, Layout>>;
  readonly offsets: boolean;
  readonly seconds: { readonly read: number; readonly encode: number };
}

async function write(
  path: string,
  source: Openable | ArraySource,
  options: ResolvedOptions,
  settings: Settings,
): Promise<Omit<PrepareSummary, 'path' | 'seconds'> & Pick<Made, 'seconds'>> {
  let writer: DatasetWriter | undefined;
  const start: Start = (layouts, arrays) => {
    writer = new DatasetWriter(path, layouts, arrays, settings.shardBytes);
    return writer.sinks;
  };
  try {
    const made =
      'open' in source ? await writeTable(source, options, settings, start) : await writeArrays(source, options, settings, start);
    const { facts, layouts, offsets, seconds } = made;
    assert(writer !== undefined, 'nothing was written');
    const remembered = encodingOptionsOf({ ...options, target: facts.target.name });
    const { id, shards } = await writer.finish({ numericsVersion: NUMERICS_VERSION, options: remembered, ...facts, offsets, layouts });
    settings.signal?.throwIfAborted();
    return { ...summaryOfDataset({ ...facts, id, layouts, shards }, options), notes: skipNotes(facts), seconds };
  } finally {
    await writer?.abandon();
  }
}

async function writeTable(source: Openable, options: ResolvedOptions, settings: Settings, start: Start): Promise<Made> {
  const { memoryBytes } = settings;
  const encoding = tableOptions(options, settings);
  const began = performance.now();
  const table = await source.open({ ...encoding, memoryBytes, threads: mostWorkers(options) });
  const opened = (performance.now() - began) / 1000;
  try {
    checkBudget(table.columns.length, memoryBytes);
    // Beside what DuckDB may have, and the shards that are open.
    const forRows = memoryBytes === undefined ? undefined : memoryBytes / 4;
    const {
      encodeInto,
      packInto: _packInto,
      forget: _forget,
      layouts,
      offsets,
      ...fitted
    } = await fitTable(table, { ...encoding, memoryBytes: forRows });
    const { seconds, ...written } = await encodeInto(start(layouts, { weight: fitted.weighted, offset: offsets }));
    return { facts: { ...fitted, ...written }, layouts, offsets, seconds: { ...seconds, read: opened + seconds.read } };
  } finally {
    table.close();
  }
}

async function writeArrays(source: ArraySource, options: ResolvedOptions, settings: Settings, start: Start): Promise<Made> {
  const encoded = await encodeArrays(source, { ...options, ...settings, workers: undefined });
  const { store, trainingRows: _training, validationRows: _validation, seconds, ...facts } = encoded;
  const layouts = { training: store.training.layout, validation: store.validation.layout };
  const offsets = source.offset !== undefined;
  await copyChunks(encoded, start(layouts, { weight: facts.weighted, offset: offsets }));
  return { facts, layouts, offsets, seconds };
}

/** @throws PARAGRAD_MEMORY when batches of rows, all columns wide, do not fit beside DuckDB */
function checkBudget(columns: number, memoryBytes: number | undefined): void {
  if (memoryBytes === undefined) return;
  const needed = BASE_BYTES + duckMemoryBytes(memoryBytes) + INGEST_ROWS * 8 * columns;
  if (needed <= memoryBytes) return;
  const MiB = (bytes: number): string => `${Math.ceil(bytes / 1024 ** 2)} MiB`;
  throw new ParagradError(
    'PARAGRAD_MEMORY',
    `--memory ${MiB(memoryBytes)} does not suffice for ${columns} columns: about ${MiB(needed)} are needed; leave columns out with --drop, or give more`,
    { place: { option: '--memory' } },
  );
}
