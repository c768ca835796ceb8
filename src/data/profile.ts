import { ParagradError } from '../errors.ts';
import { type Duck, literal } from './duckdb.ts';
import { quote } from './names.ts';
import { castTarget, kindOf, type Reading } from './sql-types.ts';
import type { ColumnKind, TableColumn } from './table.ts';

/** A column of a relation before it is profiled. */
export interface RawColumn {
  readonly name: string;
  readonly type: string;
  readonly reading: Reading;
  /** Left out by the user: not looked at. */
  readonly dropped: boolean;
  /** An id: passed on, not counted. */
  readonly plain: boolean;
}

export interface Profile {
  readonly rows: number;
  readonly columns: (TableColumn & { expression: string })[];
}

/** Counts rows, and for text columns the rows that have a value and the different values: one reading for all. */
export async function profile(duck: Duck, from: string, columns: readonly RawColumn[]): Promise<Profile> {
  const text = columns.filter((column) => column.reading.kind === 'text' && !column.dropped && !column.plain);
  const counts = text.flatMap(({ reading: { expression } }) => [`count(${expression})`, `count(DISTINCT ${expression})`]);
  const list = ['count(*)', ...counts].map((count) => `CAST(${count} AS VARCHAR)`).join(', ');
  const numbers = ((await duck.strings(`SELECT ${list} FROM ${from}`))[0] as string[]).map(Number);
  const samples = await sampleOf(duck, from, text);
  const known = new Map(
    text.map((column, at) => {
      const facts = { present: numbers[at * 2 + 1] as number, distinct: numbers[at * 2 + 2] as number };
      return [column, { ...facts, ...samples[at] }];
    }),
  );
  return profileWith(numbers[0] as number, columns, known);
}

/** Rows that are looked at to find numbers that are text. */
const SAMPLE_ROWS = 1000;
const DECIMAL_COMMA = /^\s*[-+]?\d[\d.' ]*,\d+\s*$/u;

/** So large a part of the first values of a text column must be numbers for the rest to be named. */
const MOSTLY = 0.9;

/** Of each text column, what its first values say: numbers with decimal commas, or numbers but for a few. */
async function sampleOf(
  duck: Duck,
  from: string,
  text: readonly RawColumn[],
): Promise<Pick<NonNullable<TableColumn['text']>, 'decimalComma' | 'noNumber'>[]> {
  if (text.length === 0) return [];
  const pattern = literal(DECIMAL_COMMA.source);
  const rows = `SELECT ${text.map(({ reading }, i) => `${reading.expression} AS t${i}`).join(', ')} FROM ${from} LIMIT ${SAMPLE_ROWS}`;
  const list = text.flatMap((_, i) => {
    const isNumber = `TRY_CAST(t${i} AS DOUBLE) IS NOT NULL`;
    return [
      `CASE WHEN bool_and(regexp_matches(t${i}, ${pattern})) THEN any_value(t${i}) END`,
      `CASE WHEN count(*) FILTER (${isNumber}) >= ${MOSTLY} * count(t${i}) THEN min(t${i}) FILTER (NOT (${isNumber})) END`,
    ];
  });
  const found = (await duck.strings(`SELECT ${list.join(', ')} FROM (${rows})`))[0] as (string | null)[];
  return text.map((_, i) => {
    const [decimalComma, noNumber] = found.slice(2 * i, 2 * i + 2) as [string | null, string | null];
    return { ...(decimalComma !== null && { decimalComma }), ...(noNumber !== null && { noNumber }) };
  });
}

/** What `profile` gives where the rows, and what is to be known of texts, are known. */
export function profileWith(
  rows: number,
  columns: readonly RawColumn[],
  texts: ReadonlyMap<RawColumn, NonNullable<TableColumn['text']>> = new Map(),
): Profile {
  return {
    rows,
    columns: columns.map((column) => {
      const { name, type, reading } = column;
      const base = { name, kind: reading.kind, sourceType: type, expression: reading.expression };
      const text = texts.get(column);
      return text === undefined ? base : { ...base, text };
    }),
  };
}

const NEEDED: Record<ColumnKind, string> = { number: 'number', boolean: 'true or false value', date: 'date', text: 'text', other: 'value' };

/** "is not a number: …" with the ways out. `forced`: why it had to be one (the option, or the model). */
export function wrongValue(place: {
  source: string;
  line?: number | undefined;
  row?: number | undefined;
  column: string;
  value: string;
  kind: ColumnKind;
  forced: string | undefined;
}): ParagradError {
  const { source, line, row, column, value, kind, forced } = place;
  const where = line === undefined ? `row ${row?.toLocaleString('en-US')}` : `line ${line}`;
  const way = DECIMAL_COMMA.test(value)
    ? `decimals are written with a point (${value.trim().replaceAll(/[.' ]/gu, '').replace(',', '.')})`
    : forced === '--number'
      ? 'correct it, or leave --number away'
      : forced === undefined
        ? `correct it, read the column as categories with --category ${shellName(column)}, or leave it out with --drop ${shellName(column)}`
        : `${forced} needs one there`;
  return new ParagradError(
    'PARAGRAD_VALUE',
    `${source}, ${where}, column ${quote(column)}: ${quote(value)} is not a ${NEEDED[kind]}: ${way}`,
    {
      place: line === undefined ? { file: source, column } : { file: source, line, column },
    },
  );
}

/** A name as it can be typed in a shell. */
function shellName(name: string): string {
  return /^[\w.-]+$/u.test(name) ? name : quote(name);
}

/** Checks that text columns that are to be read as numbers, booleans or dates can be. @throws PARAGRAD_VALUE */
export async function checkCasts(
  duck: Duck,
  relation: { source: string; from: string; columns: readonly RawColumn[]; forcedBy(column: RawColumn): string | undefined },
): Promise<void> {
  for (const column of relation.columns) {
    const { type, reading } = column;
    if (column.dropped || kindOf(type) !== 'text' || reading.kind === 'text' || reading.kind === 'other') continue;
    const c = `c${relation.columns.indexOf(column)}`;
    const sql = `SELECT CAST(row AS VARCHAR), value FROM (SELECT row_number() OVER () AS row, CAST(${c} AS VARCHAR) AS value FROM ${relation.from}) WHERE value IS NOT NULL AND TRY_CAST(value AS ${castTarget(reading.kind)}) IS NULL ORDER BY row LIMIT 1`;
    const bad = (await duck.strings(sql))[0];
    if (bad !== undefined)
      throw wrongValue({
        source: relation.source,
        row: Number(bad[0]),
        column: column.name,
        value: bad[1] as string,
        kind: reading.kind,
        forced: relation.forcedBy(column),
      });
  }
}
