import { exp, log, log1p } from '../math.ts';
import type { KernelLoss } from './kernels.ts';

/**
 * The losses that the kernels know, one row at a time and word for word (docs/numerics.md §4): the oracle of the SIMD code.
 * All in f64, before the sample weight.
 */
export interface RowLoss {
  /** Code of the loss in the WASM kernels. */
  readonly code: number;
  loss(z: number, y: number): number;
  /** ∂loss/∂z */
  derivative(z: number, y: number): number;
  /** ∂²loss/∂z² */
  curvature(z: number, y: number): number;
}

/** ½(z − y)² */
const squared: RowLoss = {
  code: 0,
  loss: (z, y) => {
    const d = z - y;
    return 0.5 * d * d;
  },
  derivative: (z, y) => z - y,
  curvature: () => 1,
};

/** log(1 + exp(z)) − y·z, y in [0, 1] */
const logistic: RowLoss = {
  code: 1,
  loss: (z, y) => (z > 0 ? z : 0) - y * z + log1p(exp(-Math.abs(z))),
  derivative: (z, y) => {
    const e = exp(-Math.abs(z));
    return (z >= 0 ? 1 : e) / (1 + e) - y;
  },
  curvature: (z) => {
    const e = exp(-Math.abs(z));
    return e / ((1 + e) * (1 + e));
  },
};

export const ROW_LOSSES: Readonly<Record<KernelLoss, RowLoss>> = { squared, logistic };

/** One row's softmax, word for word (docs/numerics.md §4): the oracle of the SIMD code. */
export interface RowSoftmax {
  /** exp(z_c − max z), and their sum over ascending classes. */
  readonly e: Float64Array;
  readonly largest: number;
  readonly sum: number;
}

export function softmaxOf(z: Float64Array): RowSoftmax {
  let largest = z[0] as number;
  for (let c = 1; c < z.length; c += 1) largest = largest < (z[c] as number) ? (z[c] as number) : largest;
  let sum = 0;
  const e = z.map((value) => {
    const each = exp(value - largest);
    sum += each;
    return each;
  });
  return { e, largest, sum };
}

/** (m + log S) − z_y */
export function softmaxLoss({ largest, sum }: RowSoftmax, own: number): number {
  return largest + log(sum) - own;
}
