import type { Batch } from '../partition/batch.ts';

/**
 * The questions that an optimizer may ask of the data, and the answers: types only. A pass is one reading of the rows; its
 * answer is **raw sums** over them, undivided and without penalty, made in the fixed order of docs/numerics.md §5.
 * D (what sums are divided by) and l2 are the optimizer's business: `objective.ts`.
 */

/**
 * A weight vector in encoded space: one weight per encoded column, and the intercept apart. With several outputs (softmax: one per
 * class) `weights` holds the weights of the first, then those of the second, and so on.
 */
export interface Vector {
  readonly weights: Float64Array;
  /** Of the first output. */
  readonly intercept: number;
  /** Intercepts of the outputs after the first; absent where there is one output. */
  readonly others?: Float64Array;
}

/** The sample of panels i ↦ ⌊i · panels / count⌋, i < count, of the training set. */
export interface PanelSample {
  readonly count: number;
}

export type Pass =
  /** Σ v·loss, Σ v·d and Σ v·d·x at each of k ≥ 1 vectors; with `batch` over its rows only (the arrays then hold until the next pass). */
  | { readonly kind: 'gradient'; readonly at: readonly Vector[]; readonly batch?: Batch }
  /** Σ v·loss at each of k ≥ 1 vectors, over the training or the validation set. */
  | { readonly kind: 'loss'; readonly at: readonly Vector[]; readonly set: 'training' | 'validation' }
  /** Σ v·loss and its slope at `at` + t · `direction`, for several steps t. */
  | { readonly kind: 'lossAlong'; readonly at: Vector; readonly direction: Vector; readonly steps: readonly number[] }
  /** Curvature at `at` times `direction`. */
  | { readonly kind: 'curvature'; readonly at: Vector; readonly direction: Vector }
  /**
   * Σ v, Σ v·y, Σ v·offset and Σ v·x over all training rows, over the validation rows, or over a sample of training panels. With
   * `scalars` x is not read: the sums of the columns are 0.
   */
  | { readonly kind: 'totals'; readonly set: 'training' | 'validation' | PanelSample; readonly scalars?: boolean }
  /**
   * Curvature-weighted Gram matrix at `at` over a sample; rows weigh v·u, u = Π tilt_j over the columns j with x_ij ≠ 0 and
   * tilt_j ≠ 1. With `columns` (ascending) only these columns are summed and multiplied; u is over all of them as ever.
   */
  | {
      readonly kind: 'gram';
      readonly at: Vector;
      readonly sample: PanelSample;
      readonly tilt: Float64Array;
      readonly columns?: Uint32Array;
    };

/**
 * Plain steps of gradient descent, one for each of `count` batches from `batch` on: g = Σ / divisor + l2·w (the intercept has no
 * penalty, and stays where none is fitted), w ← w − rate·g, and mean ← mean + (w − mean)·share where share is not 0.
 */
export interface PlainSteps {
  /** The first of them. */
  readonly batch: Batch;
  readonly count: number;
  /** Divisor, rate and share of each. */
  readonly factors: Float64Array;
  readonly l2: number;
  readonly intercept: boolean;
  /** Weights, then the intercept: changed in place. */
  readonly coordinates: Float64Array;
  readonly mean: Float64Array;
}

export interface GradientSums {
  /** Σ v·loss */
  readonly loss: number;
  /** Σ v·d */
  readonly intercept: number;
  /** Of the outputs after the first, where there are any. */
  readonly others?: Float64Array;
  /** Σ v·d·x_j, output after output. */
  readonly columns: Float64Array;
}

export interface CurvatureSums {
  /** Σ e·q: pᵀHp without penalty, times D */
  readonly quadratic: number;
  /** Σ e */
  readonly intercept: number;
  /** Of the outputs after the first, where there are any. */
  readonly others?: Float64Array;
  /** Σ e·x_j, output after output. */
  readonly columns: Float64Array;
}

export interface TotalsSums {
  readonly v: number;
  readonly vy: number;
  readonly vOffset: number;
  /** Softmax: Σ v of the rows of each class. */
  readonly classes?: Float64Array;
  /** Σ v·x_j */
  readonly columns: Float64Array;
}

export interface GramSums {
  /** Σ v·u */
  readonly weight: number;
  /** Σ c */
  readonly c: number;
  /** Σ c·x_j, of all columns or of those that the pass lists. */
  readonly columns: Float64Array;
  /** Lower triangle by rows, of all columns or of those that the pass lists: entry (a, b), a ≥ b, at a(a+1)/2 + b. */
  readonly lower: Float64Array;
  /** The same with the curvature of each output after the first, where there are any. */
  readonly others?: readonly GramSums[];
}

export type SumsOf<K extends Pass['kind']> = {
  gradient: readonly GradientSums[];
  loss: readonly number[];
  lossAlong: readonly { readonly loss: number; readonly slope: number }[];
  curvature: CurvatureSums;
  totals: TotalsSums;
  gram: GramSums;
}[K];

/** The answer to a pass, tagged like it. */
export type Sums = { [K in Pass['kind']]: { readonly kind: K; readonly sums: SumsOf<K> } }[Pass['kind']];
