import { encodeTable } from '../data/encode.ts';
import { writeEncoded } from '../data/encoded-file.ts';
import { openTable } from '../data/open-table.ts';
import { RunningTree } from '../data/running-tree.ts';
import { schemaOf } from '../data/schema.ts';
import type { TableSource } from '../data/source-files.ts';
import type { Download } from '../data/spool.ts';
import { type ColumnStatistics, choose, mergeStatistics, statisticsOf } from '../data/statistics.ts';
import type { Table, Values } from '../data/table.ts';
import { ParagradError } from '../errors.ts';
import { requireTable } from './arguments.ts';
import { choicesOf, resolveOptions } from './options.ts';
import { checkOutFile } from './out-paths.ts';
import type { TrainOptions } from './train-options.ts';

/** Most frequent values that are shown of a category. */
const TOP = 5;

/** A column of a table, as it was read. */
export interface ColumnDescription {
  readonly name: string;
  readonly kind: 'number' | 'boolean' | 'date' | 'category' | 'other';
  /** The type in the source's own words. */
  readonly sourceType: string;
  /** What training would do with it, and why it is left out. */
  readonly role: string;
  readonly note: string;
  readonly missing: number;
  /** Numbers, booleans (0 and 1) and dates (days since 1970-01-01): null where there is no value. */
  readonly min: number | null;
  readonly max: number | null;
  readonly mean: number | null;
  /** Square root of the mean squared deviation. */
  readonly standardDeviation: number | null;
  /** Categories: how many values, and the most frequent ones. */
  readonly distinct: number | null;
  readonly top: readonly { readonly value: string; readonly count: number }[];
}

/** What `inspectData` finds. */
export interface DataDescription {
  readonly source: string;
  readonly rows: number;
  readonly columns: readonly ColumnDescription[];
  /** The file written for `encoded`. */
  readonly encoded: string | null;
}

/** What can be said of an inspection; options of training say how it would take the columns. */
export interface InspectOptions
  extends Pick<
    TrainOptions,
    | 'target'
    | 'category'
    | 'number'
    | 'drop'
    | 'weight'
    | 'offset'
    | 'id'
    | 'badRows'
    | 'logTarget'
    | 'splitBy'
    | 'validationAfter'
    | 'validationData'
    | 'seed'
    | 'validationFraction'
    | 'standardize'
    | 'model'
    | 'positive'
    | 'maxCategories'
    | 'signal'
  > {
  /** Of the encoded file; default 'f64'. */
  readonly dtype?: 'f32' | 'f64';
  /** Write the encoded columns here, exactly as training sees them (Parquet); needs `target`. */
  readonly encoded?: string;
  /** Of a file at an address: what has come of it. */
  readonly onDownload?: (download: Download) => void;
}

/**
 * Schema and statistics of a data file, all rows counted; with `encoded`, also the encoded columns as a file that other tools
 * can read.
 *
 * @throws what reading a file throws (docs/errors.md).
 */
export async function inspectData(files: TableSource, options: InspectOptions = {}): Promise<DataDescription> {
  requireTable(files, 'inspectData(file)');
  const { target, drop, encoded, signal } = options;
  const choices = choicesOf(options);
  const dtype = options.dtype ?? 'f64';
  const resolved = resolveOptions({ ...options, dtype });
  if (encoded !== undefined && target === undefined)
    throw new ParagradError('PARAGRAD_OPTION', '--encoded needs --target: encoding depends on what is predicted', {
      place: { option: '--encoded' },
    });
  if (encoded !== undefined) await checkOutFile(encoded, '--encoded', [files, options.validationData]);
  const table = await openTable(files, { ...choices, signal, onDownload: options.onDownload });
  try {
    const schema = schemaOf(table, { target, ...choices });
    const { rows, statistics, dictionaries } = await statisticsOfAll(table, new Set(drop), signal);
    const columns = schema.columns.map((column, i): ColumnDescription => {
      const { name, kind, sourceType, role, note } = column;
      return { name, kind, sourceType, role, note, ...described(statistics.get(i), dictionaries.get(i), rows) };
    });
    if (encoded !== undefined && target !== undefined) {
      const { logTarget, seed, validationFraction, standardize, model, maxCategories } = resolved;
      const shared = { logTarget, dtype, seed, validationFraction, standardize, model, maxCategories, ...choices, signal };
      await writeEncoded(await encodeTable(table, { ...shared, target, positive: options.positive }), encoded);
    }
    return { source: table.source, rows, columns, encoded: encoded ?? null };
  } finally {
    table.close();
  }
}

interface AllStatistics {
  readonly rows: number;
  /** By index of the table's columns; columns that are dropped or cannot be scanned have none. */
  readonly statistics: ReadonlyMap<number, ColumnStatistics>;
  readonly dictionaries: ReadonlyMap<number, readonly string[]>;
}

async function statisticsOfAll(table: Table, dropped: ReadonlySet<string>, signal: AbortSignal | undefined): Promise<AllStatistics> {
  const indexes = table.columns.flatMap(({ kind, name }, i) => (kind === 'other' || dropped.has(name) ? [] : [i]));
  const tree = new RunningTree<ColumnStatistics[]>(mergeStatistics);
  const dictionaries = new Map<number, readonly string[]>();
  let rows = 0;
  for await (const batch of table.scan(indexes, { signal })) {
    const chosen = choose(new Uint8Array(batch.rows), 0);
    tree.push(batch.columns.map((values) => statisticsOf(values, chosen)));
    for (const [k, values] of batch.columns.entries()) remember(dictionaries, indexes[k] as number, values);
    rows += batch.rows;
  }
  const statistics = tree.finish() ?? [];
  return { rows, statistics: new Map(statistics.map((column, k) => [indexes[k] as number, column])), dictionaries };
}

function remember(dictionaries: Map<number, readonly string[]>, index: number, values: Values): void {
  if (values.kind === 'text') dictionaries.set(index, values.dictionary);
}

type Described = Pick<ColumnDescription, 'missing' | 'min' | 'max' | 'mean' | 'standardDeviation' | 'distinct' | 'top'>;

function described(statistics: ColumnStatistics | undefined, dictionary: readonly string[] | undefined, rows: number): Described {
  const none = { min: null, max: null, mean: null, standardDeviation: null, distinct: null, top: [] };
  if (statistics === undefined) return { ...none, missing: rows };
  const { missing } = statistics;
  if (statistics.kind === 'number') {
    if (statistics.weight === 0) return { ...none, missing };
    const { min, max, mean, m2, weight } = statistics;
    return { ...none, missing, min, max, mean, standardDeviation: Math.sqrt(m2 / weight) };
  }
  const counts = [...statistics.counts].flatMap((count, code) => (count > 0 ? [{ value: dictionary?.[code] ?? '', count }] : []));
  counts.sort((a, b) => b.count - a.count);
  return { ...none, missing, distinct: counts.length, top: counts.slice(0, TOP) };
}
