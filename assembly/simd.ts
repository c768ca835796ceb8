// What f32 and f64 kernels share. A column of a panel is 64 bytes, four vectors, in either type: 4 × 4 rows of f32 or
// 4 × 2 rows of f64. `T` is the storage type throughout.

/** Bytes of one column of one panel, of a panel's dots, and of its residuals. */
export const LINE: usize = 64;

// @ts-ignore: decorator
@inline export function add<T>(a: v128, b: v128): v128 {
  return v128.add<T>(a, b);
}

// @ts-ignore: decorator
@inline export function mul<T>(a: v128, b: v128): v128 {
  return v128.mul<T>(a, b);
}

/** Vector `q` of the four at an address. */
// @ts-ignore: decorator
@inline export function quarter(at: usize, q: usize): v128 {
  return v128.load(at + (q << 4));
}

/** A value of T in every lane. */
// @ts-ignore: decorator
@inline export function loadSplat<T>(at: usize): v128 {
  return v128.load_splat<T>(at);
}

/** Two values of T as f64. */
// @ts-ignore: decorator
@inline export function loadPair<T>(at: usize): v128 {
  if (sizeof<T>() == 4) return f64x2.promote_low_f32x4(v128.load64_zero(at));
  return v128.load(at);
}

/** Two f64, rounded to T. */
// @ts-ignore: decorator
@inline export function storePair<T>(at: usize, pair: v128): void {
  if (sizeof<T>() == 4) v128.store64_lane(at, f32x4.demote_f64x2_zero(pair), 0);
  else v128.store(at, pair);
}

/** Adds a pair to two lanes of a row scalar. */
// @ts-ignore: decorator
@inline export function addPair(at: usize, pair: v128): void {
  v128.store(at, f64x2.add(v128.load(at), pair));
}
