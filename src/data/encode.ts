import type { Layout } from '../partition/layout.ts';
import { checkSeed } from '../random.ts';
import type { BadRows } from './bad-rows.ts';
import { encodePass, packPass } from './encode-pass.ts';
import { type EncodeTableOptions, type Plan, Stopwatch } from './encode-plan.ts';
import { checkMemory, type Encoded, layoutsOf, roomForBoth } from './encoded.ts';
import { type Encoder, encodedWidth, type FittedFeature, fitEncoder } from './encoder.ts';
import { memoryLimitBytes } from './limits.ts';
import type { PackCounts } from './pack.ts';
import { RowColumnReader } from './row-columns.ts';
import { type ChunkSink, storeSink } from './scatter.ts';
import { MAX_CATEGORIES, type Schema, schemaOf, withRoles, withSplit } from './schema.ts';
import { checkFraction } from './split.ts';
import type { ColumnStatistics } from './statistics.ts';
import { type FirstPass, statisticsPass } from './statistics-pass.ts';
import { allocateStore, type DataStore } from './store.ts';
import type { Table } from './table.ts';
import { tableSplit } from './table-split.ts';
import { modelForTarget, type TargetEncoder } from './target.ts';

export type { EncodeTableOptions } from './encode-plan.ts';

/**
 * From a table to chunks: the two passes (statistics-pass.ts, encode-pass.ts), and what is decided between them, the encoder and
 * the layouts.
 */

/** What the first scan of a table decides: all but the encoded values. */
export interface FittedTable {
  readonly encoder: Encoder;
  readonly schema: Schema;
  readonly target: TargetEncoder;
  readonly model: Encoded['model'];
  readonly layouts: { readonly training: Layout; readonly validation: Layout };
  readonly weighted: boolean;
  readonly bad?: BadRows;
  /** Whether the chunks have offsets. */
  readonly offsets: boolean;
  /** Encodes the batches that the first scan kept into a store; undefined: they were too many. Once only. */
  readonly packInto:
    | ((store: DataStore) => Promise<Pick<Encoded, 'targetStatistics' | 'counts' | 'seconds' | 'trainingRows' | 'validationRows'>>)
    | undefined;
  /** Lets the kept batches go, for `encodeInto`. */
  forget(): void;
  /** The second scan, or a second look at kept batches: writes all chunks. Once only. */
  encodeInto(sinks: {
    readonly training: ChunkSink;
    readonly validation: ChunkSink;
  }): Promise<Pick<Encoded, 'targetStatistics' | 'counts' | 'seconds'>>;
}

/**
 * The first scan of a table: statistics of the training rows, and what follows from them (docs/numerics.md §8). The result,
 * and that of the second scan, are functions of the rows and options alone.
 *
 * @throws PARAGRAD_COLUMN, PARAGRAD_OPTION for wrong options; PARAGRAD_TARGET when the target does not suit;
 * PARAGRAD_VALUE for a value that is not finite; PARAGRAD_DATA when no training row is left; the signal's reason when aborted
 */
export async function fitTable(table: Table, options: EncodeTableOptions): Promise<FittedTable> {
  const seed = options.seed ?? 0;
  const fraction = options.validationFraction ?? 0.2;
  checkSeed(seed);
  checkFraction(fraction);
  const schema = schemaOf(table, options);
  const indexes = schema.columns.map((_, i) => i);
  const target = indexes.find((i) => schema.columns[i]?.role === 'target') as number;
  const features = indexes.filter((i) => schema.columns[i]?.role === 'feature');
  const watch = new Stopwatch();
  const plan: Plan = {
    table,
    options,
    split: { seed, fraction },
    target,
    features,
    tableSplit: tableSplit(table, { seed, fraction }, options),
    rowColumns: new RowColumnReader(table, options, options.badRows),
    watch,
  };
  const first = await statisticsPass(plan);
  const { encoder, found } = fitFeatures(plan, first);
  return {
    encoder,
    schema: withSplit(withRoles(schema, found), options.validationAfter, first.rows),
    target: first.target,
    model: modelForTarget(first.target),
    layouts: layoutsOf(first.rows.training, first.rows.validation, encodedWidth(encoder), options),
    weighted: options.weight !== undefined,
    offsets: options.offset !== undefined,
    ...(first.bad === undefined ? {} : { bad: first.bad }),
    forget() {
      first.kept = undefined;
    },
    packInto:
      first.kept === undefined
        ? undefined
        : async (store) => {
            const { counts, ...packed } = await packPass(plan, first, encoder, store);
            return { ...packed, counts: countsOf(first, counts), seconds: secondsOf(watch) };
          },
    async encodeInto(sinks) {
      const { counts, targetStatistics } = await encodePass(plan, first, encoder, sinks);
      return { targetStatistics, counts: countsOf(first, counts), seconds: secondsOf(watch) };
    },
  };
}

function fitFeatures(plan: Plan, first: FirstPass): { encoder: Encoder; found: Parameters<typeof withRoles>[1] } {
  const features = plan.features.map((feature, i): FittedFeature => {
    const { name, kind } = plan.table.columns[feature] as Table['columns'][number];
    const dictionary = first.dictionaries[i];
    const base = { name, kind, statistics: first.statistics[i] as ColumnStatistics };
    return dictionary === undefined ? base : { ...base, dictionary };
  });
  return fitEncoder(features, {
    standardize: plan.options.standardize ?? true,
    maxCategories: plan.options.maxCategories ?? MAX_CATEGORIES,
  });
}

function secondsOf({ read, encode }: Stopwatch): Encoded['seconds'] {
  return { read: read / 1000, encode: encode / 1000 };
}

function countsOf({ rows }: FirstPass, { missing, unseen }: PackCounts): Encoded['counts'] {
  const { all, ...others } = rows;
  return { rows: all, ...others, missingValues: missing, unseenCategories: unseen };
}

/**
 * Encodes a table into memory: in one scan where there is room to keep its values, else in two.
 *
 * @throws what `fitTable` does; PARAGRAD_MEMORY when the result would not fit
 */
export async function encodeTable(table: Table, options: EncodeTableOptions): Promise<Encoded> {
  const { encodeInto, packInto, forget, layouts, offsets, ...fitted } = await fitTable(table, options);
  checkMemory(layouts, memoryLimitBytes());
  // Indicators take more than the values that they come from: then there may be no room for both.
  const both = packInto !== undefined && roomForBoth(layouts, options.memoryBytes ?? memoryLimitBytes());
  if (!both) forget();
  const segment = options.segmentBytes === undefined ? {} : { segmentBytes: options.segmentBytes };
  const store = allocateStore(layouts.training, layouts.validation, { offsets, ...segment });
  if (both) return { ...fitted, ...(await packInto(store)), store };
  const sinks = { training: storeSink(store, store.training), validation: storeSink(store, store.validation) };
  const written = await encodeInto(sinks);
  return { ...fitted, ...written, store, trainingRows: sinks.training.sourceRows, validationRows: sinks.validation.sourceRows };
}
