import type { Writable } from 'node:stream';
import type { TableSource } from '../data/source-files.ts';
import { type OutColumn, type OutValues, rowEncoder, rowFormat } from '../data/write/row-format.ts';
import { requireFolder, requireOptions, requireTable } from './arguments.ts';
import type { FittedModel } from './model.ts';
import { loadModel } from './model-folder.ts';
import { writeStream, writeWhole } from './out-file.ts';
import { checkOutFile, requirePath } from './out-paths.ts';
import { type PredictionBlock, type PredictOptions, type PredictReport, predict } from './predict.ts';
import { checkThreshold, isPositive } from './threshold.ts';

/** What can be said of a prediction that is written. */
export interface PredictFileOptions {
  /** A path, or a stream, which is left open. */
  readonly to: string | Writable;
  /** Default: by the path's ending, else CSV. */
  readonly format?: 'csv' | 'jsonl' | 'parquet' | undefined;
  /** Two classes: probability above which a row gets the positive label. Default 0.5. */
  readonly threshold?: number | undefined;
  readonly badRows?: 'error' | 'impute';
  readonly signal?: AbortSignal;
  readonly onRows?: (rows: number) => void;
  readonly onDownload?: PredictOptions['onDownload'];
}

/** What was read, and where it was written. */
export interface PredictSummary extends PredictReport {
  /** The file written; null: the given stream. */
  readonly out: string | null;
}

/**
 * Predicts the rows of a file and writes CSV, lines of JSON or Parquet, in bounded memory: `row` (number in the source, from 0)
 * and `prediction`; for two classes `row`, `probability` (of the positive class) and `label`; for several `row`, `label` and
 * `probability LABEL` of each; after `row`, what names it (`id` of
 * training). A file is written whole or not at all.
 *
 * @throws PARAGRAD_MODEL_FOLDER …, what reading throws, PARAGRAD_OUT when `to` cannot be written.
 */
export async function predictFile(modelFolder: string, source: TableSource, options: PredictFileOptions): Promise<PredictSummary> {
  const call = 'predictFile(folder, file, { to })';
  requireFolder(modelFolder, call);
  requireTable(source, call);
  requireOptions(options, call);
  const { to, signal, badRows, onDownload } = options;
  if (typeof to !== 'object' || to === null) requirePath(to, '--out');
  const file = typeof to === 'string' ? to : undefined;
  if (file !== undefined) await checkOutFile(file, '--out', [source, modelFolder]);
  const format = rowFormat(file, options.format);
  const model = await loadModel(modelFolder);
  const threshold = checkThreshold(model, options.threshold);
  const predictions = await predict(model, source, {
    ...(signal && { signal }),
    ...(badRows && { badRows }),
    ...(onDownload && { onDownload }),
  });
  try {
    const parts = encoded(rowEncoder(format, columnsOf(model, predictions.report)), model, predictions.blocks, { ...options, threshold });
    await (typeof to === 'string' ? writeWhole(to, parts) : writeStream(to, parts));
    return { ...predictions.report, out: file ?? null };
  } finally {
    predictions.close();
  }
}

function columnsOf({ record: { target, rowColumns } }: FittedModel, { missingColumns }: PredictReport): OutColumn[] {
  const id = rowColumns?.id;
  const columns: OutColumn[] = [{ name: 'row', kind: 'integer' }];
  if (id !== undefined && !missingColumns.includes(id)) columns.push({ name: id, kind: 'text' });
  if (target.kind === 'labels')
    return [
      ...columns,
      { name: 'label', kind: 'text' },
      ...target.labels.map((label): OutColumn => ({ name: `probability ${label}`, kind: 'number' })),
    ];
  if (target.kind !== 'classes') return [...columns, { name: 'prediction', kind: 'number' }];
  return [...columns, { name: 'probability', kind: 'number' }, { name: 'label', kind: 'text' }];
}

async function* encoded(
  encoder: ReturnType<typeof rowEncoder>,
  model: FittedModel,
  blocks: AsyncIterable<PredictionBlock>,
  { threshold, onRows }: { threshold: number; onRows?: ((rows: number) => void) | undefined },
): AsyncGenerator<Uint8Array> {
  for await (const block of blocks) {
    const row = Float64Array.from({ length: block.rows }, (_, i) => block.firstRow + i);
    const columns: OutValues[] = block.ids === undefined ? [row] : [row, block.ids];
    const labels = labelsOf(model, block, threshold);
    if (block.classes !== undefined) columns.push(labels, ...block.classes.probability);
    else columns.push(block.prediction, ...(labels.length > 0 ? [labels] : []));
    yield* encoder.rows(columns, block.rows);
    onRows?.(block.firstRow + block.rows);
  }
  yield* encoder.end();
}

/** The class of each row; none for a model that predicts numbers. */
export function labelsOf({ record: { target } }: FittedModel, { z, prediction }: PredictionBlock, threshold: number): string[] {
  if (target.kind === 'labels') return Array.from(prediction, (called) => target.labels[called] as string);
  if (target.kind !== 'classes') return [];
  return Array.from(z, (value, i) => (isPositive(value, prediction[i] as number, threshold) ? target.positive : target.negative));
}
