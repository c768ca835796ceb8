import type { ControlWord } from '../communicate/collective.ts';
import type { Pass, PlainSteps, Sums, SumsOf } from '../update/pass.ts';

/**
 * One bulk-synchronous reading of the data. The synchronous loop is written once against this; who hosts it differs:
 * replicated (every rank runs the loop in lockstep, `evaluate` computes its own cells and all-reduces) or driven (only a
 * coordinator runs it, `evaluate` is a job of the engine).
 */
export interface Evaluator {
  /** `control` is rank 0's word; what all ranks got back of it stands in `lastControl`. */
  evaluate<P extends Pass>(pass: P, control?: ControlWord): Promise<SumsOf<P['kind']>>;
  /**
   * The same at once, where nothing has to be waited for; undefined otherwise. A mini-batch of few rows takes less time than a promise.
   */
  evaluateNow?(pass: Pass, control: ControlWord): Sums | undefined;
  /** Takes plain steps in one go where it can, which it says: no waiting, weights and mean are changed in place. */
  descendNow?(steps: PlainSteps, control: ControlWord): boolean;
  readonly lastControl: ControlWord;
}
