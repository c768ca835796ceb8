import { derivativeOf, isSquared, lossOf, shareRows, sumOf, weightedCurvature } from './losses';
import { splat } from './math';
import { ROWS_E, ROWS_Z, rowsAt } from './page';
import { LINE, addPair, loadPair, storePair } from './simd';

// From dots to row scalars and residuals, one panel. Rows go in pairs; pair p belongs to lanes 2p mod 8 and 2p + 1 mod 8 of a
// row scalar, which stay in memory. Where v = 0 a row gives +0 by selection, whatever its z.

/** Bytes of the lanes of one row scalar. */
const LANES: usize = 64;

/** Bytes of f64 for the rows of one panel. */
// @ts-ignore: decorator
@inline export function rowBytes<T>(): usize {
  return (LINE * 8) / sizeof<T>();
}

/** Address of a pair of T, given that of the same pair of f64. */
// @ts-ignore: decorator
@inline function inT<T>(array: usize, at: usize): usize {
  return array + (at * sizeof<T>()) / 8;
}

/** All ones where v is not 0. */
// @ts-ignore: decorator
@inline function counts(v: v128): v128 {
  return f64x2.ne(v, splat(0));
}

/** z = f64(dot) + offset + b, at ROWS_Z. */
// @ts-ignore: decorator
@inline function margins<T>(dots: usize, offset: usize, b: f64): void {
  const z = rowsAt(ROWS_Z);
  const intercept = splat(b);
  if (offset == 0) {
    for (let at: usize = 0; at < rowBytes<T>(); at += 16) v128.store(z + at, f64x2.add(loadPair<T>(inT<T>(dots, at)), intercept));
  } else {
    for (let at: usize = 0; at < rowBytes<T>(); at += 16)
      v128.store(z + at, f64x2.add(f64x2.add(loadPair<T>(inT<T>(dots, at)), v128.load(offset + at)), intercept));
  }
}

// @ts-ignore: decorator
@inline export function derivative<T, L>(dots: usize, b: f64, y: usize, v: usize, offset: usize, r: usize, lanes: usize): void {
  margins<T>(dots, offset, b);
  shareRows<L>(rowBytes<T>());
  const zs = rowsAt(ROWS_Z);
  const es = rowsAt(ROWS_E);
  for (let at: usize = 0; at < rowBytes<T>(); at += 16) {
    const weight = v128.load(v + at);
    const mask = counts(weight);
    const z = v128.load(zs + at);
    const target = v128.load(y + at);
    const e = v128.load(es + at);
    const sum = sumOf<L>(e);
    const d = v128.and(f64x2.mul(weight, derivativeOf<L>(z, target, e, sum)), mask);
    storePair<T>(inT<T>(r, at), d);
    const lane = lanes + (at & (LANES - 1));
    addPair(lane + LANES, d);
    addPair(lane, v128.and(f64x2.mul(weight, lossOf<L>(z, target, e, sum)), mask));
  }
}

// @ts-ignore: decorator
@inline export function curvature<T, L>(zDots: usize, b: f64, qDots: usize, pB: f64, v: usize, offset: usize, r: usize, lanes: usize): void {
  if (!isSquared<L>()) margins<T>(zDots, offset, b);
  shareRows<L>(rowBytes<T>());
  const es = rowsAt(ROWS_E);
  const direction = splat(pB);
  for (let at: usize = 0; at < rowBytes<T>(); at += 16) {
    const weight = v128.load(v + at);
    const mask = counts(weight);
    const q = f64x2.add(loadPair<T>(inT<T>(qDots, at)), direction);
    const e = v128.and(f64x2.mul(weightedCurvature<L>(weight, v128.load(es + at)), q), mask);
    storePair<T>(inT<T>(r, at), e);
    const lane = lanes + (at & (LANES - 1));
    addPair(lane, e);
    addPair(lane + LANES, v128.and(f64x2.mul(e, q), mask));
  }
}

// @ts-ignore: decorator
@inline export function lossAlong<T, L>(
  zDots: usize, b: f64, qDots: usize, pB: f64, y: usize, v: usize, offset: usize, steps: usize, count: usize, lanes: usize,
): void {
  const zs = rowsAt(ROWS_Z);
  const es = rowsAt(ROWS_E);
  const direction = splat(pB);
  for (const end = steps + (count << 3); steps < end; steps += 8) {
    const t = v128.load_splat<f64>(steps);
    margins<T>(zDots, offset, b);
    for (let at: usize = 0; at < rowBytes<T>(); at += 16) {
      const q = f64x2.add(loadPair<T>(inT<T>(qDots, at)), direction);
      v128.store(zs + at, f64x2.add(v128.load(zs + at), f64x2.mul(t, q)));
    }
    shareRows<L>(rowBytes<T>());
    for (let at: usize = 0; at < rowBytes<T>(); at += 16) {
      const weight = v128.load(v + at);
      const mask = counts(weight);
      const z = v128.load(zs + at);
      const target = v128.load(y + at);
      const e = v128.load(es + at);
      const sum = sumOf<L>(e);
      const q = f64x2.add(loadPair<T>(inT<T>(qDots, at)), direction);
      const d = f64x2.mul(weight, derivativeOf<L>(z, target, e, sum));
      const lane = lanes + (at & (LANES - 1));
      addPair(lane + LANES, v128.and(f64x2.mul(d, q), mask));
      addPair(lane, v128.and(f64x2.mul(weight, lossOf<L>(z, target, e, sum)), mask));
    }
    lanes += 2 * LANES;
  }
}

// @ts-ignore: decorator
@inline export function curvatureRows<T, L>(zDots: usize, b: f64, v: usize, offset: usize, c: usize, lanes: usize): void {
  if (!isSquared<L>()) margins<T>(zDots, offset, b);
  shareRows<L>(rowBytes<T>());
  const es = rowsAt(ROWS_E);
  for (let at: usize = 0; at < rowBytes<T>(); at += 16) {
    const weight = v128.load(v + at);
    const result = v128.and(weightedCurvature<L>(weight, v128.load(es + at)), counts(weight));
    v128.store(c + at, result);
    addPair(lanes + (at & (LANES - 1)), result);
  }
}

// @ts-ignore: decorator
@inline export function totals<T>(y: usize, v: usize, offset: usize, r: usize, lanes: usize): void {
  for (let at: usize = 0; at < rowBytes<T>(); at += 16) {
    const weight = v128.load(v + at);
    const mask = counts(weight);
    storePair<T>(inT<T>(r, at), weight);
    const lane = lanes + (at & (LANES - 1));
    addPair(lane, weight);
    addPair(lane + LANES, v128.and(f64x2.mul(weight, v128.load(y + at)), mask));
    const shift = offset == 0 ? splat(0) : v128.load(offset + at);
    addPair(lane + 2 * LANES, v128.and(f64x2.mul(weight, shift), mask));
  }
}
