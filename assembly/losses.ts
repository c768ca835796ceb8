import { expNegative, log1pUnit, splat } from './math';

// Losses of two rows at a time, f64, word for word those of src/kernels/losses.ts. A loss is told by a type, so that each
// kernel is compiled for each loss: `Squared` or `Logistic`.

export type Squared = u8;
export type Logistic = u16;

// @ts-ignore: decorator
@inline function isSquared<L>(): bool {
  return sizeof<L>() == 1;
}

/** What loss, derivative and curvature share: exp(−|z|) of the logistic loss. */
// @ts-ignore: decorator
@inline export function shared<L>(z: v128): v128 {
  if (isSquared<L>()) return z;
  return expNegative(f64x2.neg(f64x2.abs(z)));
}

// @ts-ignore: decorator
@inline export function lossOf<L>(z: v128, y: v128, e: v128): v128 {
  if (isSquared<L>()) {
    const d = f64x2.sub(z, y);
    return f64x2.mul(f64x2.mul(splat(0.5), d), d);
  }
  const positive = v128.and(z, f64x2.gt(z, splat(0)));
  return f64x2.add(f64x2.sub(positive, f64x2.mul(y, z)), log1pUnit(e, f64x2.add(splat(1), e)));
}

// @ts-ignore: decorator
@inline export function derivativeOf<L>(z: v128, y: v128, e: v128): v128 {
  if (isSquared<L>()) return f64x2.sub(z, y);
  const numerator = v128.bitselect(splat(1), e, f64x2.ge(z, splat(0)));
  return f64x2.sub(f64x2.div(numerator, f64x2.add(splat(1), e)), y);
}

/** v times the curvature. */
// @ts-ignore: decorator
@inline export function weightedCurvature<L>(v: v128, e: v128): v128 {
  if (isSquared<L>()) return v;
  const sum = f64x2.add(splat(1), e);
  return f64x2.mul(v, f64x2.div(e, f64x2.mul(sum, sum)));
}
