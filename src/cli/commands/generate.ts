import { ParagradError } from '../../errors.ts';
import type { GenerateFlags } from '../flags.ts';
import { generateResult } from '../format/generate-result.ts';
import { json } from '../format/json.ts';
import { interruptible } from '../interrupt.ts';
import { LiveProgress } from '../progress.ts';
import type { Terminal } from '../terminal.ts';
import { checkFree } from './files.ts';

/** `paragrad generate`. @returns the exit code */
export async function generateCommand(flags: GenerateFlags, terminal: Terminal): Promise<number> {
  const { json: asJson, force, ...options } = flags;
  const { rows, columns, out } = options;
  if (rows === undefined || columns === undefined || out === undefined) {
    const option = rows === undefined ? '--rows' : columns === undefined ? '--columns' : '--out';
    throw new ParagradError(
      'PARAGRAD_USAGE',
      `${option} is missing: say how many rows and columns, and which file (.csv, .jsonl or .parquet) or folder (--format dataset)`,
      {
        place: { option },
      },
    );
  }
  checkFree(out, '--out', force);
  const progress = new LiveProgress(terminal);
  try {
    const { generate } = await import('../../run/generate/generate.ts');
    const generated = await interruptible(
      (signal) => generate({ ...options, rows, columns, out, force, signal, onRows: (done) => progress.rows(done) }),
      () => progress.note('interrupted'),
    );
    progress.end();
    await terminal.out.write(asJson === true ? json(generated) : `${generateResult(generated, terminal.out.style)}\n`);
    return 0;
  } finally {
    progress.end();
  }
}
