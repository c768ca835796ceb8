/** What is done with a row that has a value which is not of its column's kind, or not finite, or that is no row at all. */
export type BadRowsMode = 'error' | 'skip' | 'impute';

/** A value that was skipped, or counted as missing, and where it stands. */
export interface BadExample {
  readonly file: string;
  /** null in files that have no lines. */
  readonly line: number | null;
  /** Row number, from 0; null where the line is no row: it has too few or too many fields. */
  readonly row: number | null;
  readonly column: string | null;
  readonly value: string;
}

/** What `skip` and `impute` passed over: nothing is dropped silently. */
export interface BadRows {
  readonly mode: 'skip' | 'impute';
  /** Rows that are skipped: `skip`: for a wrong value; both: for a missing or negative weight, or a missing offset. */
  readonly rows: number;
  /** Lines with too few or too many fields: skipped, and no rows, so that they have no row number either. */
  readonly lines: number;
  /** Wrong values by column. `impute`: they count as missing. */
  readonly columns: readonly { readonly column: string; readonly values: number }[];
  /** The first ones. */
  readonly examples: readonly BadExample[];
}

/** Examples that are kept. */
export const BAD_EXAMPLES = 5;
