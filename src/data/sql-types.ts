import type { ColumnKind } from './table.ts';

/**
 * How DuckDB's types become ours (docs/numerics.md §8). Numbers: the nearest double (integers above 2⁵³ and DECIMAL are
 * rounded once). Dates, timestamps (UTC) and times of day: days, dates since 1970-01-01.
 */
export interface Reading {
  readonly kind: ColumnKind;
  /** SQL that gives DOUBLE (number, boolean, date) or VARCHAR (text) of a column. */
  readonly expression: string;
}

const DAY_MICROS = '86400000000';
const INTEGERS = /^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|BIGNUM)$/u;
const FRACTIONS = /^(FLOAT|DOUBLE|DECIMAL.*)$/u;
const TIMES = /^(DATE|TIME|TIMESTAMP( WITH TIME ZONE|_S|_MS|_NS)?)$/u;

export function kindOf(type: string): ColumnKind {
  if (INTEGERS.test(type) || FRACTIONS.test(type)) return 'number';
  if (type === 'BOOLEAN') return 'boolean';
  if (TIMES.test(type)) return 'date';
  if (type === 'VARCHAR' || type === 'UUID' || type.startsWith('ENUM(')) return 'text';
  return 'other';
}

function days(type: string, column: string): string {
  const finite = (value: string): string =>
    `CASE WHEN isfinite(${column}) THEN ${value} WHEN ${column} IS NOT NULL THEN CAST('inf' AS DOUBLE) END`;
  if (type === 'DATE') return finite(`CAST(${column} - DATE '1970-01-01' AS DOUBLE)`);
  const micros = (moment: string): string => `CAST(epoch_us(${moment}) AS DOUBLE) / CAST(${DAY_MICROS} AS DOUBLE)`;
  if (type === 'TIME') return micros(column);
  return finite(micros(type === 'TIMESTAMP WITH TIME ZONE' ? column : `CAST(${column} AS TIMESTAMP)`));
}

/** A number as text: whole numbers alike, whether the file stores them as integers or as fractions. */
function numberAsText(type: string, column: string): string {
  if (!FRACTIONS.test(type)) return `CAST(${column} AS VARCHAR)`;
  return `CASE WHEN abs(${column}) < 1e15 AND ${column} = trunc(${column}) THEN CAST(CAST(${column} AS BIGINT) AS VARCHAR) ELSE CAST(${column} AS VARCHAR) END`;
}

/** How to read a column of an SQL type as its own kind, or as another that was asked for. undefined: it cannot be. */
export function readingOf(type: string, column: string, wanted: ColumnKind = kindOf(type)): Reading | undefined {
  const own = kindOf(type);
  if (wanted === 'other') return { kind: 'other', expression: column };
  if (wanted === 'text') return { kind: 'text', expression: own === 'number' ? numberAsText(type, column) : `CAST(${column} AS VARCHAR)` };
  if (own === 'date' && (wanted === 'date' || wanted === 'number')) return { kind: wanted, expression: days(type, column) };
  if (own === 'text' && wanted === 'date')
    return { kind: 'date', expression: days('TIMESTAMP', `CAST(CAST(${column} AS VARCHAR) AS TIMESTAMP)`) };
  if (own === 'text') {
    const text = `CAST(${column} AS VARCHAR)`;
    return { kind: wanted, expression: wanted === 'boolean' ? `CAST(CAST(${text} AS BOOLEAN) AS DOUBLE)` : `CAST(${text} AS DOUBLE)` };
  }
  if ((own === 'number' || own === 'boolean') && (wanted === 'number' || wanted === 'boolean'))
    return {
      kind: wanted,
      expression: wanted === 'boolean' && own === 'number' ? `CAST(CAST(${column} AS BOOLEAN) AS DOUBLE)` : `CAST(${column} AS DOUBLE)`,
    };
  return undefined;
}

/** SQL type that a text value must be cast to, to be of a kind: to find the values that cannot. */
export function castTarget(kind: ColumnKind): string {
  return kind === 'boolean' ? 'BOOLEAN' : kind === 'date' ? 'TIMESTAMP' : 'DOUBLE';
}
