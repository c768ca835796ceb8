import { CONTROL, type ControlWord } from '../communicate/collective.ts';
import type { EndReason } from '../update/optimizer.ts';
import { snapshotDue } from './batch-finish.ts';
import type { BatchSetup } from './batch-setup.ts';
import type { Checkpoint, TrainingJob } from './job.ts';

/** Checkpoints of strategies of mini-batches: what all of them save, when it is time to do so, and how a run ends. */

/** A checkpoint after `trainedMs` of training, those before a resume included. */
export function batchCheckpoint(setup: BatchSetup, name: string, state: unknown, trainedMs: number): Checkpoint {
  const { fingerprint, problem } = setup;
  return { optimizer: name, state, fingerprint, watch: undefined, steps: [], origin: { start: problem.start, trainedMs } };
}

/** Milliseconds that a run had been trained for when it was resumed. */
export function trainedBefore({ resume }: Pick<TrainingJob, 'resume'>): number {
  return resume?.origin?.trainedMs ?? 0;
}

/** Points of the curve that were due until then: a run that goes on does not make them again. */
export function snapshotsUntil(passes: number): number {
  let made = 0;
  while (snapshotDue(made) <= passes) made += 1;
  return made;
}

/** Whether so much time has passed since the last checkpoint that the next is due. */
export class CheckpointTimer {
  readonly #now: () => number;
  readonly #everyMs: number;
  #last: number;

  constructor({ checkpointEveryMs }: Pick<TrainingJob, 'checkpointEveryMs'>, now: () => number) {
    this.#now = now;
    this.#everyMs = checkpointEveryMs ?? Number.POSITIVE_INFINITY;
    this.#last = now();
  }

  get isDue(): boolean {
    return this.#now() - this.#last >= this.#everyMs;
  }

  taken(): void {
    this.#last = this.#now();
  }
}

export function endReason({ epochs, allEpochs }: Pick<BatchSetup, 'epochs' | 'allEpochs'>, control: ControlWord): EndReason {
  if (control === CONTROL.abort) return 'aborted';
  if (control === CONTROL.timeLimit) return 'time limit';
  return epochs < allEpochs ? 'max passes' : 'epochs done';
}

/** A limit or the user ended the run: it may be wanted to go on. */
export function isLimited(reason: EndReason): boolean {
  return reason === 'aborted' || reason === 'time limit' || reason === 'max passes';
}
