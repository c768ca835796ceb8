import { type Layout, panelRows } from '../partition/layout.ts';
import { checkSeed } from '../random.ts';
import { inThisThread } from './array-tasks.ts';
import type { BadRows } from './bad-rows.ts';
import { checkMemory, checkTraining, type Encoded, type EncodeOptions, type EncodeProgress, layoutsOf, roomForBoth } from './encoded.ts';
import { type Encoder, encodedWidth, type FittedFeature, fitEncoder } from './encoder.ts';
import { keepable, type Packers, PlacedArrays, packKept } from './kept.ts';
import { memoryLimitBytes } from './limits.ts';
import { type PackCounts, Packer } from './pack.ts';
import type { KeptBatch } from './pack-table.ts';
import { placementOf } from './placement.ts';
import { RowColumnReader } from './row-columns.ts';
import { RunningTree } from './running-tree.ts';
import { type BatchRows, type ChunkSink, SetWriter, storeSink } from './scatter.ts';
import { MAX_CATEGORIES, type Schema, schemaOf, withRoles } from './schema.ts';
import { checkFraction, SKIPPED, type Split, TRAINING, VALIDATION } from './split.ts';
import {
  blockStatisticsOf,
  type Chosen,
  type ColumnStatistics,
  checkMoments,
  choose,
  type Moments,
  mergeMoments,
  mergeStatistics,
  momentsOf,
} from './statistics.ts';
import { allocateStore, type DataStore } from './store.ts';
import type { Batch, ColumnChoices, Table, Values } from './table.ts';
import { type TableSplit, tableSplit } from './table-split.ts';
import { chooseTarget, fillTarget, type ModelChoice, modelForTarget, type TargetEncoder, TargetProbing } from './target.ts';

export interface EncodeTableOptions extends EncodeOptions, ColumnChoices {
  readonly target: string;
  /** Default auto: by the target. */
  readonly model?: ModelChoice | undefined;
  /** The class that becomes 1; default: the later in UTF-8 byte order. */
  readonly positive?: string | undefined;
  /** Most levels of a category; default 256. */
  readonly maxCategories?: number | undefined;
  /** Who encodes a table that was kept in memory, its layout known; default: this thread. */
  readonly packers?: ((layout: Layout) => Promise<Packers>) | undefined;
  /** What the process may use: a table that is small beside it is read once. Default: what the machine and its control group allow. */
  readonly memoryBytes?: number | undefined;
}

/** Splits the time of a scan into waiting for the source and working on its batches. */
class Stopwatch {
  read = 0;
  encode = 0;

  async *over(batches: AsyncIterable<Batch>): AsyncGenerator<Batch> {
    let before = performance.now();
    for await (const batch of batches) {
      const ready = performance.now();
      this.read += ready - before;
      yield batch;
      before = performance.now();
      this.encode += before - ready;
    }
    this.read += performance.now() - before;
  }
}

/** What the statistics pass leaves. */
interface FirstPass {
  readonly statistics: readonly ColumnStatistics[];
  readonly dictionaries: readonly (readonly string[] | undefined)[];
  readonly target: TargetEncoder;
  /** Of each batch: what each of its rows is for. */
  readonly uses: readonly Uint8Array[];
  /** All batches, where they were kept. */
  kept: Batch[] | undefined;
  readonly rows: { all: number; withoutTarget: number; training: number; validation: number };
  /** What is wrong in the source, unless that is an error. */
  readonly bad: BadRows | undefined;
}

interface Plan {
  readonly table: Table;
  readonly options: EncodeTableOptions;
  readonly split: Split;
  /** Index of the target column, and of the features. */
  readonly target: number;
  readonly features: readonly number[];
  readonly rowColumns: RowColumnReader;
  readonly tableSplit: TableSplit;
  readonly watch: Stopwatch;
}

function progress(plan: Plan, phase: EncodeProgress['phase'], rows: number): void {
  plan.options.onProgress?.({ phase, rows, total: plan.table.rows });
}

/** Rows without a target are skipped, the others split. */
function useOf(target: Values, batch: Batch, split: TableSplit, first: number): Uint8Array {
  const use = new Uint8Array(batch.rows);
  if (target.kind === 'text') {
    for (let i = 0; i < use.length; i += 1) if ((target.codes[i] as number) < 0) use[i] = SKIPPED;
  } else if (target.missing !== undefined) {
    for (let i = 0; i < use.length; i += 1) if (target.missing[i] === 1) use[i] = SKIPPED;
  }
  if (batch.skip !== undefined) for (let i = 0; i < use.length; i += 1) if (batch.skip[i] === 1) use[i] = SKIPPED;
  split.fill(use, batch, first);
  return use;
}

function blockStatistics(plan: Plan, columns: readonly Values[], batch: Batch, chosen: Chosen): ColumnStatistics[] {
  const all = blockStatisticsOf(columns, chosen);
  return plan.features.map((feature, i) => {
    const values = columns[i] as Values;
    const statistics = all[i] as ColumnStatistics;
    if (statistics.kind === 'number' && values.kind === 'number')
      checkMoments(statistics, plan.table.columns[feature]?.name ?? '', plan.table.source, batch.firstRow, values.values, chosen);
    return statistics;
  });
}

async function statisticsPass(plan: Plan): Promise<FirstPass> {
  const { table, options } = plan;
  const tree = new RunningTree<ColumnStatistics[]>(mergeStatistics);
  const probing = new TargetProbing(table.columns[plan.target]?.kind ?? 'number', options.logTarget);
  const uses: Uint8Array[] = [];
  const rows = { all: 0, withoutTarget: 0, training: 0, validation: 0 };
  let dictionaries: (readonly string[] | undefined)[] = plan.features.map(() => undefined);
  const { scanned, ids } = plan.tableSplit;
  const before = [plan.target, ...plan.rowColumns.scanned, ...scanned];
  const wanted = [...before, ...plan.features];
  const keep = keepable(table, wanted.length, options.memoryBytes ?? memoryLimitBytes());
  const kept: Batch[] = [];
  let weighty = 0;
  for await (const batch of plan.watch.over(table.scan(wanted, { signal: options.signal, ids, keep }))) {
    const target = batch.columns[0] as Values;
    probing.look(target, batch.rows, { source: table.source, name: options.target, firstRow: batch.firstRow });
    const use = useOf(target, batch, plan.tableSplit, 1 + plan.rowColumns.scanned.length);
    rows.withoutTarget += countMissing(target, batch);
    const { weight } = plan.rowColumns.read(batch, 1, use);
    const chosen = choose(use, TRAINING, weight);
    const columns = batch.columns.slice(before.length);
    tree.push(chosen.count === 0 ? undefined : blockStatistics(plan, columns, batch, chosen));
    dictionaries = columns.map((values) => (values.kind === 'text' ? values.dictionary : undefined));
    uses.push(use);
    if (keep) kept.push(batch);
    rows.all += batch.rows;
    weighty += chosen.count;
    for (let i = 0; i < use.length; i += 1) {
      if (use[i] === VALIDATION) rows.validation += 1;
      else if (use[i] === TRAINING) rows.training += 1;
    }
    progress(plan, 'statistics', rows.all);
  }
  const target = chooseTarget(options.target, probing.finish(), {
    model: options.model ?? 'auto',
    positive: options.positive,
    log: options.logTarget,
  });
  checkTraining(weighty, rows, table.source);
  return { statistics: tree.finish() ?? [], dictionaries, target, uses, kept: keep ? kept : undefined, rows, bad: badOf(plan) };
}

/** Rows without a target that are not skipped for something else. */
function countMissing(target: Values, { rows, skip }: Batch): number {
  let count = 0;
  for (let i = 0; i < rows; i += 1) {
    const missing = target.kind === 'text' ? (target.codes[i] as number) < 0 : target.missing?.[i] === 1;
    if (missing && skip?.[i] !== 1) count += 1;
  }
  return count;
}

/** What the table, and the columns of weights and offsets, have found to be wrong. */
function badOf({ table: { bad }, rowColumns: { wrong } }: Plan): BadRows | undefined {
  if (bad === undefined) return undefined;
  const columns = new Map([...bad.columns.map(({ column, values }) => [column, values] as const), ...wrong.columns]);
  return {
    ...bad,
    rows: bad.rows + wrong.rows,
    columns: [...columns].map(([column, values]) => ({ column, values })),
    examples: [...bad.examples, ...wrong.examples],
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

/** Batches for the second pass: target, row columns and then the encoder's columns; kept ones, or those of a second scan. */
async function* secondPass(plan: Plan, first: FirstPass, encoder: Encoder): AsyncGenerator<Batch> {
  const { table, options } = plan;
  const names = new Map(encoder.columns.map((column, i) => [column.name, i]));
  // Constant columns are not looked at again.
  const kept = plan.features.filter((feature) => names.has(table.columns[feature]?.name ?? ''));
  const before = [plan.target, ...plan.rowColumns.scanned];
  if (first.kept === undefined) {
    yield* plan.watch.over(table.scan([...before, ...kept], { signal: options.signal }));
    return;
  }
  const skipped = before.length + plan.tableSplit.scanned.length;
  const at = [...before.keys(), ...kept.map((feature) => skipped + plan.features.indexOf(feature))];
  for (const batch of first.kept) {
    options.signal?.throwIfAborted();
    yield { ...batch, columns: at.map((i) => batch.columns[i] as Values) };
  }
}

/** Batches of the second pass with what each row has beside its features; moments of the target over the training rows. */
class RowsOfBatches {
  readonly #plan: Plan;
  readonly #first: FirstPass;
  readonly #moments = new RunningTree<Moments>(mergeMoments);
  #done = 0;

  constructor(plan: Plan, first: FirstPass) {
    this.#plan = plan;
    this.#first = first;
  }

  /** Batches in order, each once. */
  next(batch: Batch): BatchRows & { readonly use: Uint8Array } {
    const { rowColumns } = this.#plan;
    const use = this.#first.uses[this.#done] as Uint8Array;
    this.#done += 1;
    const y = new Float64Array(batch.rows);
    fillTarget(this.#first.target, batch.columns[0] as Values, batch.rows, y);
    const { weight, offset } = rowColumns.read(batch, 1, use);
    const chosen = choose(use, TRAINING, weight);
    this.#moments.push(chosen.count === 0 ? undefined : momentsOf(y, undefined, chosen));
    progress(this.#plan, 'encode', batch.firstRow + batch.rows);
    return { firstRow: batch.firstRow, values: batch.columns.slice(1 + rowColumns.scanned.length), y, v: weight, offset, use };
  }

  get targetStatistics(): Moments {
    return this.#moments.finish() as Moments;
  }
}

async function encodePass(
  plan: Plan,
  first: FirstPass,
  encoder: Encoder,
  sinks: { readonly training: ChunkSink; readonly validation: ChunkSink },
): Promise<Pick<Encoded, 'targetStatistics'> & { counts: PackCounts }> {
  const { table, options } = plan;
  const { layout } = sinks.training;
  const packer = new Packer(encoder, panelRows(layout.dtype), table.source);
  const training = new SetWriter(sinks.training, placementOf(layout, options.shuffle ?? 'windows', plan.split.seed), packer);
  const validation = new SetWriter(sinks.validation, (row) => row, packer);
  const rowsOf = new RowsOfBatches(plan, first);
  for await (const batch of secondPass(plan, first, encoder)) {
    const { use, ...rows } = rowsOf.next(batch);
    await training.write(rows, use, TRAINING);
    await validation.write(rows, use, VALIDATION);
  }
  return { counts: packer.counts, targetStatistics: rowsOf.targetStatistics };
}

/** The second pass over kept batches, by many workers. */
async function packPass(plan: Plan, first: FirstPass, encoder: Encoder, store: DataStore) {
  const { options } = plan;
  const began = performance.now();
  const rowsOf = new RowsOfBatches(plan, first);
  const placed = new PlacedArrays(first.uses.length, { weight: options.weight !== undefined, offset: options.offset !== undefined });
  const batches: KeptBatch[] = [];
  for await (const batch of secondPass(plan, first, encoder)) {
    const { firstRow, values, y, v, offset } = rowsOf.next(batch);
    placed.put(batches.length, y, v, offset);
    batches.push({ firstRow, values });
  }
  const packers = await (options.packers?.(store.training.layout) ?? inThisThread);
  options.signal?.throwIfAborted();
  const rows = { y: placed.y, v: placed.v, offset: placed.offset };
  const { seed } = plan.split;
  const given = { batches, rows, uses: first.uses, encoder, source: plan.table.source, store, shuffle: options.shuffle ?? 'windows', seed };
  const packed = await packKept(given, packers);
  plan.watch.encode += performance.now() - began;
  return { ...packed, targetStatistics: rowsOf.targetStatistics };
}

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
    schema: withRoles(schema, found),
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
