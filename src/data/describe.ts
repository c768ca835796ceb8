import { compareUtf8 } from './names.ts';
import { RunningTree } from './running-tree.ts';
import { type SchemaColumn, schemaOf } from './schema.ts';
import { type ColumnStatistics, choose, mergeStatistics, statisticsOf } from './statistics.ts';
import type { ColumnChoices, Table } from './table.ts';

/** A column of a data file, for people. */
export interface ColumnDescription extends SchemaColumn {
  /** Rows without a value; undefined where the column was not read. */
  readonly missing: number | undefined;
  /** Numbers, booleans (0 and 1) and dates (days since 1970-01-01 UTC) that have a value. */
  readonly numbers?: { readonly mean: number; readonly deviation: number; readonly min: number; readonly max: number };
  /** Different texts, and the most frequent ones. */
  readonly texts?: { readonly distinct: number; readonly most: readonly { readonly text: string; readonly rows: number }[] };
}

/** Texts that are listed. */
const MOST = 5;

function describe(column: SchemaColumn, statistics: ColumnStatistics | undefined, dictionary: readonly string[]): ColumnDescription {
  if (statistics === undefined) return { ...column, missing: undefined };
  const { missing } = statistics;
  if (statistics.kind === 'number') {
    if (statistics.weight === 0) return { ...column, missing };
    const { mean, m2, weight, min, max } = statistics;
    return { ...column, missing, numbers: { mean, deviation: Math.sqrt(m2 / weight), min, max } };
  }
  const { counts } = statistics;
  const seen = [...counts.keys()].filter((code) => (counts[code] as number) > 0);
  const text = (code: number): string => dictionary[code] as string;
  seen.sort((a, b) => (counts[b] as number) - (counts[a] as number) || compareUtf8(text(a), text(b)));
  const most = seen.slice(0, MOST).map((code) => ({ text: text(code), rows: counts[code] as number }));
  return { ...column, missing, texts: { distinct: seen.length, most } };
}

/**
 * Schema and statistics over all rows, in one scan. Ids, dropped and unsupported columns are listed, not read. Infinite
 * values show as infinite statistics, they are no error here.
 */
export async function describeTable(
  table: Table,
  options: { target?: string | undefined; signal?: AbortSignal | undefined } & ColumnChoices = {},
): Promise<{ rows: number; columns: ColumnDescription[] }> {
  const schema = schemaOf(table, options);
  const read = schema.columns.flatMap((column, i) => (['feature', 'target', 'empty'].includes(column.role) ? [i] : []));
  const tree = new RunningTree<ColumnStatistics[]>(mergeStatistics);
  let dictionaries: (readonly string[])[] = [];
  let rows = 0;
  for await (const batch of table.scan(read, { signal: options.signal })) {
    const chosen = choose(new Uint8Array(batch.rows), 0);
    tree.push(batch.columns.map((column) => statisticsOf(column, chosen)));
    dictionaries = batch.columns.map((column) => (column.kind === 'text' ? column.dictionary : []));
    rows += batch.rows;
  }
  const statistics = tree.finish() ?? [];
  const columns = schema.columns.map((column, i) => {
    const at = read.indexOf(i);
    return describe(column, at < 0 ? undefined : statistics[at], dictionaries[at] ?? []);
  });
  return { rows, columns };
}
