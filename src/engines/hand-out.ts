import { isLimited } from '../strategies/going-on.ts';
import type { Checkpoint, TrainingJob, TrainingOutcome } from '../strategies/job.ts';
import { strategyOf } from '../strategies/registry.ts';
import type { EngineHooks } from './engine.ts';

/**
 * Checkpoints of a strategy whose ranks each keep a part of the state (`Strategy.merge`): put together, and handed to the user as
 * often as they were asked for. Other strategies hand out their own, by rank 0.
 */
export class HandOut {
  readonly #job: TrainingJob;
  readonly #onCheckpoint: EngineHooks['onCheckpoint'];
  #last = performance.now();

  constructor(job: TrainingJob, { onCheckpoint }: Pick<EngineHooks, 'onCheckpoint'>) {
    this.#job = job;
    this.#onCheckpoint = onCheckpoint;
  }

  /** A rank keeps its state. @returns what is known of all ranks then */
  keep(kept: Checkpoint | undefined, newer: Checkpoint): Checkpoint {
    const known = strategyOf(this.#job).merge?.(kept, newer) ?? newer;
    if (performance.now() - this.#last >= (this.#job.checkpointEveryMs ?? Number.POSITIVE_INFINITY)) this.now(known);
    return known;
  }

  /** Hands out what is known, if it is whole. */
  now(kept: Checkpoint | undefined): void {
    if (kept === undefined) return;
    const { wholeOf } = strategyOf(this.#job);
    const whole = wholeOf === undefined ? kept : wholeOf(kept, this.#job);
    if (whole === undefined) return;
    this.#last = performance.now();
    this.#onCheckpoint?.(whole);
  }

  /** The run has ended: where it was made to, it may be wanted to go on. */
  end(kept: Checkpoint | undefined, { reason }: Pick<TrainingOutcome, 'reason'>): void {
    if (isLimited(reason) && strategyOf(this.#job).merge !== undefined) this.now(kept);
  }
}
