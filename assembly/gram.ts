import { LINE, add, loadPair, mul, quarter, storePair } from './simd';
import { fold } from './update';

// G_ab = column sum of column b with residuals c·x_a. Rows of the triangle go eight at a time, whose residuals stand in
// scratch; columns four at a time, whose accumulators stay in registers over the panels of a group.

const TILE_ROWS: usize = 8;

// @ts-ignore: decorator
@inline function min(a: usize, b: usize): usize {
  return a < b ? a : b;
}

/** r = T(c·f64(x_a)), a line per panel. */
// @ts-ignore: decorator
@inline function residuals<T>(x: usize, stride: usize, panels: usize, c: usize, r: usize): void {
  for (const end = r + panels * LINE; r < end; r += LINE) {
    for (let at: usize = 0; at < LINE; at += 2 * sizeof<T>()) {
      storePair<T>(r + at, f64x2.mul(v128.load(c), loadPair<T>(x + at)));
      c += 16;
    }
    x += stride;
  }
}

/** One column's t of §4. */
// @ts-ignore: decorator
@inline function products<T>(x: usize, r0: v128, r1: v128, r2: v128, r3: v128): v128 {
  return add<T>(
    add<T>(mul<T>(quarter(x, 0), r0), mul<T>(quarter(x, 1), r1)),
    add<T>(mul<T>(quarter(x, 2), r2), mul<T>(quarter(x, 3), r3)),
  );
}

// @ts-ignore: decorator
@inline function addTo(sum: usize, pair: v128): void {
  v128.store(sum, f64x2.add(v128.load(sum), pair));
}

/** Adds the folds of four accumulators to four sums that stand side by side. */
// @ts-ignore: decorator
@inline function foldFour<T>(a: v128, b: v128, c: v128, d: v128, sums: usize): void {
  if (sizeof<T>() == 8) {
    addTo(sums, f64x2.add(v128.shuffle<f64>(a, b, 0, 2), v128.shuffle<f64>(a, b, 1, 3)));
    addTo(sums + 16, f64x2.add(v128.shuffle<f64>(c, d, 0, 2), v128.shuffle<f64>(c, d, 1, 3)));
    return;
  }
  const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 2, 4, 6), v128.shuffle<f32>(a, b, 1, 3, 5, 7));
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 2, 4, 6), v128.shuffle<f32>(c, d, 1, 3, 5, 7));
  const all = f32x4.add(v128.shuffle<f32>(ab, cd, 0, 2, 4, 6), v128.shuffle<f32>(ab, cd, 1, 3, 5, 7));
  addTo(sums, f64x2.promote_low_f32x4(all));
  addTo(sums + 16, f64x2.promote_low_f32x4(v128.shuffle<f64>(all, all, 1, 0)));
}

/** One row with four columns, over the panels of a group. */
// @ts-ignore: decorator
@inline function four<T>(x: usize, stride: usize, panels: usize, r: usize, sums: usize): void {
  let a = v128.splat<T>(0);
  let b = v128.splat<T>(0);
  let c = v128.splat<T>(0);
  let d = v128.splat<T>(0);
  for (const end = r + panels * LINE; r < end; r += LINE) {
    const r0 = quarter(r, 0);
    const r1 = quarter(r, 1);
    const r2 = quarter(r, 2);
    const r3 = quarter(r, 3);
    a = add<T>(a, products<T>(x, r0, r1, r2, r3));
    b = add<T>(b, products<T>(x + LINE, r0, r1, r2, r3));
    c = add<T>(c, products<T>(x + 2 * LINE, r0, r1, r2, r3));
    d = add<T>(d, products<T>(x + 3 * LINE, r0, r1, r2, r3));
    x += stride;
  }
  foldFour<T>(a, b, c, d, sums);
}

// @ts-ignore: decorator
@inline function one<T>(x: usize, stride: usize, panels: usize, r: usize, sum: usize): void {
  let a = v128.splat<T>(0);
  for (const end = r + panels * LINE; r < end; r += LINE) {
    a = add<T>(a, products<T>(x, quarter(r, 0), quarter(r, 1), quarter(r, 2), quarter(r, 3)));
    x += stride;
  }
  store<f64>(sum, load<f64>(sum) + fold<T>(a));
}

/** Panels from the start that are of one group; all of them where groups do not matter. */
// @ts-ignore: decorator
@inline function groupPanels<T>(groups: usize, panels: usize): usize {
  if (sizeof<T>() == 8) return panels;
  let n = min(1, panels);
  while (n < panels && load<u32>(groups + (n << 2)) == load<u32>(groups)) n += 1;
  return n;
}

/** Address of row a's first sum, `first` numbers of the triangle being left out. */
// @ts-ignore: decorator
@inline function rowSums(sums: usize, a: usize, first: usize): usize {
  return sums + ((a * (a + 1)) / 2 - first) * 8;
}

// @ts-ignore: decorator
@inline export function gram<T>(x: usize, stride: usize, panels: usize, c: usize, groups: usize, aBegin: usize, aEnd: usize, scratch: usize, sums: usize): void {
  const first = (aBegin * (aBegin + 1)) / 2;
  const whole = panels * LINE;
  for (let tile = aBegin; tile < aEnd; tile += TILE_ROWS) {
    const tileEnd = min(tile + TILE_ROWS, aEnd);
    for (let a = tile; a < tileEnd; a += 1) residuals<T>(x + a * LINE, stride, panels, c, scratch + (a - tile) * whole);
    let done: usize = 0;
    do {
      const n = groupPanels<T>(groups + (done << 2), panels - done);
      const from = x + done * stride;
      // Columns that all rows of the tile have, four at a time; then what is left of each row.
      const common = (tile + 1) & ~3;
      for (let b: usize = 0; b < common; b += 4)
        for (let a = tile; a < tileEnd; a += 1)
          four<T>(from + b * LINE, stride, n, scratch + (a - tile) * whole + done * LINE, rowSums(sums, a, first) + (b << 3));
      for (let a = tile; a < tileEnd; a += 1)
        for (let b = common; b <= a; b += 1)
          one<T>(from + b * LINE, stride, n, scratch + (a - tile) * whole + done * LINE, rowSums(sums, a, first) + (b << 3));
      done += n;
    } while (done < panels);
  }
}
