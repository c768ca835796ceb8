import { existsSync } from 'node:fs';
import type { TableSource } from '../../data/source-files.ts';
import { ParagradError } from '../../errors.ts';
import type { TrainedRun } from '../../run/train.ts';
import type { RunSummary } from '../../run/types.ts';
import { firstStepSection, planSection, updateSection } from '../format/explain.ts';
import { json } from '../format/json.ts';
import { shellWord } from '../format/text.ts';
import { trainResult } from '../format/train-result.ts';
import { interruptible } from '../interrupt.ts';
import { defaultOut } from '../options.ts';
import type { TrainFlags } from '../program.ts';
import { LiveProgress } from '../progress.ts';
import type { Terminal } from '../terminal.ts';

/** `paragrad train`. @returns the exit code */
export async function trainCommand(file: TableSource, flags: TrainFlags, terminal: Terminal): Promise<number> {
  const { json: asJson = false, timeLimit, ...options } = flags;
  const { datasetTarget } = await import('../../run/dataset.ts');
  const target = (await datasetTarget(file)) ?? flags.target;
  if (target === undefined)
    throw new ParagradError(
      'PARAGRAD_USAGE',
      `--target is missing: name the column to predict (${terminal.command} inspect ${shellWord(typeof file === 'string' ? file : (file[0] ?? ''))} shows the columns)`,
      {
        place: { option: '--target' },
      },
    );
  const out = flags.out ?? freeName(defaultOut(target, new Date()));
  const progress = new LiveProgress(terminal);
  try {
    const { train } = await import('../../run/train.ts');
    const limit = timeLimit === undefined ? {} : { timeLimitSeconds: timeLimit };
    const run = await interruptible(
      (signal) => train(file, { ...options, ...limit, out, signal, onEvent: progress.onEvent }),
      () => progress.note('interrupted: ends at the next step and keeps the result; Ctrl-C again ends at once'),
    );
    progress.end();
    const { style } = terminal.out;
    await terminal.out.write(
      asJson ? json(run.summary) : `${trainResult(run.summary, style, terminal.command, explained(run, flags, terminal))}\n`,
    );
    return run.summary.reason === 'aborted' ? 130 : 0;
  } finally {
    progress.end();
  }
}

/** Two runs in the same second are two folders. */
function freeName(wanted: string): string {
  let name = wanted;
  for (let n = 2; existsSync(name); n += 1) name = `${wanted}-${n}`;
  return name;
}

function explained({ model, summary }: TrainedRun, flags: TrainFlags, { out: { style } }: Terminal): string[] {
  if (flags.explain !== true) return [];
  const names = model.columns.map(({ name }) => name);
  const rate = flags.learningRate === 'auto' ? undefined : flags.learningRate;
  return [...planSection(summary.plan, style), ...stepSections(summary, names, rate, style)];
}

function stepSections(
  { firstStep, optimizer }: RunSummary,
  names: readonly string[],
  rate: number | undefined,
  style: Terminal['out']['style'],
): string[] {
  if (firstStep === undefined) return [];
  return [...firstStepSection(firstStep, names, style), ...updateSection(firstStep, names, optimizer, rate, style)];
}
