import { ParagradError } from '../errors.ts';
import { bytesPerValue, type Dtype, type Layout, layoutOf } from '../partition/layout.ts';
import type { BadRows } from './bad-rows.ts';
import type { Encoder } from './encoder.ts';
import { quote } from './names.ts';
import type { Shuffle } from './placement.ts';
import type { Schema } from './schema.ts';
import type { Moments } from './statistics.ts';
import type { DataStore } from './store.ts';
import type { TargetEncoder } from './target.ts';

/** Options of encoding that tables and arrays share. */
export interface EncodeOptions {
  readonly dtype?: Dtype | undefined;
  /** Default 0. */
  readonly seed?: number | undefined;
  /** Share of validation rows; default 0.2. */
  readonly validationFraction?: number | undefined;
  /** Train on the natural logarithm of a numeric target. */
  readonly logTarget?: boolean | undefined;
  /** Default true; false leaves numbers as they are. */
  readonly standardize?: boolean | undefined;
  readonly chunkRows?: number | undefined;
  readonly blockColumns?: number | undefined;
  /** Default windows. */
  readonly shuffle?: Shuffle | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: EncodeProgress) => void) | undefined;
  /** Bytes of a memory segment; for tests of several. */
  readonly segmentBytes?: number | undefined;
}

export interface EncodeProgress {
  readonly phase: 'statistics' | 'encode';
  /** Rows read in this phase. */
  readonly rows: number;
  readonly total: number | undefined;
}

export interface EncodeCounts {
  /** Rows of the source. */
  readonly rows: number;
  /** Skipped: no target. */
  readonly withoutTarget: number;
  readonly training: number;
  readonly validation: number;
  /** Missing feature values in the rows used. */
  readonly missingValues: number;
  /** Texts of validation rows that training rows did not have. */
  readonly unseenCategories: number;
}

/** A data set, encoded. */
export interface Encoded {
  readonly store: DataStore;
  readonly encoder: Encoder;
  readonly schema: Schema;
  readonly target: TargetEncoder;
  readonly model: 'linear' | 'logistic' | 'softmax';
  /** Moments of y over the training rows (of two classes: mean = share of the positive one; of several: of their numbers). */
  readonly targetStatistics: Moments;
  readonly counts: EncodeCounts;
  /** Source row number of each stored training row, and of each stored validation row. */
  readonly trainingRows: Float64Array;
  readonly validationRows: Float64Array;
  /** Whether rows have weights of their own. */
  readonly weighted: boolean;
  /** What was skipped, or counted as missing, because it is wrong: with `badRows` skip or impute. */
  readonly bad?: BadRows;
  /** Seconds spent waiting for the source, and encoding. */
  readonly seconds: { readonly read: number; readonly encode: number };
}

/** Layouts of both sets: the validation set has the training set's chunk rows and blocks. */
export function layoutsOf(
  training: number,
  validation: number,
  columns: number,
  options: EncodeOptions,
): { training: Layout; validation: Layout } {
  const { chunkRows, blockColumns } = options;
  const first = layoutOf({ dtype: options.dtype ?? 'f32', rows: training, columns, chunkRows, blockColumns });
  return { training: first, validation: layoutOf({ ...first, rows: validation }) };
}

/** Of the memory, what encoded data may take beside the values that were kept and what is held in between. */
const BESIDE_KEPT = 0.5;

/** Whether there is room for the encoded data beside kept values. */
export function roomForBoth(layouts: { training: Layout; validation: Layout }, limit: number): boolean {
  return bytesOf(layouts) <= limit * BESIDE_KEPT;
}

function bytesOf({ training, validation }: { training: Layout; validation: Layout }): number {
  return (training.rows + validation.rows) * (training.columns * bytesPerValue(training.dtype) + 16);
}

/** @throws PARAGRAD_MEMORY when the encoded data need more than `limit` bytes */
export function checkMemory(layouts: { training: Layout; validation: Layout }, limit: number): void {
  const rows = layouts.training.rows + layouts.validation.rows;
  const bytes = bytesOf(layouts);
  if (bytes <= limit) return;
  const GiB = (b: number): string => `${(b / 1024 ** 3).toFixed(1)} GiB`;
  throw new ParagradError(
    'PARAGRAD_MEMORY',
    `${rows} rows of ${layouts.training.columns} encoded columns (${layouts.training.dtype}) take ${GiB(bytes)}, and this process may use ${GiB(limit)}: use --dtype f32, fewer columns (--drop, or --max-categories for texts of many values) or a part of the rows`,
  );
}

/**
 * @param counting training rows whose weight is not 0
 * @param validationAfter `--validation-after`, where that says which rows are for training
 * @throws PARAGRAD_DATA when there is none
 */
export function checkTraining(
  counting: number,
  { training, all }: { training: number; all: number },
  source: string,
  validationAfter?: string,
): void {
  if (counting > 0) return;
  const isAfter = training === 0 && validationAfter !== undefined;
  const what = isAfter
    ? `all with a target are above --validation-after ${quote(validationAfter)}: give it a larger value`
    : 'use a smaller --validation-fraction, or more rows';
  const why =
    training === 0
      ? `none of its ${all} rows is a training row: ${what}`
      : `the weight of each of its ${training} training rows is 0: is --weight the right column?`;
  const place = isAfter ? { file: source, option: '--validation-after' } : { file: source };
  throw new ParagradError('PARAGRAD_DATA', `${source}: ${why}`, { place });
}
