import { LINE, add, mul, quarter } from './simd';

/** Bytes of accumulator per column. */
const ACCUMULATOR: usize = 16;
/** Panels between two flushes, f32. */
export const GROUP: usize = 16;

/** One panel's share of a column, in the lanes of an accumulator; r0 to r3: the panel's residuals. */
// @ts-ignore: decorator
@inline function share<T>(x: usize, r0: v128, r1: v128, r2: v128, r3: v128): v128 {
  return add<T>(
    add<T>(mul<T>(quarter(x, 0), r0), mul<T>(quarter(x, 1), r1)),
    add<T>(mul<T>(quarter(x, 2), r2), mul<T>(quarter(x, 3), r3)),
  );
}

/** One panel's share of every column's accumulator. */
// @ts-ignore: decorator
@inline export function updatePanel<T>(x: usize, columns: usize, r: usize, accumulators: usize): void {
  const r0 = quarter(r, 0);
  const r1 = quarter(r, 1);
  const r2 = quarter(r, 2);
  const r3 = quarter(r, 3);
  for (const end = accumulators + columns * ACCUMULATOR; accumulators < end; accumulators += ACCUMULATOR) {
    v128.store(accumulators, add<T>(v128.load(accumulators), share<T>(x, r0, r1, r2, r3)));
    x += LINE;
  }
}

/** sum = the fold of one panel's share alone, as accumulators that were +0 would give it. */
// @ts-ignore: decorator
@inline export function setPanel<T>(x: usize, columns: usize, r: usize, sums: usize): void {
  const r0 = quarter(r, 0);
  const r1 = quarter(r, 1);
  const r2 = quarter(r, 2);
  const r3 = quarter(r, 3);
  const end = sums + (columns << 3);
  const zero = f64x2.splat(0);
  for (; sums + 32 <= end; sums += 32) {
    const t0 = share<T>(x, r0, r1, r2, r3);
    const t1 = share<T>(x + LINE, r0, r1, r2, r3);
    const t2 = share<T>(x + 2 * LINE, r0, r1, r2, r3);
    const t3 = share<T>(x + 3 * LINE, r0, r1, r2, r3);
    foldFour<T>(sums, zero, zero, t0, t1, t2, t3);
    x += 4 * LINE;
  }
  for (; sums < end; sums += 8) {
    store<f64>(sums, fold<T>(share<T>(x, r0, r1, r2, r3)) + 0);
    x += LINE;
  }
}

/** Sum of an accumulator's lanes, as f64. */
// @ts-ignore: decorator
@inline export function fold<T>(accumulator: v128): f64 {
  if (sizeof<T>() == 8) return f64x2.extract_lane(accumulator, 0) + f64x2.extract_lane(accumulator, 1);
  return <f64>(
    (f32x4.extract_lane(accumulator, 0) +
      f32x4.extract_lane(accumulator, 1) +
      (f32x4.extract_lane(accumulator, 2) + f32x4.extract_lane(accumulator, 3)))
  );
}

/** The folds of four accumulators, added to two f64 each, as `fold` gives them: four columns by the shuffles that one would take. */
// @ts-ignore: decorator
@inline function foldFour<T>(to: usize, before01: v128, before23: v128, a: v128, b: v128, c: v128, d: v128): void {
  if (sizeof<T>() == 8) {
    const ab = f64x2.add(v128.shuffle<i64>(a, b, 0, 2), v128.shuffle<i64>(a, b, 1, 3));
    const cd = f64x2.add(v128.shuffle<i64>(c, d, 0, 2), v128.shuffle<i64>(c, d, 1, 3));
    v128.store(to, f64x2.add(before01, ab));
    v128.store(to + 16, f64x2.add(before23, cd));
    return;
  }
  const ab01 = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
  const ab23 = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
  const cd01 = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
  const cd23 = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
  const folds = f32x4.add(
    f32x4.add(v128.shuffle<i64>(ab01, cd01, 0, 2), v128.shuffle<i64>(ab01, cd01, 1, 3)),
    f32x4.add(v128.shuffle<i64>(ab23, cd23, 0, 2), v128.shuffle<i64>(ab23, cd23, 1, 3)),
  );
  v128.store(to, f64x2.add(before01, f64x2.promote_low_f32x4(folds)));
  v128.store(to + 16, f64x2.add(before23, f64x2.promote_low_f32x4(v128.shuffle<i64>(folds, folds, 1, 1))));
}

// @ts-ignore: decorator
@inline export function flush<T>(columns: usize, accumulators: usize, sums: usize): void {
  const end = sums + (columns << 3);
  const zero = i64x2.splat(0);
  for (; sums + 32 <= end; sums += 32) {
    const a = quarter(accumulators, 0);
    const b = quarter(accumulators, 1);
    const c = quarter(accumulators, 2);
    const d = quarter(accumulators, 3);
    foldFour<T>(sums, v128.load(sums), v128.load(sums + 16), a, b, c, d);
    v128.store(accumulators, zero);
    v128.store(accumulators + 16, zero);
    v128.store(accumulators + 32, zero);
    v128.store(accumulators + 48, zero);
    accumulators += 4 * ACCUMULATOR;
  }
  for (; sums < end; sums += 8) {
    store<f64>(sums, load<f64>(sums) + fold<T>(v128.load(accumulators)));
    v128.store(accumulators, zero);
    accumulators += ACCUMULATOR;
  }
}

/** Flushes where panel `panel` ends a group. */
// @ts-ignore: decorator
@inline export function flushGroup<T>(panel: usize, columns: usize, accumulators: usize, sums: usize): void {
  if (sizeof<T>() == 4 && (panel + 1) % GROUP == 0) flush<T>(columns, accumulators, sums);
}

// @ts-ignore: decorator
@inline export function update<T>(x: usize, stride: usize, panels: usize, columns: usize, firstPanel: usize, r: usize, accumulators: usize, sums: usize): void {
  for (let panel = firstPanel, end = firstPanel + panels; panel < end; panel += 1) {
    updatePanel<T>(x, columns, r, accumulators);
    flushGroup<T>(panel, columns, accumulators, sums);
    x += stride;
    r += LINE;
  }
}
