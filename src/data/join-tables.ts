import { ParagradError } from '../errors.ts';
import type { BadRows } from './bad-rows.ts';
import { quote } from './names.ts';
import type { Batch, ColumnKind, ScanOptions, Table, TextValues, Values } from './table.ts';

/** Kinds that the rows for validation must have, by column name: those of the rows for training. */
export function kindsOf(table: Table): Map<string, ColumnKind> {
  return new Map(table.columns.flatMap(({ name, kind }) => (kind === 'other' ? [] : [[name, kind]])));
}

/** Texts of two tables as codes of one dictionary: codes of the first stay, texts that only the second has come behind. */
class Dictionary {
  readonly #codes = new Map<string, number>();
  readonly #texts: string[] = [];
  #known: readonly string[] | undefined;
  #table = new Int32Array(0);

  /** Codes of a table's dictionary in this one. */
  #of(dictionary: readonly string[]): Int32Array {
    if (this.#known === dictionary && this.#table.length === dictionary.length) return this.#table;
    this.#known = dictionary;
    this.#table = Int32Array.from(dictionary, (text) => {
      const known = this.#codes.get(text);
      if (known !== undefined) return known;
      this.#codes.set(text, this.#texts.length);
      return this.#texts.push(text) - 1;
    });
    return this.#table;
  }

  recode({ codes, dictionary }: TextValues, rows: number, keep: boolean): TextValues {
    const table = this.#of(dictionary);
    const bytes = rows * Int32Array.BYTES_PER_ELEMENT;
    const recoded = new Int32Array(keep ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes));
    for (let i = 0; i < rows; i += 1) {
      const code = codes[i] as number;
      recoded[i] = code < 0 ? -1 : (table[code] as number);
    }
    return { kind: 'text', codes: recoded, dictionary: this.#texts };
  }
}

/**
 * A table of rows for training with a second one of rows for validation behind it, as if it were one: columns of the first,
 * by name.
 *
 * @throws PARAGRAD_COLUMN (when scanned) for a column that the second lacks
 */
export function joinTables(training: Table, validation: Table): Table {
  const indexes = training.columns.map(({ name }) => validation.columns.findIndex((column) => column.name === name));
  const rows = training.rows;
  return {
    source: training.source,
    columns: training.columns,
    rows: rows === undefined || validation.rows === undefined ? undefined : rows + validation.rows,
    bad: joinBad(training.bad, validation.bad),
    validationFrom: rows,
    scan: (columns, options = {}) => scanBoth(training, validation, indexes, columns, options),
    close() {
      training.close();
      validation.close();
    },
  };
}

async function* scanBoth(
  training: Table,
  validation: Table,
  indexes: readonly number[],
  columns: readonly number[],
  options: ScanOptions,
): AsyncGenerator<Batch> {
  const ids = options.ids ?? new Set<number>();
  const dictionaries = columns.map((column) =>
    training.columns[column]?.kind === 'text' && !ids.has(column) ? new Dictionary() : undefined,
  );
  const recoded = (batch: Batch, firstRow: number): Batch => ({
    ...batch,
    firstRow,
    columns: batch.columns.map((values, i): Values => {
      const dictionary = dictionaries[i];
      return dictionary === undefined || values.kind !== 'text' ? values : dictionary.recode(values, batch.rows, options.keep ?? false);
    }),
  });
  const theirs = columns.map((column) => indexOf(training, validation, indexes, column));
  let rows = 0;
  for await (const batch of training.scan(columns, options)) {
    yield recoded(batch, batch.firstRow);
    rows = batch.firstRow + batch.rows;
  }
  const theirIds = new Set([...ids].map((column) => indexes[column] as number));
  for await (const batch of validation.scan(theirs, { ...options, ids: theirIds })) yield recoded(batch, rows + batch.firstRow);
}

function indexOf(training: Table, validation: Table, indexes: readonly number[], column: number): number {
  const index = indexes[column] as number;
  if (index >= 0 && validation.columns[index]?.kind !== 'other') return index;
  const name = training.columns[column]?.name ?? '';
  throw new ParagradError('PARAGRAD_COLUMN', `${validation.source} has no column ${quote(name)}, which ${training.source} has`, {
    place: { file: validation.source, column: name, option: '--validation-data' },
  });
}

function joinBad(a: BadRows | undefined, b: BadRows | undefined): BadRows | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const columns = new Map(a.columns.map(({ column, values }) => [column, values]));
  for (const { column, values } of b.columns) columns.set(column, (columns.get(column) ?? 0) + values);
  return {
    mode: a.mode,
    rows: a.rows + b.rows,
    lines: a.lines + b.lines,
    columns: [...columns].map(([column, values]) => ({ column, values })),
    examples: [...a.examples, ...b.examples],
  };
}
