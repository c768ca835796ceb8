import { derivativeOf, lossOf, shared, weightedCurvature } from './losses';
import { splat } from './math';
import { LINE, addPair, loadPair, storePair } from './simd';

// From dots to row scalars and residuals. Rows go in pairs; pair p belongs to lanes 2p mod 8 and 2p + 1 mod 8 of a row
// scalar, which stay in memory. Where v = 0 a row gives +0 by selection, whatever its z.

/** Bytes of the lanes of one row scalar. */
const LANES: usize = 64;

/** z = f64(dot) + offset + b. */
// @ts-ignore: decorator
@inline function zOf<T>(dots: usize, offset: usize, b: v128, at: usize): v128 {
  const dot = loadPair<T>(dots + (at * sizeof<T>()) / 8);
  if (offset == 0) return f64x2.add(dot, b);
  return f64x2.add(f64x2.add(dot, v128.load(offset + at)), b);
}

/** All ones where v is not 0. */
// @ts-ignore: decorator
@inline function counts(v: v128): v128 {
  return f64x2.ne(v, splat(0));
}

/** f64 bytes of the rows of some panels. */
// @ts-ignore: decorator
@inline function rowBytes<T>(panels: usize): usize {
  return (panels * LINE * 8) / sizeof<T>();
}

// @ts-ignore: decorator
@inline export function derivative<T, L>(panels: usize, dots: usize, b: f64, y: usize, v: usize, offset: usize, r: usize, lanes: usize): void {
  const intercept = splat(b);
  for (let at: usize = 0, end = rowBytes<T>(panels); at < end; at += 16) {
    const z = zOf<T>(dots, offset, intercept, at);
    const target = v128.load(y + at);
    const weight = v128.load(v + at);
    const mask = counts(weight);
    const e = shared<L>(z);
    const d = v128.and(f64x2.mul(weight, derivativeOf<L>(z, target, e)), mask);
    const loss = v128.and(f64x2.mul(weight, lossOf<L>(z, target, e)), mask);
    storePair<T>(r + (at * sizeof<T>()) / 8, d);
    const lane = lanes + (at & (LANES - 1));
    addPair(lane, loss);
    addPair(lane + LANES, d);
  }
}

// @ts-ignore: decorator
@inline export function curvature<T, L>(panels: usize, zDots: usize, b: f64, qDots: usize, pB: f64, v: usize, offset: usize, r: usize, lanes: usize): void {
  const intercept = splat(b);
  const direction = splat(pB);
  for (let at: usize = 0, end = rowBytes<T>(panels); at < end; at += 16) {
    const weight = v128.load(v + at);
    const mask = counts(weight);
    const q = zOf<T>(qDots, 0, direction, at);
    const z = sizeof<L>() == 1 ? q : zOf<T>(zDots, offset, intercept, at);
    const e = v128.and(f64x2.mul(weightedCurvature<L>(weight, shared<L>(z)), q), mask);
    storePair<T>(r + (at * sizeof<T>()) / 8, e);
    const lane = lanes + (at & (LANES - 1));
    addPair(lane, e);
    addPair(lane + LANES, v128.and(f64x2.mul(e, q), mask));
  }
}

// @ts-ignore: decorator
@inline export function lossAlong<T, L>(
  panels: usize, zDots: usize, b: f64, qDots: usize, pB: f64, y: usize, v: usize, offset: usize, steps: usize, count: usize, lanes: usize,
): void {
  const intercept = splat(b);
  const direction = splat(pB);
  for (let at: usize = 0, end = rowBytes<T>(panels); at < end; at += 16) {
    const weight = v128.load(v + at);
    const mask = counts(weight);
    const target = v128.load(y + at);
    const q = zOf<T>(qDots, 0, direction, at);
    const start = zOf<T>(zDots, offset, intercept, at);
    let lane = lanes + (at & (LANES - 1));
    for (let step = steps, last = steps + (count << 3); step < last; step += 8) {
      const z = f64x2.add(start, f64x2.mul(v128.load_splat<f64>(step), q));
      const e = shared<L>(z);
      addPair(lane, v128.and(f64x2.mul(weight, lossOf<L>(z, target, e)), mask));
      addPair(lane + LANES, v128.and(f64x2.mul(f64x2.mul(weight, derivativeOf<L>(z, target, e)), q), mask));
      lane += 2 * LANES;
    }
  }
}

// @ts-ignore: decorator
@inline export function curvatureRows<T, L>(panels: usize, zDots: usize, b: f64, v: usize, offset: usize, c: usize, lanes: usize): void {
  const intercept = splat(b);
  for (let at: usize = 0, end = rowBytes<T>(panels); at < end; at += 16) {
    const weight = v128.load(v + at);
    const z = sizeof<L>() == 1 ? weight : zOf<T>(zDots, offset, intercept, at);
    const result = v128.and(weightedCurvature<L>(weight, shared<L>(z)), counts(weight));
    v128.store(c + at, result);
    addPair(lanes + (at & (LANES - 1)), result);
  }
}

// @ts-ignore: decorator
@inline export function totals<T>(panels: usize, y: usize, v: usize, offset: usize, r: usize, lanes: usize): void {
  for (let at: usize = 0, end = rowBytes<T>(panels); at < end; at += 16) {
    const weight = v128.load(v + at);
    const mask = counts(weight);
    storePair<T>(r + (at * sizeof<T>()) / 8, weight);
    const lane = lanes + (at & (LANES - 1));
    addPair(lane, weight);
    addPair(lane + LANES, v128.and(f64x2.mul(weight, v128.load(y + at)), mask));
    if (offset != 0) addPair(lane + 2 * LANES, v128.and(f64x2.mul(weight, v128.load(offset + at)), mask));
    else addPair(lane + 2 * LANES, splat(0));
  }
}
