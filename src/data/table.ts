import type { BadRows, BadRowsMode } from './bad-rows.ts';

/**
 * A source of rows: named, typed columns that can be scanned any number of times, always in the same order. CSV and
 * Parquet implement it through DuckDB; whatever else has rows (lines of JSON, several files, typed arrays, a pipe) can
 * join by implementing it.
 */

/**
 * number, boolean (0 and 1) and date (dates, timestamps and times of day, in days; since 1970-01-01 UTC) come as f64;
 * text comes as codes into a dictionary; `other` (lists, structs, bytes …) cannot be scanned.
 */
export type ColumnKind = 'number' | 'boolean' | 'date' | 'text' | 'other';

export interface TableColumn {
  readonly name: string;
  readonly kind: ColumnKind;
  /** The type in the source's own words, for people: BIGINT, VARCHAR … */
  readonly sourceType: string;
  /** Text only: rows that have a value, and how many different ones there are. */
  readonly text?: {
    readonly present: number;
    readonly distinct: number;
    /** One of its values, where the first of them all are numbers with decimal commas. */
    readonly decimalComma?: string;
    /** One of its values that is no number, where nearly all of the first ones are. */
    readonly noNumber?: string;
  };
}

export interface NumberValues {
  readonly kind: 'number';
  /** 0 where missing; infinities are passed on, NaN counts as missing. */
  readonly values: Float64Array;
  /** 1 where missing; undefined when every row of the batch has a value. */
  readonly missing: Uint8Array | undefined;
}

export interface TextValues {
  readonly kind: 'text';
  /** Index in the dictionary; −1 where missing. */
  readonly codes: Int32Array;
  /** Different strings; may grow from batch to batch, but a code never changes its meaning within a scan. */
  readonly dictionary: readonly string[];
}

export type Values = NumberValues | TextValues;

/** A run of rows, column by column. Its arrays are reused, unless they are to be kept: they hold until the next batch is asked for. */
export interface Batch {
  /** Row number of the first row: position in the source, from 0. */
  readonly firstRow: number;
  readonly rows: number;
  /** In the order in which the columns were asked for; arrays may be longer than `rows`. */
  readonly columns: readonly Values[];
  /** 1 where a row is to be skipped: it has a wrong value (`--bad-rows skip`). */
  readonly skip?: Uint8Array | undefined;
}

/** Rows of a batch, the last one excepted; the unit of statistics (docs/numerics.md §8). */
export const INGEST_ROWS = 65_536;

export interface ScanOptions {
  readonly signal?: AbortSignal | undefined;
  /** Text columns whose dictionary holds for one batch only: ids, of which there may be as many as rows. */
  readonly ids?: ReadonlySet<number> | undefined;
  /** The arrays of a batch are the caller's, and in shared memory: they are not used again. */
  readonly keep?: boolean | undefined;
}

export interface Table {
  /** For messages: the file's name. */
  readonly source: string;
  readonly columns: readonly TableColumn[];
  /** Rows, where the source knows before it is read. */
  readonly rows: number | undefined;
  /** Rows from here on are for validation, those before for training; undefined: the split is decided otherwise. */
  readonly validationFrom?: number | undefined;
  /** What is wrong in it, unless that is an error. */
  readonly bad?: BadRows | undefined;
  /**
   * All rows in source order, in batches of INGEST_ROWS. `columns` are indexes in `columns`, of any kind but `other`.
   *
   * @throws PARAGRAD_DATA when the source cannot be read to its end
   */
  scan(columns: readonly number[], options?: ScanOptions): AsyncIterable<Batch>;
  /** Frees files and memory. A second call does nothing. */
  close(): void;
}

/** Columns that are no features: `--weight`, `--offset`, `--id`. Part of the model. */
export interface RowColumns {
  /** Sample weights, ≥ 0. */
  readonly weight?: string | undefined;
  /** Added to each row's x·w: known effects, as log(exposure). */
  readonly offset?: string | undefined;
  /** Names rows: carried to predictions, as text. */
  readonly id?: string | undefined;
}

/** What a table is read from: a path, a pattern of paths (`data/*.csv`), `-` for standard input, or several of these. */
export type TableSource = string | readonly string[];

/** What the user says about a table: `--category`, `--number`, `--drop`, how it is split, `--bad-rows`, and `RowColumns`. */
export interface ColumnChoices extends RowColumns {
  readonly category?: readonly string[] | undefined;
  readonly number?: readonly string[] | undefined;
  readonly drop?: readonly string[] | undefined;
  /** Rows with the same value of this column are in the same set. */
  readonly splitBy?: string | undefined;
  /** `COLUMN=VALUE`: rows above it are for validation. */
  readonly validationAfter?: string | undefined;
  /** Files with the rows for validation: all others are for training. */
  readonly validationData?: TableSource | undefined;
  /** Default error: the first wrong value ends the reading. */
  readonly badRows?: BadRowsMode | undefined;
}
