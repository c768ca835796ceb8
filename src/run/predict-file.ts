import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { ParagradError } from '../errors.ts';
import type { FittedModel } from './model.ts';
import { loadModel } from './model-folder.ts';
import { type PredictionBlock, type PredictReport, predict } from './predict.ts';

export interface PredictSummary extends PredictReport {
  /** The file written; null: the given stream. */
  readonly out: string | null;
}

/**
 * Predicts the rows of a file and writes CSV: `row` (number in the source, from 0) and `prediction`; for two classes
 * `row`, `probability` (of the positive class) and `label`. A file is written whole or not at all.
 *
 * @param to a path, or a stream, which is left open.
 * @throws PARAGRAD_MODEL_FOLDER …, what reading throws, PARAGRAD_OUT when `to` cannot be written.
 */
export async function predictFile(
  modelFolder: string,
  source: string,
  options: { to: string | Writable; signal?: AbortSignal; onRows?: (rows: number) => void },
): Promise<PredictSummary> {
  const model = await loadModel(modelFolder);
  const { to, signal, onRows } = options;
  const predictions = await predict(model, source, signal === undefined ? {} : { signal });
  try {
    if (typeof to !== 'string') {
      await writeAll(model, predictions.blocks, to, onRows);
      return { ...predictions.report, out: null };
    }
    const partial = `${to}.partial-${process.pid}`;
    try {
      const stream = createWriteStream(partial, { flags: 'wx', flush: true });
      const closed = new Promise<void>((resolve, reject) => {
        stream.once('close', resolve);
        stream.once('error', (error) => reject(unwritable(to, error)));
      });
      closed.catch(() => undefined);
      await Promise.race([writeAll(model, predictions.blocks, stream, onRows), closed]);
      stream.end();
      await closed;
      await rename(partial, to).catch((error: unknown) => {
        throw unwritable(to, error);
      });
    } catch (error) {
      // It may not be there, nor its folder: the error to show is the first one.
      await rm(partial, { force: true }).catch(() => undefined);
      throw error;
    }
    return { ...predictions.report, out: to };
  } finally {
    predictions.close();
  }
}

async function writeAll(
  model: FittedModel,
  blocks: AsyncIterable<PredictionBlock>,
  stream: Writable,
  onRows: ((rows: number) => void) | undefined,
): Promise<void> {
  const { target } = model.record;
  const classes = target.kind === 'classes' ? target : undefined;
  await write(stream, classes === undefined ? 'row,prediction\n' : 'row,probability,label\n');
  let rows = 0;
  for await (const block of blocks) {
    let text = '';
    for (let i = 0; i < block.rows; i += 1) {
      const prediction = block.prediction[i] as number;
      text += `${block.firstRow + i},${prediction}`;
      if (classes !== undefined) text += `,${quoted((block.z[i] as number) > 0 ? classes.positive : classes.negative)}`;
      text += '\n';
    }
    await write(stream, text);
    rows += block.rows;
    onRows?.(rows);
  }
}

/** A CSV field: quoted where it must be. */
function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function write(stream: Writable, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => (error ? reject(error) : resolve()));
  });
}

function unwritable(file: string, cause: unknown): ParagradError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ParagradError('PARAGRAD_OUT', `${file} cannot be written: ${why}`, { place: { file, option: '--out' }, cause });
}
