import type { ServerOptions, ServerSnapshot } from './contract.ts';
import { compensate } from './late.ts';

/** The weights of a server's segment, and what one update does to them (docs/numerics.md §5). */

/** Weights with their version. */
export class SegmentWeights {
  readonly values: Float64Array;
  readonly #options: ServerOptions;
  readonly #mean: Float64Array;
  #version = 0;
  #rows = 0;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.values = options.weights.slice();
    this.#mean = new Float64Array(options.late.compensates ? options.weights.length : 0);
  }

  /** Updates applied; with clocks, clocks applied. */
  get version(): number {
    return this.#version;
  }

  /** Rows whose gradients were applied. */
  get rows(): number {
    return this.#rows;
  }

  /** Gradients of as many rows as there are to be were applied. */
  get isDone(): boolean {
    return this.#rows >= this.#options.maxRows;
  }

  /** Raw sums of some rows: divided, penalised, preconditioned, compensated where `pulled` is what they were computed from, and applied by the rule. */
  apply(sums: Float64Array, rows: number, factor: number, pulled: Float64Array | undefined): void {
    const { weightSum, trainingRows, penalised, l2, updater, unit } = this.#options;
    const divisor = (weightSum * rows) / trainingRows;
    const gradient = new Float64Array(sums.length);
    for (let j = 0; j < gradient.length; j += 1) gradient[j] = sums[j] / divisor;
    for (let j = 0; j < penalised; j += 1) gradient[j] = gradient[j] + l2 * this.values[j];
    updater.prepare?.(gradient);
    // Afterwards: a preconditioner would make what is wrong about a compensation many times as large.
    if (pulled !== undefined) compensate(gradient, this.values, pulled, this.#mean, unit);
    updater.update(this.values, gradient, factor);
    this.#version += 1;
    this.#rows += rows;
  }

  snapshot(): Pick<ServerSnapshot, 'version' | 'rows' | 'weights' | 'mean' | 'updater'> {
    return {
      version: this.#version,
      rows: this.#rows,
      weights: this.values.slice(),
      mean: this.#mean.slice(),
      updater: this.#options.updater.state(),
    };
  }

  /** Goes on from a snapshot, with the weights that the options have. */
  restore({ version, rows, mean, updater }: ServerSnapshot): void {
    this.#version = version;
    this.#rows = rows;
    this.#mean.set(mean);
    this.#options.updater.restore(updater);
  }
}
