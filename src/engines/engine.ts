import type { StepRecord, TrainingJob, TrainingOutcome } from '../strategies/job.ts';

/**
 * The contract of the engines: where ranks live. An engine starts workers, hands them to the strategy, and ends them. A
 * *resident* engine keeps workers alive, and they run the loop in lockstep; a *driven* one runs every pass as a job of its
 * own, and only the coordinator loops.
 */
export interface Engine {
  readonly name: EngineName;
  readonly kind: 'resident' | 'driven';
  /**
   * Runs a job to its end. Nothing of the engine outlives the promise.
   *
   * @throws PARAGRAD_WORKER_LOST when a worker exits or never starts; what a rank throws, with its rank.
   */
  train(job: TrainingJob, hooks: EngineHooks): Promise<TrainingOutcome>;
}

export type EngineName = 'inline' | 'threads';

export interface EngineHooks {
  /** Updates of the weights, in batches: at most some ten calls a second, from the thread that called `train`. */
  readonly onSteps?: (steps: readonly StepRecord[]) => void;
  /** Ends the run at the next step, on all ranks: what was learned until then is the result. */
  readonly signal?: AbortSignal;
}
