import type { Layout } from '../partition/layout.ts';
import type { Precondition } from './batch/precondition.ts';
import type { Schedule } from './batch/schedule.ts';
import type { Pass, PlainSteps, Sums, Vector } from './pass.ts';

/**
 * The contract of the optimizers: pure state machines. `next` asks a question of the data, `absorb` takes the answer. No
 * clock, no I/O, no random numbers. State is plain data (numbers, strings, booleans, Float64Arrays, and objects and arrays
 * of them): it survives `structuredClone` and a checkpoint, and a run resumed from it gives the bits of an uninterrupted one. What can be
 * computed again from the state (the factor of the metric M) is not in it: an instance that meets a state whose factor it has
 * not made itself asks for that `gram` pass again first. So, where several ranks run the same optimizer side by side, all of
 * them continue from a copied state with new instances, or none does. `absorb` keeps no reference to the arrays of its sums.
 */

/** What every rank knows of the problem before the first pass; made by the strategy from a `totals` pass. */
export interface Problem {
  /** The training set's. */
  readonly layout: Layout;
  readonly loss: 'squared' | 'logistic' | 'softmax' | (string & {});
  /** The loss is quadratic in z, so that its curvature is the same at every weight. */
  readonly quadratic: boolean;
  /** sup c of the loss's curvature per row, where it has one (1 for squared, ¼ for logistic). */
  readonly curvatureBound: number | undefined;
  /** Softmax: how many. Weight vectors have an output for each. */
  readonly classes?: number;
  /** V = Σ v over the training rows. */
  readonly weightSum: number;
  readonly l2: number;
  /** Whether an intercept is fitted. */
  readonly intercept: boolean;
  /** Σ v·x_j / V */
  readonly columnMeans: Float64Array;
  /**
   * Variance of each column over the training rows: 1 where the encoding standardised it. Read for numbers only (an indicator's is
   * p(1−p), p its mean): where a sample shows no variation, and to choose columns when there are more than 4,096.
   */
  readonly columnVariances: Float64Array;
  /** 1 where the column is a 0/1 indicator. */
  readonly indicators: Uint8Array;
  /** The weights of the intercept-only model: w = 0, and its optimal b (0 where none is fitted). Its objective is `nullLoss`. */
  readonly nullModel: Vector;
  /** Where to start. The same object as `nullModel` unless the user said otherwise. */
  readonly start: Vector;
}

export interface OptimizerOptions {
  /** Stop when gap ≤ tolerance · max(0, nullLoss − objective). 0: until no more precision is to be had. */
  readonly tolerance: number;
  /** Of gradient descent, momentum and Nesterov's method; the first step of a line search. */
  readonly learningRate: number | 'auto';
  /** Gradient descent: 'backtracking' searches for every step; undefined or 'none': the rate decides. */
  readonly lineSearch?: 'none' | 'backtracking' | undefined;
  /** Share of the last step that `momentum` keeps, 0 to below 1; undefined: 0.9. */
  readonly momentum?: number | undefined;
  /** Rows of a mini-batch: a step for every one of them. Undefined: all rows, or 256 where the optimizer is one of mini-batches. */
  readonly batchSize?: number | undefined;
  /** Mini-batches: ends after so many epochs, whatever the gap. */
  readonly epochs?: number | undefined;
  /** Mini-batches: how the rate changes; undefined: 'auto' with an automatic rate, else 'constant'. */
  readonly schedule?: Schedule | undefined;
  /** Mini-batches: epochs over which the rate rises to its base; undefined: 0. */
  readonly warmup?: number | undefined;
  /** Mini-batches: what gradients are multiplied with; undefined: 'auto'. */
  readonly precondition?: Precondition | 'auto' | undefined;
}

/** Why a run ended. Only the first three are the optimizer's own; the others are decided by rank 0 (limits) or the user. */
export type EndReason = 'converged' | 'precision reached' | 'epochs done' | 'max passes' | 'time limit' | 'early stopping' | 'aborted';

/** What is shown of a state: of the best or current weights. All objectives are per unit of V, penalty included. */
export interface Progress {
  /** Completed updates of the weights. */
  readonly iteration: number;
  /** Full readings of the training data so far. A sample (for M) does not count. */
  readonly passes: number;
  /** Objective; NaN before the first pass. */
  readonly objective: number;
  readonly nullLoss: number;
  /** Estimated distance to the optimum, ½ gᵀM⁻¹g; NaN before it is known. */
  readonly gap: number;
  /** Euclidean norm of the gradient, NaN before it is known. */
  readonly gradientNorm: number;
}

/** What comes out: the weights to be returned, and their objective. */
export interface Outcome {
  readonly reason: EndReason;
  readonly vector: Vector;
  /** Objective at `vector`, penalty included. */
  readonly objective: number;
  readonly gap: number;
  /** Remarks for the user (collinear columns without l2, metric not rebuilt, …). */
  readonly notes: readonly string[];
}

export type Next =
  | { readonly kind: 'pass'; readonly pass: Pass }
  | { readonly kind: 'done'; readonly reason: 'converged' | 'precision reached' | 'epochs done' };

/**
 * @throws (absorb) PARAGRAD_DIVERGED with the cause, when the objective is not finite or rises for long; the message names
 * the learning rate and the largest curvature where a fixed rate is to blame.
 */
export interface Optimizer<State = unknown> {
  readonly name: string;
  init(problem: Problem): State;
  next(state: State): Next;
  absorb(state: State, sums: Sums): State;
  /**
   * Where `next` asks for a batch: its step and those of the batches after it that begin before `maxPasses`, for a world of one, which
   * may take them in one go; undefined where they are not plain. The same bits as `absorb`, batch by batch.
   */
  ahead?(state: State, maxPasses: number): PlainSteps | undefined;
  /** They were taken. */
  took?(state: State, steps: PlainSteps): State;
  progress(state: State): Progress;
  /** A pass that judges weights which no true gradient has seen yet, where the run ends now, at a limit; undefined: there are none. */
  closing?(state: State): Pass | undefined;
  /** The weights to return when the run ends now, for `reason`. @param closing the answer to that pass; the state does not change. */
  outcome(state: State, reason: EndReason, closing?: Sums): Outcome;
}
