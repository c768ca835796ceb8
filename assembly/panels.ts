import * as row from './rows';
import { LINE } from './simd';

// The row kernels over several panels.

// @ts-ignore: decorator
@inline export function derivative<T, L>(panels: usize, dots: usize, b: f64, y: usize, v: usize, offset: usize, r: usize, lanes: usize): void {
  for (const end = dots + panels * LINE; dots < end; dots += LINE) {
    row.derivative<T, L>(dots, b, y, v, offset, r, lanes);
    y += row.rowBytes<T>();
    v += row.rowBytes<T>();
    if (offset != 0) offset += row.rowBytes<T>();
    r += LINE;
  }
}

// @ts-ignore: decorator
@inline export function curvature<T, L>(
  panels: usize, zDots: usize, b: f64, qDots: usize, pB: f64, v: usize, offset: usize, r: usize, lanes: usize,
): void {
  for (const end = qDots + panels * LINE; qDots < end; qDots += LINE) {
    row.curvature<T, L>(zDots, b, qDots, pB, v, offset, r, lanes);
    zDots += LINE;
    v += row.rowBytes<T>();
    if (offset != 0) offset += row.rowBytes<T>();
    r += LINE;
  }
}

// @ts-ignore: decorator
@inline export function lossAlong<T, L>(
  panels: usize, zDots: usize, b: f64, qDots: usize, pB: f64, y: usize, v: usize, offset: usize, steps: usize, count: usize, lanes: usize,
): void {
  for (const end = qDots + panels * LINE; qDots < end; qDots += LINE) {
    row.lossAlong<T, L>(zDots, b, qDots, pB, y, v, offset, steps, count, lanes);
    zDots += LINE;
    y += row.rowBytes<T>();
    v += row.rowBytes<T>();
    if (offset != 0) offset += row.rowBytes<T>();
  }
}

// @ts-ignore: decorator
@inline export function curvatureRows<T, L>(panels: usize, zDots: usize, b: f64, v: usize, offset: usize, c: usize, lanes: usize): void {
  for (const end = zDots + panels * LINE; zDots < end; zDots += LINE) {
    row.curvatureRows<T, L>(zDots, b, v, offset, c, lanes);
    v += row.rowBytes<T>();
    if (offset != 0) offset += row.rowBytes<T>();
    c += row.rowBytes<T>();
  }
}

// @ts-ignore: decorator
@inline export function totals<T>(panels: usize, y: usize, v: usize, offset: usize, r: usize, lanes: usize): void {
  for (const end = r + panels * LINE; r < end; r += LINE) {
    row.totals<T>(y, v, offset, r, lanes);
    y += row.rowBytes<T>();
    v += row.rowBytes<T>();
    if (offset != 0) offset += row.rowBytes<T>();
  }
}
