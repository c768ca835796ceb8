import type { Layout } from '../partition/layout.ts';
import type { Vector } from './pass.ts';
import { axpy, dot } from './vectors.ts';

/** A step and the change of the gradient that it made: what L-BFGS remembers of the curvature. */
export interface Pair {
  readonly s: Vector;
  readonly y: Vector;
  /** sᵀy */
  readonly product: number;
}

/** Pairs that are kept at most. */
export const MEMORY = 10;
/** A pair is kept if sᵀy is above this × step × |slope|. */
export const LEAST_CURVATURE = 1e-6;

/** The pairs with one more, without the oldest where there would be too many. */
export function withPair(pairs: readonly Pair[], pair: Pair): readonly Pair[] {
  return [...pairs.slice(-(MEMORY - 1)), pair];
}

/** The two loops of L-BFGS around an initial inverse Hessian; pairs are oldest first. */
export function inverseHessian(layout: Layout, pairs: readonly Pair[], gradient: Vector, initial: (q: Vector) => Vector): Vector {
  const factors: number[] = [];
  let q = gradient;
  for (let i = pairs.length - 1; i >= 0; i -= 1) {
    const { s, y, product } = pairs[i];
    factors[i] = dot(layout, s, q) / product;
    q = axpy(-factors[i], y, q);
  }
  let r = initial(q);
  pairs.forEach(({ s, y, product }, i) => {
    r = axpy(factors[i] - dot(layout, y, r) / product, s, r);
  });
  return r;
}
