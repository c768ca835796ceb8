import { LINE, add, mul, quarter } from './simd';

/** Bytes of accumulator per column. */
const ACCUMULATOR: usize = 16;
/** Panels between two flushes, f32. */
export const GROUP: usize = 16;

/** One panel's share of every column's accumulator. */
// @ts-ignore: decorator
@inline export function updatePanel<T>(x: usize, columns: usize, r: usize, accumulators: usize): void {
  const r0 = quarter(r, 0);
  const r1 = quarter(r, 1);
  const r2 = quarter(r, 2);
  const r3 = quarter(r, 3);
  for (const end = accumulators + columns * ACCUMULATOR; accumulators < end; accumulators += ACCUMULATOR) {
    const t = add<T>(
      add<T>(mul<T>(quarter(x, 0), r0), mul<T>(quarter(x, 1), r1)),
      add<T>(mul<T>(quarter(x, 2), r2), mul<T>(quarter(x, 3), r3)),
    );
    v128.store(accumulators, add<T>(v128.load(accumulators), t));
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
  for (const end = sums + (columns << 3); sums < end; sums += 8) {
    const t = add<T>(
      add<T>(mul<T>(quarter(x, 0), r0), mul<T>(quarter(x, 1), r1)),
      add<T>(mul<T>(quarter(x, 2), r2), mul<T>(quarter(x, 3), r3)),
    );
    store<f64>(sums, fold<T>(t) + 0);
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

// @ts-ignore: decorator
@inline export function flush<T>(columns: usize, accumulators: usize, sums: usize): void {
  for (const end = sums + (columns << 3); sums < end; sums += 8) {
    store<f64>(sums, load<f64>(sums) + fold<T>(v128.load(accumulators)));
    v128.store(accumulators, i64x2.splat(0));
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
