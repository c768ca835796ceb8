import type { TableSource } from '../../data/source-files.ts';
import { ParagradError } from '../../errors.ts';
import type { TrainFlags } from '../flags.ts';
import { dryRunResult } from '../format/dry-run-result.ts';
import { json } from '../format/json.ts';
import type { Terminal } from '../terminal.ts';

/** `paragrad train --dry-run`. @returns the exit code */
export async function dryRunCommand(file: TableSource | undefined, flags: TrainFlags, terminal: Terminal): Promise<number> {
  const { json: asJson, dryRun: _dryRun, report: _report, resume, timeLimit, checkpointEvery, intercept, standardize, ...options } = flags;
  if (file === undefined || resume !== undefined)
    throw new ParagradError('PARAGRAD_USAGE', '--dry-run needs a table, and goes with no --resume: a resumed run has its options already', {
      place: { option: '--dry-run' },
    });
  const { dryRun } = await import('../../run/dry-run.ts');
  const run = await dryRun(file, {
    ...options,
    // Commander says `true` where nobody said anything.
    ...(intercept === false ? { intercept } : {}),
    ...(standardize === false ? { standardize } : {}),
    ...(timeLimit === undefined ? {} : { timeLimitSeconds: timeLimit }),
    ...(checkpointEvery === undefined ? {} : { checkpointSeconds: checkpointEvery }),
  });
  await terminal.out.write(asJson === true ? json(run) : `${dryRunResult(run, terminal.out.style)}\n`);
  return 0;
}
