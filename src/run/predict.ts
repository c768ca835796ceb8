import type { BadRows } from '../data/bad-rows.ts';
import { encodeRows, expectedByModel, type RowEncoding } from '../data/encode-rows.ts';
import { type Encoder, encodedWidth } from '../data/encoder.ts';
import { openTable } from '../data/open-table.ts';
import { labelOf, type TableSource } from '../data/source-files.ts';
import type { Download } from '../data/spool.ts';
import { growSegment, newSegment } from '../data/store.ts';
import { Scorer } from '../engines/scorer.ts';
import { ParagradError } from '../errors.ts';
import { likeliest } from '../models/class-metrics.ts';
import { MODELS } from '../models/model.ts';
import type { Vector } from '../update/pass.ts';
import { outputOf, outputsOf } from '../update/vectors.ts';
import { requireModel, requireTable } from './arguments.ts';
import type { FittedModel } from './model.ts';

/** A run of predictions, in the order of the source's rows. Its arrays are reused: they hold until the next block. */
export interface PredictionBlock {
  /** Row number of the first row, from 0. */
  readonly firstRow: number;
  readonly rows: number;
  /** x·w + offset + b: log-odds of the positive class, or the predicted value; of softmax that of the likeliest class. */
  readonly z: Float64Array;
  /** Expected target: the predicted value, the probability of the positive class, or, of softmax, the number of the likeliest class. */
  readonly prediction: Float64Array;
  /** Softmax: z and probability of every class, one array per class. */
  readonly classes: { readonly z: readonly Float64Array[]; readonly probability: readonly Float64Array[] } | undefined;
  /** What names each row (training's `id`), '' where it is missing; undefined without such a column. */
  readonly ids: readonly string[] | undefined;
  /**
   * When it was asked for: the target (two classes: 1 for the positive one, 0; several: their number), NaN where it is missing or of no class. Undefined
   * when the source has no such column.
   */
  readonly y: Float64Array | undefined;
  /** Weight of each row (training's `weight`); undefined: 1. */
  readonly weight: Float64Array | undefined;
}

/** What was read for a prediction. */
export interface PredictReport {
  rows: number;
  /** Values of categories that training did not have, and values that were missing. */
  unseenValues: number;
  missingValues: number;
  /** Columns that the model uses and the source does not have: taken as missing in every row. */
  readonly missingColumns: readonly string[];
  /** The other columns that the model uses and that have missing values, or categories that training did not have. */
  columns: readonly ColumnReport[];
  /** With `badRows: 'impute'`: what counts as missing because it is wrong, and lines that are no rows. */
  readonly bad?: BadRows;
}

/** Values of a column that the model could not know. */
export interface ColumnReport {
  readonly column: string;
  readonly missing: number;
  readonly unseen: number;
  /** The first different values that training did not have, at most three. */
  readonly examples: readonly string[];
}

/** A prediction under way: read its blocks, or close it. */
export interface Predictions {
  /** Complete when the blocks have been read. */
  readonly report: PredictReport;
  readonly blocks: AsyncIterable<PredictionBlock>;
  close(): void;
}

/** What can be said of a prediction. */
export interface PredictOptions {
  /** Read the target, too, and weights (`PredictionBlock.y`, `weight`). Default false. */
  readonly target?: boolean;
  /** A wrong value in a column that the model uses: default 'error'; 'impute': it counts as missing. */
  readonly badRows?: 'error' | 'impute';
  readonly signal?: AbortSignal;
  /** Of a file at an address: what has come of it. */
  readonly onDownload?: (download: Download) => void;
}

/**
 * Predicts the rows of a file, block by block in bounded memory; `close` when done. Predictions have the bits that training
 * would give the same rows.
 *
 * @throws PARAGRAD_COLUMN when the table has none of the model's columns; what reading a file throws (docs/errors.md), here or
 * while blocks are read.
 */
export async function predict(model: FittedModel, source: TableSource, options: PredictOptions = {}): Promise<Predictions> {
  requireModel(model, 'predict(model, file)');
  requireTable(source, 'predict(model, file)');
  const { encoder, layout, rowColumns } = model.record;
  const target = options.target === true ? model.record.target : undefined;
  // Weights say how much a known target counts: nothing to a prediction.
  const weight = target === undefined ? undefined : rowColumns?.weight;
  const columns = { weight, offset: rowColumns?.offset, id: rowColumns?.id };
  const { signal, onDownload, badRows = 'error' } = options;
  if (badRows !== 'error' && badRows !== 'impute')
    throw new ParagradError('PARAGRAD_OPTION', `--bad-rows must be error or impute here, not '${badRows}': every row is predicted`, {
      place: { option: '--bad-rows' },
    });
  const table = await openTable(source, {
    badRows,
    expected: expectedByModel(encoder, target, columns),
    expectedId: columns.id,
    signal,
    onDownload,
  });
  try {
    const encoding = encodeRows(table, encoder, { dtype: layout.dtype, target, columns, signal });
    if (encoder.columns.length > 0 && encoder.columns.every(({ name }) => encoding.missingColumns.includes(name)))
      throw new ParagradError(
        'PARAGRAD_COLUMN',
        `${labelOf(source)} has none of the ${encoder.columns.length} columns that the model uses`,
        {
          place: { file: labelOf(source) },
        },
      );
    const report: PredictReport = {
      rows: 0,
      unseenValues: 0,
      missingValues: 0,
      missingColumns: encoding.missingColumns,
      columns: [],
      ...(table.bad === undefined ? {} : { bad: table.bad }),
    };
    return { report, blocks: blocksOf(model, encoding, report), close: () => table.close() };
  } catch (error) {
    table.close();
    throw error;
  }
}

type Outputs = Pick<PredictionBlock, 'z' | 'prediction' | 'classes'>;

/** z and predictions of blocks of rows, with room for the largest block so far. */
class Predictor {
  readonly #model: FittedModel;
  readonly #scorer: Scorer;
  readonly #outputs: readonly Vector[];
  /** z and prediction, then z and probability of each of several classes. */
  #arrays: Float64Array[] = [];

  constructor(model: FittedModel, memory: ReturnType<typeof newSegment>) {
    const { layout, encoder } = model.record;
    this.#model = model;
    this.#scorer = new Scorer(memory, { ...layout, columns: encodedWidth(encoder) }, model.vector, 'wasm');
    this.#outputs = Array.from({ length: outputsOf(model.vector) }, (_, k) => outputOf(model.vector, k));
  }

  /** Of the rows at address x. */
  predict(x: number, rows: number, offset: Float64Array | undefined): Outputs {
    const count = this.#outputs.length;
    if (this.#arrays.length === 0 || (this.#arrays[0] as Float64Array).length < rows)
      this.#arrays = Array.from({ length: 2 + (count > 1 ? 2 * count : 0) }, () => new Float64Array(rows));
    const [z, prediction, ...rest] = this.#arrays.map((array) => array.subarray(0, rows)) as [Float64Array, Float64Array];
    if (count === 1) {
      this.#margins(x, rows, 0, offset, z);
      for (let i = 0; i < rows; i += 1) prediction[i] = this.#model.predictionAt(z[i] as number);
      return { z, prediction, classes: undefined };
    }
    const classes = { z: rest.slice(0, count) as Float64Array[], probability: rest.slice(count) as Float64Array[] };
    for (const [c, own] of classes.z.entries()) this.#margins(x, rows, c, offset, own);
    const row = new Float64Array(count);
    for (let i = 0; i < rows; i += 1) {
      for (let c = 0; c < count; c += 1) row[c] = (classes.z[c] as Float64Array)[i] as number;
      const called = likeliest(row);
      prediction[i] = called;
      z[i] = row[called] as number;
      MODELS.softmax.predict(row);
      for (let c = 0; c < count; c += 1) (classes.probability[c] as Float64Array)[i] = row[c] as number;
    }
    return { z, prediction, classes };
  }

  #margins(x: number, rows: number, output: number, offset: Float64Array | undefined, z: Float64Array): void {
    const dots = this.#scorer.score(x, rows, output);
    const { intercept } = this.#outputs[output] as Vector;
    for (let i = 0; i < rows; i += 1) z[i] = (dots[i] as number) + (offset?.[i] ?? 0) + intercept;
  }
}

async function* blocksOf(model: FittedModel, encoding: RowEncoding, report: PredictReport): AsyncGenerator<PredictionBlock> {
  const { encoder } = model.record;
  const memory = newSegment(0);
  const predictor = new Predictor(model, memory);
  let x = 0;
  let capacity = 0;
  for await (const { x: panels, rows, offset, ...given } of encoding.blocks) {
    if (panels.byteLength > capacity || x === 0) {
      capacity = Math.max(panels.byteLength, 64);
      x = growSegment(memory, capacity);
    }
    const bytes = new Uint8Array(panels.buffer, panels.byteOffset, panels.byteLength);
    new Uint8Array(memory.buffer, x, bytes.length).set(bytes);
    const outputs = predictor.predict(x, rows, offset);
    report.rows += rows;
    report.unseenValues = encoding.counts.unseen;
    report.missingValues = encoding.counts.missing;
    report.columns = columnReports(encoding, encoder);
    yield { ...given, rows, ...outputs };
  }
}

function columnReports({ columnCounts, missingColumns }: RowEncoding, { columns }: Encoder): ColumnReport[] {
  return columnCounts.flatMap(({ missing, unseen, examples }, i) => {
    const column = (columns[i] as Encoder['columns'][number]).name;
    return missing + unseen === 0 || missingColumns.includes(column) ? [] : [{ column, missing, unseen, examples: [...examples] }];
  });
}
