import type { TableSource } from '../../data/source-files.ts';
import type { EvaluateFlags } from '../flags.ts';
import { evaluateResult } from '../format/evaluate-result.ts';
import { json } from '../format/json.ts';
import { predictRemarks } from '../format/predict-result.ts';
import { interruptible } from '../interrupt.ts';
import { LiveProgress } from '../progress.ts';
import type { Terminal } from '../terminal.ts';

/** `paragrad evaluate`. @returns the exit code */
export async function evaluateCommand(model: string, file: TableSource, flags: EvaluateFlags, terminal: Terminal): Promise<number> {
  const progress = new LiveProgress(terminal);
  try {
    const { evaluate } = await import('../../run/evaluate.ts');
    const evaluation = await interruptible(
      (signal) =>
        evaluate(model, file, {
          threshold: flags.threshold,
          badRows: flags.badRows,
          signal,
          onRows: (rows) => progress.rows(rows),
          onDownload: progress.download,
        }),
      () => progress.note('interrupted'),
    );
    progress.end();
    for (const remark of predictRemarks(evaluation)) progress.note(remark);
    await terminal.out.write(flags.json === true ? json(evaluation) : `${evaluateResult(evaluation, terminal.out.style)}\n`);
    return 0;
  } finally {
    progress.end();
  }
}
