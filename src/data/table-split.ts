import { createHash } from 'node:crypto';
import { ParagradError } from '../errors.ts';
import { uniform64 } from '../random.ts';
import { quote, unknownColumn } from './names.ts';
import { fillSplit, SKIPPED, type Split, VALIDATION } from './split.ts';
import type { Batch, ColumnChoices, Table, TextValues, Values } from './table.ts';

/** Values whose set is remembered. */
const REMEMBERED = 1_000_000;
const DAY_MS = 86_400_000;

/** Decides what the rows of a table are for, batch by batch. */
export interface TableSplit {
  /** Columns that must be scanned for it, and those of them that are read as plain texts. */
  readonly scanned: readonly number[];
  readonly ids: ReadonlySet<number>;
  /** Sets VALIDATION in `use`, where it is not SKIPPED. `first`: position of the first scanned column in the batch. */
  fill(use: Uint8Array, batch: Batch, first: number): void;
}

/**
 * The split of a table: rows behind `validationFrom`; by the values of a column; from a value on; or by row numbers.
 *
 * @throws PARAGRAD_OPTION for two of these at once, or a value that does not suit; PARAGRAD_COLUMN
 */
export function tableSplit(
  table: Table,
  split: Split,
  { splitBy, validationAfter }: Pick<ColumnChoices, 'splitBy' | 'validationAfter'>,
): TableSplit {
  const asked = [
    ['--validation-data', table.validationFrom],
    ['--split-by', splitBy],
    ['--validation-after', validationAfter],
  ].filter(([, value]) => value !== undefined);
  if (asked.length > 1)
    throw new ParagradError('PARAGRAD_OPTION', `${asked[0]?.[0]} and ${asked[1]?.[0]} both say which rows are for validation: choose one`, {
      place: { option: String(asked[1]?.[0]) },
    });
  if (table.validationFrom !== undefined) return byPosition(table.validationFrom);
  if (splitBy !== undefined) return byValue(indexOf(table, splitBy, '--split-by'), split);
  if (validationAfter !== undefined) return after(table, validationAfter);
  return { scanned: [], ids: new Set(), fill: (use, batch) => fillSplit(use, split, batch.firstRow) };
}

function indexOf(table: Table, name: string, option: string): number {
  const names = table.columns.map((column) => column.name);
  const index = names.indexOf(name);
  if (index < 0) throw unknownColumn(name, names, table.source, option);
  return index;
}

function byPosition(from: number): TableSplit {
  return {
    scanned: [],
    ids: new Set(),
    fill(use, { firstRow }) {
      if (firstRow >= from) for (let i = 0; i < use.length; i += 1) if (use[i] !== SKIPPED) use[i] = VALIDATION;
    },
  };
}

/** Position of a value: the first 8 bytes, little-endian, of the SHA-256 of its UTF-8 (docs/numerics.md §8). */
export function isValidationValue(split: Split, value: string): boolean {
  const hash = createHash('sha256').update(value, 'utf8').digest();
  return split.fraction > 0 && uniform64(split.seed, 'split', hash.readUInt32LE(0), hash.readUInt32LE(4)) < split.fraction;
}

/** All rows with the same value are in the same set; rows without one count as having ''. */
function byValue(column: number, split: Split): TableSplit {
  const known = new Map<string, boolean>();
  const decide = (value: string): boolean => {
    let validation = known.get(value);
    if (validation === undefined) {
      validation = isValidationValue(split, value);
      if (known.size < REMEMBERED) known.set(value, validation);
    }
    return validation;
  };
  return {
    scanned: [column],
    ids: new Set([column]),
    fill(use, batch, first) {
      const { codes, dictionary } = batch.columns[first] as TextValues;
      for (let i = 0; i < use.length; i += 1) if (use[i] !== SKIPPED && decide(dictionary[codes[i] as number] ?? '')) use[i] = VALIDATION;
    },
  };
}

/** `COLUMN=VALUE`: rows whose number or time is above it are for validation; rows without one are for training. */
function after(table: Table, text: string): TableSplit {
  const at = text.lastIndexOf('=');
  const fail = (why: string): ParagradError =>
    new ParagradError('PARAGRAD_OPTION', `--validation-after ${quote(text)}: ${why}`, { place: { option: '--validation-after' } });
  if (at < 1) throw fail('COLUMN=VALUE is needed, such as year=2009 or "sold=2009-06-30"');
  const [name, value] = [text.slice(0, at), text.slice(at + 1)];
  const index = indexOf(table, name, '--validation-after');
  const { kind } = table.columns[index] as Table['columns'][number];
  if (kind !== 'number' && kind !== 'date') throw fail(`column ${quote(name)} holds neither numbers nor dates`);
  const bound = kind === 'number' ? Number(value.trim() === '' ? Number.NaN : value) : daysOf(value);
  if (!Number.isFinite(bound))
    throw fail(`${quote(value)} is no ${kind === 'number' ? 'number' : 'date, such as 2009-06-30 or 2009-06-30T12:00:00'}`);
  return {
    scanned: [index],
    ids: new Set(),
    fill(use, batch, first) {
      const { values, missing } = batch.columns[first] as Extract<Values, { kind: 'number' }>;
      for (let i = 0; i < use.length; i += 1)
        if (use[i] !== SKIPPED && missing?.[i] !== 1 && (values[i] as number) > bound) use[i] = VALIDATION;
    },
  };
}

/** Days since 1970-01-01 UTC of a date, or of a time without a zone as UTC. */
function daysOf(text: string): number {
  const found = /^\s*(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)(Z|[+-]\d{2}:\d{2})?)?\s*$/u.exec(text);
  if (found === null) return Number.NaN;
  return Date.parse(`${found[1]}T${found[2] ?? '00:00'}${found[3] ?? 'Z'}`) / DAY_MS;
}
