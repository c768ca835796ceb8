import type { TableSource } from '../../data/source-files.ts';
import { ParagradError } from '../../errors.ts';
import type { PrepareFlags } from '../flags.ts';
import { prepareResult } from '../format/dataset-result.ts';
import { json } from '../format/json.ts';
import { interruptible } from '../interrupt.ts';
import { LiveProgress } from '../progress.ts';
import type { Terminal } from '../terminal.ts';

/** `paragrad prepare`. @returns the exit code */
export async function prepareCommand(file: TableSource, flags: PrepareFlags, terminal: Terminal): Promise<number> {
  const { json: asJson = false, memory, out, ...options } = flags;
  for (const [option, value, what] of [
    ['--target', flags.target, 'name the column to predict'],
    ['--out', out, 'name the folder for the dataset'],
  ] as const)
    if (value === undefined) throw new ParagradError('PARAGRAD_USAGE', `${option} is missing: ${what}`, { place: { option } });
  const progress = new LiveProgress(terminal);
  try {
    const { prepare } = await import('../../run/prepare.ts');
    const summary = await interruptible(
      (signal) => prepare(file, { ...options, out: out as string, memoryBytes: memory, signal, onEvent: progress.onEvent }),
      () => progress.note('interrupted'),
    );
    progress.end();
    await terminal.out.write(asJson ? json(summary) : `${prepareResult(summary, terminal.out.style, terminal.command)}\n`);
    return 0;
  } finally {
    progress.end();
  }
}
