import { readFileSync } from 'node:fs';
import type { Checkpoint, StepRecord, TrainingJob } from '../../../strategies/job.ts';
import { ProcessSession } from '../../processes/session.ts';
import { decodePlain, encodePlain } from '../../worker/plain.ts';
import { plainError } from '../../worker/plain-error.ts';
import { linesOf } from '../lines.ts';
import { FILES, type RayOrder, type RayReport, VARIABLES } from '../messages.ts';
import { ActorLauncher } from './actors.ts';
import { ReportFiles } from './report-files.ts';

/**
 * The coordinator of a run on a Ray cluster, bundled into one file without dependencies: a child of the Python launcher, which
 * has its input and output. It reads its order from the package, runs the session of processes, and reports in the job's log.
 */
const controller = new AbortController();
/** A checkpoint comes again and again: longer ones would fill the log, and go into a file beside it. */
const CHECKPOINT_BYTES = 1024 * 1024;
/** How often people who read the log are told in words. */
const WORDS_MS = 1000;
let count = 0;
let wordsAtMs = Number.NEGATIVE_INFINITY;
let toldOfFiles = false;

const { [VARIABLES.host]: host = '127.0.0.1', [VARIABLES.logs]: logs = '', [VARIABLES.node]: node = '' } = process.env;
const files = logs === '' ? undefined : new ReportFiles(logs, node);

function report(message: RayReport): void {
  for (const line of linesOf(count, message)) process.stdout.write(`${line}\n`);
  count += 1;
}

/** For this side's reader, and for people who look at the job's log on Ray's dashboard. */
function reportSteps(steps: readonly StepRecord[]): void {
  const last = steps.at(-1);
  if (last !== undefined && performance.now() - wordsAtMs > WORDS_MS) {
    wordsAtMs = performance.now();
    process.stdout.write(`update ${last.iteration}, ${last.passes} readings of the data, objective ${last.objective}\n`);
  }
  report({ kind: 'steps', steps });
}

function reportNote(text: string): void {
  // On one line: the launcher reads what begins with @ as a wish.
  process.stdout.write(`note: ${text.replace(/\s+/gu, ' ')}\n`);
  report({ kind: 'note', text });
}

function reportCheckpoint(checkpoint: Checkpoint): void {
  const bytes = encodePlain({ kind: 'checkpoint', checkpoint }).reduce((sum, piece) => sum + piece.length, 0);
  if (bytes <= CHECKPOINT_BYTES) {
    report({ kind: 'checkpoint', checkpoint });
    return;
  }
  try {
    if (files === undefined) throw new Error('its log is no file');
    report(files.write({ kind: 'checkpoint', checkpoint }));
  } catch (error) {
    if (!toldOfFiles) reportNote(`checkpoints of ${bytes} bytes cannot be kept beside the log of the job: ${(error as Error).message}`);
    toldOfFiles = true;
  }
}

async function main(): Promise<boolean> {
  const { workers, job, source, options } = decodePlain<RayOrder>({ body: new Uint8Array(readFileSync(FILES.order)) });
  const actors = new ActorLauncher(host, process.stdin, process.stdout);
  // To stop a job is to end the run at its next step, and keep what was learned.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => controller.abort());
  const session = new ProcessSession(workers, actors, options);
  try {
    const whole = { ...job, source } as TrainingJob;
    const outcome = await session.train(whole, {
      onSteps: reportSteps,
      onCheckpoint: reportCheckpoint,
      onNote: reportNote,
      signal: controller.signal,
    });
    report({ kind: 'outcome', outcome });
    files?.clear();
    return true;
  } catch (error) {
    report({ kind: 'failed', error: plainError(error) });
    return false;
  } finally {
    await session.close();
  }
}

const done = await main();
// All has been handed on: a process that exits throws away what a pipe has not taken yet.
await new Promise((resolve) => process.stdout.write('', resolve));
// Whatever still listens has nobody to speak to.
process.exit(done ? 0 : 1);
