import type { Consistency } from './consistency.ts';
import type { LateRule } from './late.ts';

/** What goes into a server and what comes out of it: its options and update rule, its replies, and its snapshots. */

/** How a server changes its segment of the weights: an update rule with its schedule, bound to the segment. */
export interface Updater {
  /** Multiplies a gradient with the preconditioner, in place, where workers have not done so. */
  prepare?(gradient: Float64Array): void;
  /** Changes `weights` in place by the rule; `factor` multiplies the learning rate of this update. */
  update(weights: Float64Array, gradient: Float64Array, factor: number): void;
  /** Plain data: everything that a copy needs to go on with the same bits. */
  state(): unknown;
  restore(state: unknown): void;
}

export interface ServerOptions {
  readonly consistency: Consistency;
  readonly late: LateRule;
  /** Weights at the start: of this server's segment. Not kept. */
  readonly weights: Float64Array;
  /** How many of them, from the first, carry the penalty l2: all but the intercept. */
  readonly penalised: number;
  readonly l2: number;
  /** V and the number of training rows: pushes over n rows are divided by (V·n)/rows. */
  readonly weightSum: number;
  readonly trainingRows: number;
  readonly updater: Updater;
  /** Squared loss: standard deviation of the target, so that nothing depends on its unit; default 1. */
  readonly unit?: number;
  /** Gradients of this many rows are applied; then every worker is told to end. */
  readonly maxRows: number;
  /** Workers 0 … workers − 1 are there from the start: with clocks, they are waited for. Others may join. */
  readonly workers: number;
}

/** What the server tells a worker: compute `sequence` from these weights (a copy), or end. */
export type Reply =
  | {
      readonly kind: 'grant';
      readonly worker: number;
      readonly sequence: number;
      readonly version: number;
      readonly weights: Float64Array;
    }
  | { readonly kind: 'end'; readonly worker: number };

/** Everything that a server needs to go on: weights and the table of what was applied lie in the same snapshot. */
export interface ServerSnapshot {
  readonly version: number;
  readonly rows: number;
  readonly weights: Float64Array;
  readonly mean: Float64Array;
  readonly updater: unknown;
  readonly members: readonly { readonly worker: number; readonly last: number; readonly active: boolean }[];
  readonly staleness: readonly number[];
  readonly lost: number;
  /** Which part of the latest updates came from each worker. */
  readonly shares: readonly (readonly [worker: number, share: number])[];
}
