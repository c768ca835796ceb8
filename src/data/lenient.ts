import { BAD_EXAMPLES, type BadRows, type BadRowsMode } from './bad-rows.ts';
import type { Duck } from './duckdb.ts';
import type { RawColumn } from './profile.ts';
import { castTarget, kindOf, readingOf } from './sql-types.ts';

/** Formats of dates that the sample found; undefined: as ISO 8601 has them. */
export interface DateFormats {
  readonly date?: string | undefined;
  readonly timestamp?: string | undefined;
}

/** Columns that are read leniently: what is wrong in c<i> is NULL there, and stands in b<i>. */
export interface Lenient {
  readonly columns: readonly RawColumn[];
  /** The list of a SELECT over the reader. */
  readonly list: string;
  /** Columns that have a b<i>. */
  readonly watched: readonly number[];
  /** SQL: does the row have a wrong value? undefined: none can. */
  readonly bad: string | undefined;
}

function parsed(type: string, c: string, formats: DateFormats): string {
  const format = type === 'DATE' ? formats.date : type === 'TIMESTAMP' ? formats.timestamp : undefined;
  const value =
    format === undefined ? `TRY_CAST(${c} AS ${type})` : `CAST(try_strptime(${c}, '${format.replaceAll("'", "''")}') AS ${type})`;
  if (kindOf(type) === 'number') return `CASE WHEN NOT isinf(${value}) THEN ${value} END`;
  return /^(DATE|TIMESTAMP.*)$/u.test(type) ? `CASE WHEN isfinite(${value}) THEN ${value} END` : value;
}

/** How to read columns so that wrong values become NULL and are remembered. */
export function lenientColumns(columns: readonly RawColumn[], formats: DateFormats = {}): Lenient {
  const watched: number[] = [];
  const list: string[] = [];
  const read = columns.map((column, i): RawColumn => {
    const c = `c${i}`;
    const { kind } = column.reading;
    if (column.dropped) return column;
    if (column.plain || kind === 'text' || kind === 'other') {
      list.push(c);
      return column;
    }
    const own = kindOf(column.type);
    const type = own === 'text' ? castTarget(kind) : own === 'number' ? 'DOUBLE' : column.type;
    const value = parsed(type, c, formats);
    list.push(`${value} AS ${c}`, `CASE WHEN ${c} IS NOT NULL AND (${value}) IS NULL THEN CAST(${c} AS VARCHAR) END AS b${i}`);
    watched.push(i);
    return { ...column, type, reading: readingOf(type, c, kind) ?? column.reading };
  });
  const bad = watched.length === 0 ? undefined : `coalesce(${watched.map((i) => `b${i}`).join(', ')}) IS NOT NULL`;
  return { columns: read, list: list.join(', '), watched, bad };
}

/** Rows and values that are wrong, and the first of them with their row numbers (from 0). */
export async function findBad(
  duck: Duck,
  from: string,
  { columns, watched, bad }: Lenient,
): Promise<{ rows: number; columns: BadRows['columns']; first: { row: number; column: string; value: string }[] }> {
  if (bad === undefined) return { rows: 0, columns: [], first: [] };
  const counts = [`count(*) FILTER (WHERE ${bad})`, ...watched.map((i) => `count(b${i})`)];
  const found = (await duck.strings(`SELECT ${counts.map((count) => `CAST(${count} AS VARCHAR)`).join(', ')} FROM ${from}`))[0] as string[];
  const rows = Number(found[0]);
  const name = (i: number): string => columns[i]?.name ?? '';
  const byColumn = watched.map((i, at) => ({ column: name(i), values: Number(found[at + 1]) })).filter(({ values }) => values > 0);
  if (rows === 0) return { rows, columns: [], first: [] };
  const list = watched.map((i) => `b${i}`).join(', ');
  const numbered = `SELECT row_number() OVER () - 1 AS row, ${list} FROM ${from}`;
  const examples = await duck.strings(
    `SELECT CAST(row AS VARCHAR), ${list} FROM (${numbered}) WHERE ${bad} ORDER BY row LIMIT ${BAD_EXAMPLES}`,
  );
  const first = examples.flatMap(([row, ...values]) =>
    values.flatMap((value, at) => (value === null ? [] : [{ row: Number(row), column: name(watched[at] as number), value }])),
  );
  return { rows, columns: byColumn, first: first.slice(0, BAD_EXAMPLES) };
}

/** What is wrong in a source without lines. */
export async function badIn(
  duck: Duck,
  { source, from, lenient, mode }: { source: string; from: string; lenient: Lenient; mode: BadRowsMode },
): Promise<BadRows | undefined> {
  if (mode === 'error') return undefined;
  const { rows, columns, first } = await findBad(duck, from, lenient);
  const examples = first.map(({ row, column, value }) => ({ file: source, line: null, row, column, value }));
  return { mode, rows: mode === 'skip' ? rows : 0, lines: 0, columns, examples };
}
