import type { Facts, Manifest } from '../data/dataset/format.ts';
import { type DatasetCheck, verifyDataset } from '../data/dataset/load.ts';
import { type Dataset, isDataset, openDataset } from '../data/dataset/read.ts';
import type { EncodeTableOptions } from '../data/encode.ts';
import type { EncodeProgress } from '../data/encoded.ts';
import type { TableSource } from '../data/source-files.ts';
import { ParagradError } from '../errors.ts';
import type { Layout } from '../partition/layout.ts';
import { requireFolder } from './arguments.ts';
import { choicesOf, type ResolvedOptions, resolveOptions } from './options.ts';
import { schemaSummary } from './summary.ts';
import type { TrainOptions } from './train-options.ts';
import type { SchemaSummary } from './types.ts';
import { NUMERICS_VERSION } from './version.ts';

/** Options that say what becomes of the source: `prepare` takes them, and a dataset has them inside. */
const ENCODING_OPTIONS = [
  'target',
  'model',
  'positive',
  'category',
  'number',
  'drop',
  'weight',
  'offset',
  'id',
  'badRows',
  'splitBy',
  'validationAfter',
  'validationData',
  'maxCategories',
  'logTarget',
  'standardize',
  'validationFraction',
  'seed',
  'shuffle',
  'dtype',
  'chunkRows',
  'blockColumns',
] as const satisfies readonly (keyof TrainOptions)[];

export type EncodingOption = (typeof ENCODING_OPTIONS)[number];

/** What a dataset remembers of the options that it was made with. */
export function encodingOptionsOf(options: ResolvedOptions): Record<string, unknown> {
  return Object.fromEntries(ENCODING_OPTIONS.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])));
}

/** The dataset in a folder; undefined when the path is none. @throws PARAGRAD_DATASET_FOLDER, _FILE, _VERSION */
export async function datasetAt(source: TableSource): Promise<Dataset | undefined> {
  const path = typeof source === 'string' ? source : source.length === 1 ? (source[0] as string) : '';
  return path !== '' && (await isDataset(path)) ? openDataset(path, NUMERICS_VERSION) : undefined;
}

/** Name of the target of the dataset in a folder; undefined when the path is none. @throws what `datasetAt` does */
export async function datasetTarget(source: TableSource): Promise<string | undefined> {
  return (await datasetAt(source))?.manifest.target.name;
}

/**
 * Options to train on a dataset: its own, for what was decided when it was made.
 *
 * @throws PARAGRAD_OPTION for an option that belongs to encoding
 */
export function withDataset<Options extends TrainOptions>(options: Options, { folder, manifest }: Dataset): Options {
  // The command line says `standardize: true` where nobody said anything.
  for (const name of ENCODING_OPTIONS)
    if (options[name] !== undefined && !(name === 'standardize' && options.standardize === true)) {
      const option = name === 'standardize' ? '--no-standardize' : `--${name.replace(/[A-Z]/gu, (letter) => `-${letter.toLowerCase()}`)}`;
      throw new ParagradError('PARAGRAD_OPTION', `${option} is no option here: ${folder} is encoded already, so give it to prepare`, {
        place: { option },
      });
    }
  return { ...options, ...manifest.options };
}

/** Options without those that a dataset has inside. */
export function withoutEncoding(options: TrainOptions): TrainOptions {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !(ENCODING_OPTIONS as readonly string[]).includes(name)));
}

/** What the options say to the encoder of any source. */
export function encodingOf(options: ResolvedOptions) {
  const { logTarget, model, positive, dtype, seed, validationFraction, standardize, chunkRows, blockColumns, shuffle } = options;
  return { logTarget, model, positive, dtype, seed, validationFraction, standardize, chunkRows, blockColumns, shuffle };
}

/** What the options say to the encoder of a table. @throws PARAGRAD_OPTION when the target is missing */
export function tableOptions(
  options: ResolvedOptions,
  hooks: { readonly signal: AbortSignal | undefined; readonly onProgress: (progress: EncodeProgress) => void },
): EncodeTableOptions {
  const { target, maxCategories } = options;
  if (target === undefined)
    throw new ParagradError('PARAGRAD_OPTION', '--target is missing: name the column to predict', { place: { option: '--target' } });
  return { ...choicesOf(options), ...encodingOf(options), ...hooks, maxCategories, target };
}

/** A dataset in short: what `prepare` and `inspect` show. */
export interface DatasetSummary {
  readonly path: string;
  readonly id: string;
  readonly schema: SchemaSummary;
  readonly dtype: Layout['dtype'];
  readonly chunkRows: number;
  readonly chunks: number;
  readonly shards: number;
  /** Of all shards. */
  readonly bytes: number;
}

/** What a dataset is, in short. */
export function summaryOfDataset(
  manifest: Pick<Manifest, keyof Facts | 'id' | 'layouts' | 'shards'>,
  options: Pick<ResolvedOptions, 'target' | 'model' | 'id'>,
): Omit<DatasetSummary, 'path'> {
  const { layouts, shards, id } = manifest;
  return {
    id,
    schema: schemaSummary(manifest, options),
    dtype: layouts.training.dtype,
    chunkRows: layouts.training.chunkRows,
    chunks: layouts.training.chunks + layouts.validation.chunks,
    shards: shards.length,
    bytes: shards.reduce((sum, shard) => sum + shard.bytes, 0),
  };
}

/** What `inspectDataset` finds. */
export interface DatasetDescription extends DatasetSummary {
  /** What was read again and is as it was written; null when nobody asked. */
  readonly verified: DatasetCheck | null;
}

/**
 * The summary of a dataset folder; with `verify`, every checksum and all counts are checked, in little memory.
 *
 * @throws PARAGRAD_DATASET_FOLDER, PARAGRAD_DATASET_FILE, PARAGRAD_DATASET_MIXED, PARAGRAD_DATASET_VERSION
 */
export async function inspectDataset(
  path: string,
  options: { readonly verify?: boolean; readonly signal?: AbortSignal; readonly onRows?: (rows: number) => void } = {},
): Promise<DatasetDescription> {
  requireFolder(path, 'inspectDataset(folder)');
  const dataset = await openDataset(path, NUMERICS_VERSION);
  const { signal, onRows } = options;
  const verified = options.verify === true ? await verifyDataset(dataset, { signal, onRows }) : null;
  const remembered = withDataset<TrainOptions>({}, dataset);
  return { path, ...summaryOfDataset(dataset.manifest, resolveOptions(remembered)), verified };
}
