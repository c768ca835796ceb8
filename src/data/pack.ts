import { type CategoryEncoder, type ColumnEncoder, codeColumns, type Encoder, encodedWidth, widthOf } from './encoder.ts';
import { DensePacker } from './pack-dense.ts';
import { notFinite, tooLarge } from './statistics.ts';
import type { TextValues, Values } from './table.ts';

export type Panels = Float32Array | Float64Array;

/** Rows of a batch and where they go in one run of panels. */
export interface Destination {
  /** Rows of the batch. */
  readonly rows: Int32Array;
  /** Index in x of each row's column 0: (panel · columns) · P + lane. */
  readonly base: Int32Array;
  readonly count: number;
  /** The rows go to positions 0 … count − 1 in this order: whole panels are then written one after the other. */
  readonly dense?: boolean;
}

export interface PackCounts {
  /** Values that were missing, in any feature. */
  missing: number;
  /** Texts without a level and without an `other` column. */
  unseen: number;
}

/** The counts of one column of the encoder. */
export interface ColumnCounts extends PackCounts {
  /** The first different texts without a level. */
  readonly examples: string[];
}

/** Texts without a level that are kept for people to see. */
const EXAMPLES = 3;

/**
 * Writes encoded columns into zero-filled panels, a column at a time. Keeps the tables from codes to encoded columns, so
 * use one packer for all batches of a scan.
 */
export class Packer {
  readonly encoder: Encoder;
  readonly columns: number;
  /** Of each of the encoder's columns, in order. */
  readonly columnCounts: readonly ColumnCounts[];
  readonly #lanes: number;
  readonly #source: string;
  readonly #dense: DensePacker;
  readonly #tables = new Map<CategoryEncoder, { dictionary: readonly string[]; table: Int32Array }>();

  /** `lanes`: rows of a panel. `source`: for messages. */
  constructor(encoder: Encoder, lanes: number, source: string) {
    this.encoder = encoder;
    this.columns = encodedWidth(encoder);
    this.columnCounts = encoder.columns.map(() => ({ missing: 0, unseen: 0, examples: [] }));
    this.#lanes = lanes;
    this.#source = source;
    this.#dense = new DensePacker(lanes, this.columns * lanes);
  }

  /** Of all columns together, until now. */
  get counts(): PackCounts {
    const sum = (of: (counts: ColumnCounts) => number): number => this.columnCounts.reduce((total, counts) => total + of(counts), 0);
    return { missing: sum(({ missing }) => missing), unseen: sum(({ unseen }) => unseen) };
  }

  /**
   * Encodes the rows of `to` into x. `values` are the encoder's columns in order, undefined for one that the table lacks
   * (as if missing in every row). `firstRow`: row number of the batch's first row.
   *
   * @throws PARAGRAD_VALUE for a value that is not finite, before or after standardising and rounding
   */
  pack(values: readonly (Values | undefined)[], to: Destination, x: Panels, firstRow: number): void {
    let at = 0;
    if (to.dense === true) this.#dense.begin(to);
    for (const [i, column] of this.encoder.columns.entries()) {
      this.#packColumn(i, values[i], to, x, at * this.#lanes, firstRow);
      at += widthOf(column);
    }
  }

  #packColumn(index: number, values: Values | undefined, to: Destination, x: Panels, at: number, firstRow: number): void {
    const column = this.encoder.columns[index] as ColumnEncoder;
    const counts = this.columnCounts[index] as ColumnCounts;
    const flag = column.missing ? at + (widthOf(column) - 1) * this.#lanes : -1;
    if (values === undefined) {
      counts.missing += to.count;
      if (flag >= 0) for (let i = 0; i < to.count; i += 1) x[(to.base[i] as number) + flag] = 1;
    } else if (values.kind === 'text') {
      if (column.kind === 'category') this.#packCodes(values, this.#tableOf(column, values.dictionary), counts, to, x, at, flag);
    } else if (column.kind !== 'category') {
      const { missing } = values;
      if (missing !== undefined) counts.missing += packMissing(missing, to, x, flag);
      if (!column.value) return;
      const { mean, scale } = column.kind === 'boolean' ? { mean: 0, scale: 1 } : column;
      const check =
        missing === undefined
          ? to.dense === true
            ? this.#dense.pack(values.values, x, at, mean, scale)
            : packNumbers(values.values, to, x, at, mean, scale)
          : packPresent(values.values, missing, to, x, at, mean, scale);
      if (check !== 0) throw this.#wrong(column, values.values, to, firstRow);
    }
  }

  #tableOf(column: CategoryEncoder, dictionary: readonly string[]): Int32Array {
    const known = this.#tables.get(column);
    if (known !== undefined && known.dictionary === dictionary && known.table.length === dictionary.length) return known.table;
    const table = codeColumns(column, dictionary);
    this.#tables.set(column, { dictionary, table });
    return table;
  }

  #packCodes(values: TextValues, table: Int32Array, counts: ColumnCounts, to: Destination, x: Panels, at: number, flag: number): void {
    const { codes, dictionary } = values;
    const { rows, base, count } = to;
    const lanes = this.#lanes;
    for (let i = 0; i < count; i += 1) {
      const code = codes[rows[i] as number] as number;
      if (code < 0) {
        counts.missing += 1;
        if (flag >= 0) x[(base[i] as number) + flag] = 1;
        continue;
      }
      const level = table[code] as number;
      if (level < 0) noteUnseen(counts, dictionary[code] as string);
      else x[(base[i] as number) + at + level * lanes] = 1;
    }
  }

  #wrong(column: ColumnEncoder, values: Float64Array, to: Destination, firstRow: number): Error {
    for (let i = 0; i < to.count; i += 1) {
      const row = to.rows[i] as number;
      if (!Number.isFinite(values[row] as number)) return notFinite(this.#source, firstRow + row, column.name, values[row] as number);
    }
    return tooLarge(this.#source, column.name);
  }
}

function noteUnseen(counts: ColumnCounts, text: string): void {
  counts.unseen += 1;
  if (counts.examples.length < EXAMPLES && !counts.examples.includes(text)) counts.examples.push(text);
}

function packMissing(missing: Uint8Array, to: Destination, x: Panels, flag: number): number {
  let lacking = 0;
  for (let i = 0; i < to.count; i += 1) {
    if (missing[to.rows[i] as number] !== 1) continue;
    lacking += 1;
    if (flag >= 0) x[(to.base[i] as number) + flag] = 1;
  }
  return lacking;
}

/** Returns 0 when all that was stored is finite: infinities and NaN times 0 are NaN. */
function packNumbers(values: Float64Array, to: Destination, x: Panels, at: number, mean: number, scale: number): number {
  const { rows, base, count } = to;
  let check = 0;
  for (let i = 0; i < count; i += 1) {
    const k = (base[i] as number) + at;
    x[k] = ((values[rows[i] as number] as number) - mean) / scale;
    check += (x[k] as number) * 0;
  }
  return check;
}

function packPresent(
  values: Float64Array,
  missing: Uint8Array,
  to: Destination,
  x: Panels,
  at: number,
  mean: number,
  scale: number,
): number {
  const { rows, base, count } = to;
  let check = 0;
  for (let i = 0; i < count; i += 1) {
    const row = rows[i] as number;
    if (missing[row] === 1) continue;
    const k = (base[i] as number) + at;
    x[k] = ((values[row] as number) - mean) / scale;
    check += (x[k] as number) * 0;
  }
  return check;
}
