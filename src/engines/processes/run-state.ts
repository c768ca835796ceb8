import type { Checkpoint, DataSource, StepRecord, TrainingJob, TrainingOutcome } from '../../strategies/job.ts';
import { HandOut } from '../hand-out.ts';
import type { GuardedHooks } from '../hooks.ts';
import type { Report } from '../worker/orders.ts';

/** What the coordinator knows of the run that goes on: its newest state, what its owner was told already, and how to tell more. */

/** The newest state that is known of a run. */
export interface Known {
  readonly checkpoint: Checkpoint | undefined;
  readonly count: number;
}

/** Of a session: filled anew for each of its runs. */
export class RunState {
  /** Undefined: no run goes on, and nobody is told anything. */
  hooks: GuardedHooks | undefined;
  signal: AbortSignal | undefined;
  /** What workers read. */
  source: DataSource | undefined;
  known: Known = { checkpoint: undefined, count: 0 };
  /** Attempts of the session, over all of its runs; −1 before the first. */
  generation = -1;
  #handOut: HandOut | undefined;
  #told = -1;

  begin(job: TrainingJob, hooks: GuardedHooks, signal: AbortSignal | undefined): void {
    this.hooks = hooks;
    this.source = job.source;
    this.signal = signal;
    this.known = { checkpoint: job.resume, count: 0 };
    this.#told = job.resume?.steps.at(-1)?.iteration ?? -1;
    this.#handOut = new HandOut(job, hooks);
  }

  end(): void {
    this.hooks = undefined;
  }

  /** Tells the run's owner a sentence. */
  note(text: string): void {
    this.hooks?.onNote(text);
  }

  /** A worker reports. */
  hear(report: Report): void {
    if (report.kind === 'steps') this.#tell(report.steps);
    else if (report.kind === 'keep') this.#keep(report);
    else if (report.kind === 'checkpoint') {
      if (report.count >= this.known.count) this.known = report;
      this.hooks?.onCheckpoint(report.checkpoint);
    }
  }

  /** Goes on from the state of a worker that knows more. */
  take(checkpoint: Checkpoint, count: number): void {
    this.known = { checkpoint, count };
    this.#tell(checkpoint.steps);
  }

  /** What was learned until now, before an error ends the run. */
  handOut(): void {
    this.#handOut?.now(this.known.checkpoint);
  }

  /** The run has come to its end. */
  finish(outcome: TrainingOutcome): void {
    this.#handOut?.end(this.known.checkpoint, outcome);
  }

  /** Parts of a state come from several ranks: the strategy puts them together. */
  #keep({ checkpoint, count }: Known & { readonly checkpoint: Checkpoint }): void {
    const known = this.#handOut?.keep(this.known.checkpoint, checkpoint) ?? checkpoint;
    this.known = { checkpoint: known, count: Math.max(count, this.known.count) };
  }

  /** Every update once: those that are done again have the bits that they had. */
  #tell(steps: readonly StepRecord[]): void {
    const fresh = steps.filter(({ iteration }) => iteration > this.#told);
    if (fresh.length === 0) return;
    this.#told = (fresh.at(-1) as StepRecord).iteration;
    this.hooks?.onSteps(fresh);
  }
}
