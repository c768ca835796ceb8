import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { findFiles, isReadOnce, labelOf, type TableSource } from '../../data/source-files.ts';
import { ParagradError } from '../../errors.ts';
import type { ResumeOptions } from '../../run/resume.ts';
import type { TrainedRun } from '../../run/train.ts';
import type { TrainOptions } from '../../run/train-options.ts';
import type { RunSummary } from '../../run/types.ts';
import type { TrainFlags } from '../flags.ts';
import { firstStepSection, planSection, updateSection } from '../format/explain.ts';
import { json } from '../format/json.ts';
import { clean, shellWord } from '../format/text.ts';
import { trainResult } from '../format/train-result.ts';
import { interruptible } from '../interrupt.ts';
import { defaultOut } from '../options.ts';
import { LiveProgress } from '../progress.ts';
import type { Terminal } from '../terminal.ts';
import { checkFree } from './files.ts';

/** `paragrad train`. @returns the exit code */
export async function trainCommand(file: TableSource | undefined, flags: TrainFlags, terminal: Terminal): Promise<number> {
  const { report } = flags;
  if (report !== undefined) await checkReport(report, file, flags);
  const progress = new LiveProgress(terminal);
  try {
    const begin = flags.resume === undefined ? await beginning(file, flags, terminal) : resuming(file, flags.resume, flags);
    const run = await interruptible(
      (signal) => begin(signal, progress),
      () =>
        progress.note(
          `interrupted: ends at the next step and keeps the result; Ctrl-C again ${flags.engine === 'ray' ? 'leaves the job' : 'ends at once'}`,
        ),
    );
    if (report !== undefined && run.summary.out !== null) {
      const { writeReport } = await import('../../run/report/report.ts');
      await writeReport(run.summary.out, report);
    }
    progress.end();
    const { style } = terminal.out;
    const text = trainResult(run.summary, style, terminal.command, explained(run, flags, terminal));
    const saved = report === undefined ? '' : `\nReport saved in ${style.bold(clean(report))}`;
    await terminal.out.write(flags.json === true ? json(run.summary) : `${text}${saved}\n`);
    return run.summary.reason === 'aborted' ? 130 : 0;
  } finally {
    progress.end();
  }
}

/** Before training, not after it. @throws PARAGRAD_OUT, PARAGRAD_OUT_EXISTS */
async function checkReport(report: string, file: TableSource | undefined, flags: TrainFlags): Promise<void> {
  const { force, resume, validationData, init, replay, keyFile, rayTokenFile, out = resume } = flags;
  checkFree(report, '--report', force);
  const read = resume === undefined ? [] : await (await import('../../run/resume.ts')).inputsOfRun(resume);
  const { checkOutFile } = await import('../../run/out-paths.ts');
  await checkOutFile(report, '--report', [file, validationData, init, replay, keyFile, rayTokenFile, ...read], out);
  if (out !== undefined && resolve(out) === resolve(report))
    throw new ParagradError('PARAGRAD_OUT', `${report} cannot be written: it is the folder of the run`, {
      place: { file: report, option: '--report' },
    });
}

type Begin = (signal: AbortSignal, progress: LiveProgress) => Promise<TrainedRun>;

async function beginning(file: TableSource | undefined, flags: TrainFlags, terminal: Terminal): Promise<Begin> {
  const { json: _json, timeLimit, checkpointEvery, workerTimeout, joinTimeout, resume: _resume, report: _report, ...given } = flags;
  const { config: _config, dryRun: _dryRun, ...options } = given as typeof given & { config?: unknown; dryRun?: unknown };
  if (file === undefined)
    throw new ParagradError('PARAGRAD_USAGE', 'name a table to train on, or a run to go on with: --resume RUN', { place: {} });
  const { datasetTarget } = await import('../../run/dataset.ts');
  const target = (await datasetTarget(file)) ?? flags.target;
  // A file that is not there has no column to name.
  if (target === undefined && !isReadOnce(file)) (await findFiles(file)).release();
  if (target === undefined)
    throw new ParagradError(
      'PARAGRAD_USAGE',
      `--target is missing: name the column to predict (${terminal.command} inspect ${shellWord(typeof file === 'string' ? file : (file[0] ?? ''))} shows the columns)`,
      {
        place: { option: '--target' },
      },
    );
  const out = flags.out ?? freeName(defaultOut(target, new Date()));
  const { train } = await import('../../run/train.ts');
  return (signal, progress) =>
    train(file, {
      ...options,
      ...seconds({ timeLimit, checkpointEvery, workerTimeout, joinTimeout }),
      out,
      signal,
      onEvent: progress.onEvent,
    });
}

/** Flags that a run may be resumed with; all others were decided when it began. */
const RESUME_OPTIONS = [
  'engine',
  'workers',
  'partition',
  'maxPasses',
  'communicate',
  'reducers',
  'backup',
  'maxRestarts',
  'linkDelay',
  'linkRate',
  'kill',
  'pause',
  'slow',
  'bind',
  'hosts',
  'keyFile',
  'rayAddress',
  'rayTokenFile',
  'rayData',
  'node',
] as const satisfies readonly (keyof ResumeOptions)[];
const RESUME_FLAGS: readonly string[] = [
  'resume',
  'json',
  'report',
  'timeLimit',
  'checkpointEvery',
  'workerTimeout',
  'joinTimeout',
  ...RESUME_OPTIONS,
];

function resuming(file: TableSource | undefined, run: string, flags: TrainFlags): Begin {
  // Commander says `intercept: true` and `standardize: true` where nobody said anything.
  const others = Object.entries(flags).filter(([name, value]) => value !== undefined && value !== true && !RESUME_FLAGS.includes(name));
  const wrong = others[0]?.[0];
  if (file !== undefined || wrong !== undefined)
    throw new ParagradError(
      'PARAGRAD_USAGE',
      `--resume goes on with a run as it was begun: leave out ${(file === undefined ? undefined : labelOf(file)) ?? `--${wrong?.replace(/[A-Z]/gu, (letter) => `-${letter.toLowerCase()}`)}`}`,
      { place: { option: '--resume' } },
    );
  const given = RESUME_OPTIONS.flatMap((name) => (flags[name] === undefined ? [] : [[name, flags[name]] as const]));
  return async (signal, progress) => {
    const { resume } = await import('../../run/resume.ts');
    return resume(run, { ...Object.fromEntries(given), ...seconds(flags), signal, onEvent: progress.onEvent });
  };
}

function seconds({
  timeLimit,
  checkpointEvery,
  workerTimeout,
  joinTimeout,
}: Partial<Record<'timeLimit' | 'checkpointEvery' | 'workerTimeout' | 'joinTimeout', number | undefined>>): Pick<
  TrainOptions,
  'timeLimitSeconds' | 'checkpointSeconds' | 'workerTimeoutSeconds' | 'joinTimeoutSeconds'
> {
  return {
    ...(workerTimeout === undefined ? {} : { workerTimeoutSeconds: workerTimeout }),
    ...(joinTimeout === undefined ? {} : { joinTimeoutSeconds: joinTimeout }),
    ...(timeLimit === undefined ? {} : { timeLimitSeconds: timeLimit }),
    ...(checkpointEvery === undefined ? {} : { checkpointSeconds: checkpointEvery }),
  };
}

/** Two runs in the same second are two folders. */
function freeName(wanted: string): string {
  let name = wanted;
  for (let n = 2; existsSync(name); n += 1) name = `${wanted}-${n}`;
  return name;
}

function explained({ model, summary }: TrainedRun, flags: TrainFlags, { out: { style } }: Terminal): string[] {
  if (flags.explain !== true) return [];
  const columns = model.columns.map(({ name }) => name);
  const names = summary.model === 'softmax' ? model.labels.flatMap((label) => columns.map((name) => `${label}: ${name}`)) : columns;
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
