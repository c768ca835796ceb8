import { derivativeOf, isSquared, lossOf, shared, sumOf, weightedCurvature } from './losses';
import { splat } from './math';
import { ROWS_E, ROWS_Z, rowsAt } from './page';
import { LINE, addPair, loadPair, storePair } from './simd';

// From dots to row scalars and residuals, one panel. Rows go in pairs; pair p belongs to lanes 2p mod 8 and 2p + 1 mod 8 of a
// row scalar, which stay in memory. Where v = 0 a row gives +0 by selection, whatever its z.
//
// The logistic loss takes two loops, with arrays in the instance's page between them. One row's operations wait for one another
// some 180 cycles long; a processor looks far enough ahead to work on other rows meanwhile only if a loop's body is short.

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

/** z = f64(dot) + offset + b */
// @ts-ignore: decorator
@inline function marginOf<T>(dots: usize, offset: usize, intercept: v128, at: usize): v128 {
  let z = loadPair<T>(inT<T>(dots, at));
  if (offset != 0) z = f64x2.add(z, v128.load(offset + at));
  return f64x2.add(z, intercept);
}

// @ts-ignore: decorator
@inline export function derivative<T, L>(dots: usize, b: f64, y: usize, v: usize, offset: usize, r: usize, lanes: usize): void {
  derivativeOfRows<T, L>(dots, b, y, v, offset, r, lanes, 0, rowBytes<T>());
}

/** Only the pairs of rows whose f64 lie in the bytes [from, to). */
// @ts-ignore: decorator
@inline export function derivativeOfRows<T, L>(
  dots: usize, b: f64, y: usize, v: usize, offset: usize, r: usize, lanes: usize, from: usize, to: usize,
): void {
  const intercept = splat(b);
  const zs = rowsAt(ROWS_Z);
  const es = rowsAt(ROWS_E);
  if (!isSquared<L>())
    for (let at = from; at < to; at += 16) {
      const z = marginOf<T>(dots, offset, intercept, at);
      v128.store(zs + at, z);
      v128.store(es + at, shared(z));
    }
  for (let at = from; at < to; at += 16) {
    const weight = v128.load(v + at);
    const mask = counts(weight);
    const z = isSquared<L>() ? marginOf<T>(dots, offset, intercept, at) : v128.load(zs + at);
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
  const intercept = splat(b);
  const direction = splat(pB);
  const es = rowsAt(ROWS_E);
  if (!isSquared<L>())
    for (let at: usize = 0; at < rowBytes<T>(); at += 16) v128.store(es + at, shared(marginOf<T>(zDots, offset, intercept, at)));
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
  const intercept = splat(b);
  const direction = splat(pB);
  const zs = rowsAt(ROWS_Z);
  const es = rowsAt(ROWS_E);
  for (const end = steps + (count << 3); steps < end; steps += 8) {
    const t = v128.load_splat<f64>(steps);
    for (let at: usize = 0; at < rowBytes<T>(); at += 16) {
      const q = f64x2.add(loadPair<T>(inT<T>(qDots, at)), direction);
      const z = f64x2.add(marginOf<T>(zDots, offset, intercept, at), f64x2.mul(t, q));
      v128.store(zs + at, z);
      if (!isSquared<L>()) v128.store(es + at, shared(z));
    }
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
  const intercept = splat(b);
  const es = rowsAt(ROWS_E);
  if (!isSquared<L>())
    for (let at: usize = 0; at < rowBytes<T>(); at += 16) v128.store(es + at, shared(marginOf<T>(zDots, offset, intercept, at)));
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

/** ((l0+l4)+(l2+l6)) + ((l1+l5)+(l3+l7)) */
// @ts-ignore: decorator
@inline export function foldLanes(lanes: usize): f64 {
  const pair = f64x2.add(f64x2.add(v128.load(lanes), v128.load(lanes, 32)), f64x2.add(v128.load(lanes, 16), v128.load(lanes, 48)));
  return f64x2.extract_lane(pair, 0) + f64x2.extract_lane(pair, 1);
}
