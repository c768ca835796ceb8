import { dotsPanel } from './dots';
import { isSquared } from './losses';
import { curvature, derivative, rowBytes } from './rows';
import { LINE } from './simd';
import { flushGroup, updatePanel } from './update';

// Everything about a panel in one reading of x: the second reading, by the update, comes from cache.

// @ts-ignore: decorator
@inline export function gradient<T, L>(
  x: usize, stride: usize, panels: usize, columns: usize, blockColumns: usize, firstPanel: usize, w: usize, b: f64,
  y: usize, v: usize, offset: usize, scratch: usize, lanes: usize, accumulators: usize, sums: usize,
): void {
  const rows = rowBytes<T>();
  const r = scratch + LINE;
  for (let panel = firstPanel, end = firstPanel + panels; panel < end; panel += 1) {
    dotsPanel<T>(x, columns, blockColumns, w, scratch);
    derivative<T, L>(scratch, b, y, v, offset, r, lanes);
    updatePanel<T>(x, columns, r, accumulators);
    flushGroup<T>(panel, columns, accumulators, sums);
    x += stride;
    y += rows;
    v += rows;
    if (offset != 0) offset += rows;
  }
}

// @ts-ignore: decorator
@inline export function curvatureProduct<T, L>(
  x: usize, stride: usize, panels: usize, columns: usize, blockColumns: usize, firstPanel: usize, w: usize, b: f64, p: usize, pB: f64,
  v: usize, offset: usize, scratch: usize, lanes: usize, accumulators: usize, sums: usize,
): void {
  const rows = rowBytes<T>();
  const q = scratch + LINE;
  const r = scratch + 2 * LINE;
  for (let panel = firstPanel, end = firstPanel + panels; panel < end; panel += 1) {
    if (!isSquared<L>()) dotsPanel<T>(x, columns, blockColumns, w, scratch);
    dotsPanel<T>(x, columns, blockColumns, p, q);
    curvature<T, L>(scratch, b, q, pB, v, offset, r, lanes);
    updatePanel<T>(x, columns, r, accumulators);
    flushGroup<T>(panel, columns, accumulators, sums);
    x += stride;
    v += rows;
    if (offset != 0) offset += rows;
  }
}
