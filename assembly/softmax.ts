import { expNegative, log, splat } from './math';
import { ONE, constant } from './page';
import { LINE, addPair, loadPair, storePair } from './simd';
import { rowBytes } from './rows';

// Softmax over k classes, from k arrays of dots to k arrays of residuals, word for word as src/kernels/softmax-reference.ts.
// Rows go in pairs, as in rows.ts; classes ascend. `dots`, `qDots`, `r` and `c` are tables of addresses (u32), one per class;
// `b`, `pB` one f64 per class; `scratch` a pair of f64 per class. The loops over classes have no step that waits for the
// one before but an addition, so that a processor works on several classes at once.

/** Bytes of the lanes of one row scalar. */
const LANES: usize = 64;

/** Address of a pair of T in a class's array, given that of the same pair of f64 in the first panel. */
// @ts-ignore: decorator
@inline function inClass<T>(table: usize, c: usize, panel: usize, at: usize): usize {
  return <usize>load<u32>(table + (c << 2)) + panel * LINE + (at * sizeof<T>()) / 8;
}

/** All ones where v is not 0. */
// @ts-ignore: decorator
@inline function counts(v: v128): v128 {
  return f64x2.ne(v, splat(0));
}

/** All ones where y is class c. */
// @ts-ignore: decorator
@inline function isClass(y: v128, c: usize): v128 {
  return f64x2.eq(y, splat(<f64>c));
}

/** z of every class into `scratch`; returns the largest. */
// @ts-ignore: decorator
@inline function margins<T>(classes: usize, dots: usize, b: usize, shift: v128, hasShift: bool, panel: usize, at: usize, scratch: usize): v128 {
  let largest = splat(0);
  for (let c: usize = 0; c < classes; c += 1) {
    let z = loadPair<T>(inClass<T>(dots, c, panel, at));
    if (hasShift) z = f64x2.add(z, shift);
    z = f64x2.add(z, v128.load_splat<f64>(b + (c << 3)));
    v128.store(scratch + (c << 4), z);
    largest = c == 0 ? z : f64x2.pmax(largest, z);
  }
  return largest;
}

/** exp(z − largest) of every class in the place of z; returns their sum. */
// @ts-ignore: decorator
@inline function exponentials(classes: usize, largest: v128, scratch: usize): v128 {
  let sum = splat(0);
  for (const end = scratch + (classes << 4); scratch < end; scratch += 16) {
    const e = expNegative(f64x2.sub(v128.load(scratch), largest));
    v128.store(scratch, e);
    sum = f64x2.add(sum, e);
  }
  return sum;
}

/** z of the row's own class; +0 where y is no class. */
// @ts-ignore: decorator
@inline function ownMargin(classes: usize, y: v128, scratch: usize): v128 {
  let own = splat(0);
  for (let c: usize = 0; c < classes; c += 1) own = v128.bitselect(v128.load(scratch + (c << 4)), own, isClass(y, c));
  return own;
}

/** e/sum − [c = y] */
// @ts-ignore: decorator
@inline function derivativeOf(e: v128, sum: v128, y: v128, c: usize): v128 {
  return f64x2.sub(f64x2.div(e, sum), v128.and(constant(ONE), isClass(y, c)));
}

// @ts-ignore: decorator
@inline function shiftAt(offset: usize, panel: usize, at: usize): v128 {
  return offset == 0 ? splat(0) : v128.load(offset + panel + at);
}

// @ts-ignore: decorator
@inline export function derivative<T>(
  classes: usize, panels: usize, dots: usize, b: usize, y: usize, v: usize, offset: usize, r: usize, scratch: usize, lanes: usize,
): void {
  for (let panel: usize = 0; panel < panels; panel += 1) {
    const rows = panel * rowBytes<T>();
    for (let at: usize = 0; at < rowBytes<T>(); at += 16) {
      const weight = v128.load(v + rows + at);
      const mask = counts(weight);
      const target = v128.load(y + rows + at);
      const largest = margins<T>(classes, dots, b, shiftAt(offset, rows, at), offset != 0, panel, at, scratch);
      const own = ownMargin(classes, target, scratch);
      const sum = exponentials(classes, largest, scratch);
      let lane = lanes + (at & (LANES - 1));
      addPair(lane, v128.and(f64x2.mul(weight, f64x2.sub(f64x2.add(largest, log(sum)), own)), mask));
      for (let c: usize = 0; c < classes; c += 1) {
        const d = v128.and(f64x2.mul(weight, derivativeOf(v128.load(scratch + (c << 4)), sum, target, c)), mask);
        storePair<T>(inClass<T>(r, c, panel, at), d);
        lane += LANES;
        addPair(lane, d);
      }
    }
  }
}

// @ts-ignore: decorator
@inline export function curvature<T>(
  classes: usize, panels: usize, dots: usize, b: usize, qDots: usize, pB: usize, v: usize, offset: usize, r: usize, scratch: usize, lanes: usize,
): void {
  for (let panel: usize = 0; panel < panels; panel += 1) {
    const rows = panel * rowBytes<T>();
    for (let at: usize = 0; at < rowBytes<T>(); at += 16) {
      const weight = v128.load(v + rows + at);
      const mask = counts(weight);
      const largest = margins<T>(classes, dots, b, shiftAt(offset, rows, at), offset != 0, panel, at, scratch);
      const sum = exponentials(classes, largest, scratch);
      let mean = splat(0);
      for (let c: usize = 0; c < classes; c += 1) {
        const s = f64x2.div(v128.load(scratch + (c << 4)), sum);
        v128.store(scratch + (c << 4), s);
        const q = f64x2.add(loadPair<T>(inClass<T>(qDots, c, panel, at)), v128.load_splat<f64>(pB + (c << 3)));
        mean = f64x2.add(mean, f64x2.mul(s, q));
      }
      let lane = lanes + (at & (LANES - 1));
      let quadratic = splat(0);
      for (let c: usize = 0; c < classes; c += 1) {
        const q = f64x2.add(loadPair<T>(inClass<T>(qDots, c, panel, at)), v128.load_splat<f64>(pB + (c << 3)));
        const e = v128.and(f64x2.mul(f64x2.mul(weight, v128.load(scratch + (c << 4))), f64x2.sub(q, mean)), mask);
        storePair<T>(inClass<T>(r, c, panel, at), e);
        addPair(lane, e);
        quadratic = f64x2.add(quadratic, f64x2.mul(e, q));
        lane += LANES;
      }
      addPair(lane, v128.and(quadratic, mask));
    }
  }
}

// @ts-ignore: decorator
@inline export function lossAlong<T>(
  classes: usize, panels: usize, dots: usize, b: usize, qDots: usize, pB: usize, y: usize, v: usize, offset: usize,
  steps: usize, count: usize, scratch: usize, lanes: usize,
): void {
  for (let panel: usize = 0; panel < panels; panel += 1) {
    const rows = panel * rowBytes<T>();
    for (let at: usize = 0; at < rowBytes<T>(); at += 16) {
      const weight = v128.load(v + rows + at);
      const mask = counts(weight);
      const target = v128.load(y + rows + at);
      const shift = shiftAt(offset, rows, at);
      let lane = lanes + (at & (LANES - 1));
      for (let s: usize = 0; s < count; s += 1) {
        const t = v128.load_splat<f64>(steps + (s << 3));
        margins<T>(classes, dots, b, shift, offset != 0, panel, at, scratch);
        let largest = splat(0);
        for (let c: usize = 0; c < classes; c += 1) {
          const q = f64x2.add(loadPair<T>(inClass<T>(qDots, c, panel, at)), v128.load_splat<f64>(pB + (c << 3)));
          const z = f64x2.add(v128.load(scratch + (c << 4)), f64x2.mul(t, q));
          v128.store(scratch + (c << 4), z);
          largest = c == 0 ? z : f64x2.pmax(largest, z);
        }
        const own = ownMargin(classes, target, scratch);
        const sum = exponentials(classes, largest, scratch);
        let slope = splat(0);
        for (let c: usize = 0; c < classes; c += 1) {
          const q = f64x2.add(loadPair<T>(inClass<T>(qDots, c, panel, at)), v128.load_splat<f64>(pB + (c << 3)));
          const d = f64x2.mul(weight, derivativeOf(v128.load(scratch + (c << 4)), sum, target, c));
          slope = f64x2.add(slope, f64x2.mul(d, q));
        }
        addPair(lane, v128.and(f64x2.mul(weight, f64x2.sub(f64x2.add(largest, log(sum)), own)), mask));
        addPair(lane + LANES, v128.and(slope, mask));
        lane += 2 * LANES;
      }
    }
  }
}

// @ts-ignore: decorator
@inline export function curvatureRows<T>(
  classes: usize, panels: usize, dots: usize, b: usize, v: usize, offset: usize, curvatures: usize, scratch: usize, lanes: usize,
): void {
  for (let panel: usize = 0; panel < panels; panel += 1) {
    const rows = panel * rowBytes<T>();
    for (let at: usize = 0; at < rowBytes<T>(); at += 16) {
      const weight = v128.load(v + rows + at);
      const mask = counts(weight);
      const largest = margins<T>(classes, dots, b, shiftAt(offset, rows, at), offset != 0, panel, at, scratch);
      const sum = exponentials(classes, largest, scratch);
      for (let c: usize = 0; c < classes; c += 1) {
        const s = f64x2.div(v128.load(scratch + (c << 4)), sum);
        const value = v128.and(f64x2.mul(weight, f64x2.mul(s, f64x2.sub(constant(ONE), s))), mask);
        v128.store(<usize>load<u32>(curvatures + (c << 2)) + rows + at, value);
        addPair(lanes + c * LANES + (at & (LANES - 1)), value);
      }
    }
  }
}

// @ts-ignore: decorator
@inline export function totals<T>(classes: usize, panels: usize, y: usize, v: usize, lanes: usize): void {
  for (let at: usize = 0; at < panels * rowBytes<T>(); at += 16) {
    const target = v128.load(y + at);
    const weight = v128.load(v + at);
    for (let c: usize = 0; c < classes; c += 1)
      addPair(lanes + c * LANES + (at & (LANES - 1)), v128.and(weight, isClass(target, c)));
  }
}
