import type { RuleState } from '../../update/batch/rules.ts';
import { coordinateCount, decayOf } from '../../update/coordinates.ts';
import type { BatchSetup } from '../batch-setup.ts';
import type { Segment } from './segments.ts';
import type { Updater } from './server.ts';

/**
 * A server's update rule. Where one server has all coordinates it also preconditions the gradient; where several have a segment
 * each the workers have done that, since a preconditioner needs the whole gradient.
 */
export class RuleUpdater implements Updater {
  readonly #setup: BatchSetup;
  readonly #stepsPerEpoch: number;
  readonly #preconditions: boolean;
  readonly #decay: Float64Array | undefined;
  #state: RuleState;
  /** Steps by which the schedule is ahead of the rule: those of before were of other numbers of rows. */
  #ahead = 0;

  /** `stepsPerEpoch`: updates in which all rows are read once. */
  constructor(setup: BatchSetup, segment: Segment, stepsPerEpoch: number) {
    this.#setup = setup;
    this.#stepsPerEpoch = stepsPerEpoch;
    const { begin, end } = segment;
    this.#preconditions = begin === 0 && end === coordinateCount(setup.problem);
    this.#decay = setup.rule.decays ? decayOf(setup.problem).slice(begin, end) : undefined;
    this.#state = setup.rule.init(end - begin);
  }

  prepare(gradient: Float64Array): void {
    if (this.#preconditions) this.#setup.preconditioner.apply(gradient);
  }

  update(weights: Float64Array, gradient: Float64Array, factor: number): void {
    const { rule, rate, factorAt } = this.#setup;
    rule.apply(this.#state, weights, gradient, rate * factorAt(this.#state.steps + this.#ahead, this.#stepsPerEpoch) * factor, this.#decay);
  }

  state(): unknown {
    return { steps: this.#state.steps, ahead: this.#ahead, arrays: this.#state.arrays.map((array) => array.slice()) };
  }

  restore(state: unknown): void {
    const { steps, arrays, ahead = 0 } = state as RuleState & { readonly ahead?: number };
    this.#state = { steps, arrays: arrays.map((array) => array.slice()) };
    this.#ahead = ahead;
  }

  /** The schedule goes on from so many epochs, where steps have another number of rows than before. */
  goOnAt(epochs: number): void {
    this.#ahead = epochs * this.#stepsPerEpoch - this.#state.steps;
  }
}
