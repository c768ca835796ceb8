import type { RuleState } from '../update/batch/rules.ts';
import { decayOf } from '../update/coordinates.ts';
import type { BatchSetup } from './batch-setup.ts';
import type { OwnBatches } from './own-batches.ts';

/** Steps of a rank on mini-batches of its own rows. */
export class LocalDescent {
  readonly #setup: BatchSetup;
  readonly #batches: OwnBatches;
  readonly #decay: Float64Array | undefined;
  readonly #gradient: Float64Array;
  /** The rule's memory, as it is after the last step. */
  readonly state: RuleState;

  constructor(setup: BatchSetup, batches: OwnBatches, state: RuleState, coordinates: number) {
    this.#setup = setup;
    this.#batches = batches;
    this.state = state;
    this.#decay = setup.rule.decays ? decayOf(setup.problem) : undefined;
    this.#gradient = new Float64Array(coordinates);
  }

  /** One step on batch `number`, in place, at `factor` times the rate. @returns rows of the batch */
  step(number: number, local: Float64Array, factor: number): number {
    const { problem, rule, preconditioner, rate } = this.#setup;
    const { sums, rows } = this.#batches.gradient(number, local, problem.intercept);
    const gradient = this.#gradient;
    const divisor = (problem.weightSum * rows) / problem.layout.rows;
    const weights = local.length - (problem.classes ?? 1);
    for (let j = 0; j < local.length; j += 1) gradient[j] = sums[j] / divisor;
    if (!rule.decays) for (let j = 0; j < weights; j += 1) gradient[j] = gradient[j] + problem.l2 * local[j];
    preconditioner.apply(gradient);
    rule.apply(this.state, local, gradient, rate * factor, this.#decay);
    return rows;
  }
}
