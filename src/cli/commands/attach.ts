import type { AttachFlags } from '../flags.ts';
import { json } from '../format/json.ts';
import { trainResult } from '../format/train-result.ts';
import { interruptible } from '../interrupt.ts';
import { LiveProgress } from '../progress.ts';
import type { Terminal } from '../terminal.ts';

/** `paragrad attach`. @returns the exit code */
export async function attachCommand(job: string, flags: AttachFlags, terminal: Terminal): Promise<number> {
  const progress = new LiveProgress(terminal);
  try {
    const { attach } = await import('../../run/attach.ts');
    const { summary } = await interruptible(
      (signal) => attach(job, { signal, onEvent: progress.onEvent }),
      () => progress.note('interrupted: the job ends at the next step and hands over its result; Ctrl-C again leaves it'),
    );
    progress.end();
    const { out } = terminal;
    await out.write(flags.json === true ? json(summary) : `${trainResult(summary, out.style, terminal.command, [])}\n`);
    return summary.reason === 'aborted' ? 130 : 0;
  } finally {
    progress.end();
  }
}
