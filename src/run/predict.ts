import { encodeRows, expectedByModel } from '../data/encode-rows.ts';
import { encodedWidth } from '../data/encoder.ts';
import { openTable } from '../data/open-table.ts';
import { growSegment, newSegment } from '../data/store.ts';
import { Scorer } from '../engines/scorer.ts';
import type { FittedModel } from './model.ts';

/** A run of predictions, in the order of the source's rows. Its arrays are reused: they hold until the next block. */
export interface PredictionBlock {
  /** Row number of the first row, from 0. */
  readonly firstRow: number;
  readonly rows: number;
  /** x·w + b: log-odds of the positive class, or the predicted value. */
  readonly z: Float64Array;
  /** Expected target: the predicted value, or the probability of the positive class. */
  readonly prediction: Float64Array;
}

export interface PredictReport {
  rows: number;
  /** Values of categories that training did not have, and values that were missing. */
  unseenValues: number;
  missingValues: number;
  /** Columns that the model uses and the source does not have: taken as missing in every row. */
  readonly missingColumns: readonly string[];
}

export interface Predictions {
  /** Complete when the blocks have been read. */
  readonly report: PredictReport;
  readonly blocks: AsyncIterable<PredictionBlock>;
  close(): void;
}

/**
 * Predicts the rows of a file, block by block in bounded memory; `close` when done. Predictions have the bits that training
 * would give the same rows.
 *
 * @throws what reading a file throws (docs/errors.md), here or while blocks are read.
 */
export async function predict(model: FittedModel, source: string, options: { signal?: AbortSignal } = {}): Promise<Predictions> {
  const { encoder, layout } = model.record;
  const table = await openTable(source, { expected: expectedByModel(encoder) });
  try {
    const encoding = encodeRows(table, encoder, { dtype: layout.dtype, signal: options.signal });
    const report: PredictReport = { rows: 0, unseenValues: 0, missingValues: 0, missingColumns: encoding.missingColumns };
    return { report, blocks: blocksOf(model, encoding, report), close: () => table.close() };
  } catch (error) {
    table.close();
    throw error;
  }
}

async function* blocksOf(
  model: FittedModel,
  encoding: ReturnType<typeof encodeRows>,
  report: PredictReport,
): AsyncGenerator<PredictionBlock> {
  const { layout, encoder } = model.record;
  const memory = newSegment(0);
  const scorer = new Scorer(memory, { ...layout, columns: encodedWidth(encoder) }, model.vector, 'wasm');
  let x = 0;
  let capacity = 0;
  let z = new Float64Array(0);
  let prediction = new Float64Array(0);
  for await (const block of encoding.blocks) {
    if (block.x.byteLength > capacity || x === 0) {
      capacity = Math.max(block.x.byteLength, 64);
      x = growSegment(memory, capacity);
    }
    const bytes = new Uint8Array(block.x.buffer, block.x.byteOffset, block.x.byteLength);
    new Uint8Array(memory.buffer, x, bytes.length).set(bytes);
    if (z.length < block.rows) {
      z = new Float64Array(block.rows);
      prediction = new Float64Array(block.rows);
    }
    const dots = scorer.score(x, block.rows);
    for (let i = 0; i < block.rows; i += 1) {
      z[i] = (dots[i] as number) + model.vector.intercept;
      prediction[i] = model.predictionAt(z[i] as number);
    }
    report.rows += block.rows;
    report.unseenValues = encoding.counts.unseen;
    report.missingValues = encoding.counts.missing;
    yield { firstRow: block.firstRow, rows: block.rows, z: z.subarray(0, block.rows), prediction: prediction.subarray(0, block.rows) };
  }
}
