import { expNegative, log1pUnit, splat } from './math';
import { HALF, ONE, SIGN, constant } from './page';

// Losses of two rows at a time, f64, word for word those of src/kernels/losses.ts. A loss is told by a type, so that each
// kernel is compiled for each loss: `Squared` or `Logistic`.

export type Squared = u8;
export type Logistic = u16;

// @ts-ignore: decorator
@inline export function isSquared<L>(): bool {
  return sizeof<L>() == 1;
}

/** What the logistic loss, its derivative and its curvature share: exp(−|z|). */
// @ts-ignore: decorator
@inline export function shared(z: v128): v128 {
  return expNegative(v128.or(z, constant(SIGN)));
}

// What follows takes the z of two rows and their e, the loss and the derivative also `sum` = 1 + e.

// @ts-ignore: decorator
@inline export function sumOf<L>(e: v128): v128 {
  return isSquared<L>() ? e : f64x2.add(constant(ONE), e);
}

// @ts-ignore: decorator
@inline export function lossOf<L>(z: v128, y: v128, e: v128, sum: v128): v128 {
  if (isSquared<L>()) {
    const d = f64x2.sub(z, y);
    return f64x2.mul(f64x2.mul(constant(HALF), d), d);
  }
  // max(z, 0) may be −0 here and +0 in the oracle: log1p(e) > 0 is added to it.
  return f64x2.add(f64x2.sub(f64x2.pmax(z, splat(0)), f64x2.mul(y, z)), log1pUnit(e, sum));
}

// @ts-ignore: decorator
@inline export function derivativeOf<L>(z: v128, y: v128, e: v128, sum: v128): v128 {
  if (isSquared<L>()) return f64x2.sub(z, y);
  // e ≤ 1: the larger of e and (z ≥ 0 ? 1 : 0).
  const numerator = f64x2.pmax(e, v128.and(constant(ONE), f64x2.ge(z, splat(0))));
  return f64x2.sub(f64x2.div(numerator, sum), y);
}

/** v times the curvature. */
// @ts-ignore: decorator
@inline export function weightedCurvature<L>(v: v128, e: v128): v128 {
  if (isSquared<L>()) return v;
  const sum = sumOf<L>(e);
  return f64x2.mul(v, f64x2.div(e, f64x2.mul(sum, sum)));
}
