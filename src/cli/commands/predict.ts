import type { TableSource } from '../../data/source-files.ts';
import type { PredictReport } from '../../run/predict.ts';
import type { PredictFlags } from '../flags.ts';
import { json } from '../format/json.ts';
import { predictRemarks, predictResult } from '../format/predict-result.ts';
import { interruptible } from '../interrupt.ts';
import { LiveProgress } from '../progress.ts';
import type { Terminal } from '../terminal.ts';
import { checkFree } from './files.ts';

/** `paragrad predict`. @returns the exit code */
export async function predictCommand(model: string, file: TableSource, flags: PredictFlags, terminal: Terminal): Promise<number> {
  const { out } = flags;
  if (out !== undefined) checkFree(out, '--out', flags.force);
  const progress = new LiveProgress(terminal);
  try {
    return await interruptible(
      (signal) =>
        out === undefined && flags.json === true
          ? predictJson(model, file, flags, signal, progress, terminal)
          : predictRows(model, file, flags, signal, progress, terminal),
      () => progress.note('interrupted'),
    );
  } finally {
    progress.end();
  }
}

async function predictRows(
  model: string,
  file: TableSource,
  flags: PredictFlags,
  signal: AbortSignal,
  progress: LiveProgress,
  terminal: Terminal,
): Promise<number> {
  const { predictFile } = await import('../../run/predict-file.ts');
  const { out, format, threshold } = flags;
  // Rows and a progress line on the same terminal would write over each other.
  if (out === undefined && terminal.out.isTerminal) progress.end();
  const onRows = (rows: number): void => (out === undefined && terminal.out.isTerminal ? undefined : progress.rows(rows));
  const summary = await predictFile(model, file, {
    to: out ?? terminal.out.writable,
    format,
    threshold,
    signal,
    onRows,
    onDownload: progress.download,
    ...(flags.badRows && { badRows: flags.badRows }),
  });
  progress.end();
  for (const remark of predictRemarks(summary)) progress.note(remark);
  if (out !== undefined) await terminal.out.write(flags.json === true ? json(summary) : `${predictResult(summary, terminal.out.style)}\n`);
  return 0;
}

/** All predictions in one JSON object. */
async function predictJson(
  folder: string,
  file: TableSource,
  flags: PredictFlags,
  signal: AbortSignal,
  progress: LiveProgress,
  terminal: Terminal,
): Promise<number> {
  const [{ loadModel }, { predict }, { labelsOf }, { checkThreshold }] = await Promise.all([
    import('../../run/model-folder.ts'),
    import('../../run/predict.ts'),
    import('../../run/predict-file.ts'),
    import('../../run/threshold.ts'),
  ]);
  const model = await loadModel(folder);
  const threshold = checkThreshold(model, flags.threshold);
  const run = await predict(model, file, { signal, ...(flags.badRows && { badRows: flags.badRows }) });
  const predictions: number[] = [];
  const labels: string[] = [];
  try {
    for await (const block of run.blocks) {
      for (const value of block.prediction) predictions.push(value);
      for (const label of labelsOf(model, block, threshold)) labels.push(label);
      progress.rows(predictions.length);
    }
  } finally {
    run.close();
  }
  progress.end();
  const report: PredictReport = run.report;
  for (const remark of predictRemarks(report)) progress.note(remark);
  const values = labels.length === 0 ? { predictions } : { probabilities: predictions, labels };
  await terminal.out.write(json({ ...report, out: null, ...values }));
  return 0;
}
