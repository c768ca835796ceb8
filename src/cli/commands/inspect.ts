import { statSync } from 'node:fs';
import { inspectResult } from '../format/inspect-result.ts';
import { json } from '../format/json.ts';
import { modelResult } from '../format/train-result.ts';
import { interruptible } from '../interrupt.ts';
import type { InspectFlags } from '../program.ts';
import { LiveProgress } from '../progress.ts';
import { type Terminal, textWidth } from '../terminal.ts';
import { checkFree } from './files.ts';

/** `paragrad inspect`: a folder is a model, anything else is data. @returns the exit code */
export async function inspectCommand(path: string, flags: InspectFlags, terminal: Terminal): Promise<number> {
  const { json: asJson = false, force, ...options } = flags;
  const { out } = terminal;
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) {
    const { loadModel } = await import('../../run/model-folder.ts');
    const { summary } = await loadModel(path);
    await out.write(asJson ? json(summary) : `${modelResult(summary, out.style)}\n`);
    return 0;
  }
  if (options.encoded !== undefined) checkFree(options.encoded, '--encoded', force);
  const progress = new LiveProgress(terminal);
  try {
    const { inspectData } = await import('../../run/inspect.ts');
    const description = await interruptible(
      (signal) => inspectData(path, { ...options, signal }),
      () => progress.note('interrupted'),
    );
    progress.end();
    await out.write(asJson ? json(description) : `${inspectResult(description, out.style, textWidth(out))}\n`);
    return 0;
  } finally {
    progress.end();
  }
}
