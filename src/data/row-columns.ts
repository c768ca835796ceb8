import { ParagradError } from '../errors.ts';
import { BAD_EXAMPLES, type BadExample, type BadRowsMode } from './bad-rows.ts';
import { quote } from './names.ts';
import { SKIPPED } from './split.ts';
import type { Batch, RowColumns, Table, Values } from './table.ts';

/** Where the columns of weights and offsets are: indexes in a table; −1: none. */
export interface RowIndexes {
  readonly weight: number;
  readonly offset: number;
}

export function rowIndexes(table: Table, columns: RowColumns): RowIndexes {
  const indexOf = (name: string | undefined): number =>
    name === undefined ? -1 : table.columns.findIndex((column) => column.name === name);
  return { weight: indexOf(columns.weight), offset: indexOf(columns.offset) };
}

/** Weights and offsets of the rows of a batch; undefined: every weight is 1, every offset 0. */
export interface RowNumbers {
  readonly weight: Float64Array | undefined;
  readonly offset: Float64Array | undefined;
}

/** Reads weights and offsets of batches, and refuses wrong ones. They come behind the target and before the features. */
export class RowColumnReader {
  readonly #table: Table;
  readonly #indexes: RowIndexes;
  readonly #mode: BadRowsMode;
  /** Rows that are skipped for a wrong weight or offset, unless that is an error. */
  readonly wrong: { rows: number; readonly columns: Map<string, number>; readonly examples: BadExample[] } = {
    rows: 0,
    columns: new Map(),
    examples: [],
  };

  constructor(table: Table, columns: RowColumns, mode: BadRowsMode = 'error') {
    this.#table = table;
    this.#indexes = rowIndexes(table, columns);
    this.#mode = mode;
  }

  /** What must be scanned: the weights and then the offsets, where there are any. */
  get scanned(): number[] {
    return [this.#indexes.weight, this.#indexes.offset].filter((index) => index >= 0);
  }

  /**
   * @param first position of the first scanned column in the batch
   * @param use rows that are SKIPPED are not looked at; wrong ones become so where that is no error
   * @throws PARAGRAD_VALUE for a weight or an offset that is missing or not finite, and for a negative weight
   */
  read(batch: Batch, first: number, use: Uint8Array | undefined): RowNumbers {
    const { weight, offset } = this.#indexes;
    return {
      weight: weight < 0 ? undefined : this.#numbers(batch, first, 'weight', use),
      offset: offset < 0 ? undefined : this.#numbers(batch, first + (weight < 0 ? 0 : 1), 'offset', use),
    };
  }

  #numbers(batch: Batch, at: number, what: 'weight' | 'offset', use: Uint8Array | undefined): Float64Array {
    const column = batch.columns[at] as Extract<Values, { kind: 'number' }>;
    for (let i = 0; i < batch.rows; i += 1) {
      if (use !== undefined && use[i] === SKIPPED) continue;
      const value = column.missing?.[i] === 1 ? Number.NaN : (column.values[i] as number);
      if (value - value === 0 && (what === 'offset' || value >= 0)) continue;
      if (this.#mode === 'error' || use === undefined) throw this.#wrong(what, batch.firstRow + i, value);
      use[i] = SKIPPED;
      this.#note(what, batch.firstRow + i, value);
    }
    return column.values;
  }

  #note(what: 'weight' | 'offset', row: number, value: number): void {
    const { rows, columns, examples } = this.wrong;
    const column = this.#table.columns[this.#indexes[what]]?.name ?? '';
    this.wrong.rows = rows + 1;
    columns.set(column, (columns.get(column) ?? 0) + 1);
    const text = Number.isNaN(value) ? '' : String(value);
    if (examples.length < BAD_EXAMPLES) examples.push({ file: this.#table.source, line: null, row, column, value: text });
  }

  #wrong(what: 'weight' | 'offset', row: number, value: number): ParagradError {
    const { source, columns } = this.#table;
    const column = columns[this.#indexes[what]]?.name ?? '';
    const need = what === 'weight' ? 'a weight must be a number of at least 0' : 'an offset must be a finite number';
    return new ParagradError(
      'PARAGRAD_VALUE',
      `${source}, data row ${(row + 1).toLocaleString('en-US')}, column ${quote(column)}: ${Number.isNaN(value) ? 'no value' : value}: ${need}`,
      { place: { file: source, column, option: `--${what}` } },
    );
  }
}
