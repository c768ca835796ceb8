import type { Layout } from '../partition/layout.ts';
import type { EncodeOptions, EncodeProgress } from './encoded.ts';
import type { Packers } from './kept.ts';
import type { RowColumnReader } from './row-columns.ts';
import type { Split } from './split.ts';
import type { Batch, ColumnChoices, Table } from './table.ts';
import type { TableSplit } from './table-split.ts';
import type { ModelChoice } from './target.ts';

/**
 * What both passes over a table go by: the options, which columns are what, and a clock. Decided once, before the first batch is
 * read.
 */

export interface EncodeTableOptions extends EncodeOptions, ColumnChoices {
  readonly target: string;
  /** Default auto: by the target. */
  readonly model?: ModelChoice | undefined;
  /** The class that becomes 1; default: the greater of two numbers, the later of two texts in UTF-8 byte order. */
  readonly positive?: string | undefined;
  /** Most levels of a category; default 256. */
  readonly maxCategories?: number | undefined;
  /** Who encodes a table that was kept in memory, its layout known; default: this thread. */
  readonly packers?: ((layout: Layout) => Promise<Packers>) | undefined;
  /** What the process may use: a table that is small beside it is read once. Default: what the machine and its control group allow. */
  readonly memoryBytes?: number | undefined;
}

/** Splits the time of a scan into waiting for the source and working on its batches. */
export class Stopwatch {
  read = 0;
  encode = 0;

  async *over(batches: AsyncIterable<Batch>): AsyncGenerator<Batch> {
    let before = performance.now();
    for await (const batch of batches) {
      const ready = performance.now();
      this.read += ready - before;
      yield batch;
      before = performance.now();
      this.encode += before - ready;
    }
    this.read += performance.now() - before;
  }
}

/** What is known before a table is scanned. */
export interface Plan {
  readonly table: Table;
  readonly options: EncodeTableOptions;
  readonly split: Split;
  /** Index of the target column, and of the features. */
  readonly target: number;
  readonly features: readonly number[];
  readonly rowColumns: RowColumnReader;
  readonly tableSplit: TableSplit;
  readonly watch: Stopwatch;
}

/** Says how far a pass has come. */
export function progress(plan: Plan, phase: EncodeProgress['phase'], rows: number): void {
  plan.options.onProgress?.({ phase, rows, total: plan.table.rows });
}
