// Exports of the module: each kernel for each storage type, and for each loss where it has one. No data section and no
// allocation: all instances of a program share imported memories (src/kernels/wasm.ts).
import * as dot from './dots';
import * as fused from './fused';
import * as triangle from './gram';
import { Logistic, Squared } from './losses';
import * as row from './panels';
import * as column from './update';

export { momentsF32, momentsF64, packF32F32, packF32F64, packF64F32, packF64F64 } from './ingest';
export {
  gradientListF32Squared,
  gradientListF32Logistic,
  gradientListF64Squared,
  gradientListF64Logistic,
  descendListF32Squared,
  descendListF32Logistic,
  descendListF64Squared,
  descendListF64Logistic,
} from './batch-exports';
export { readLimit } from './limit';
export { mapMath, mapUnit } from './math';
export { addSums } from './batch';
export { subtractProducts } from './cholesky';
export { initialize } from './page';
export {
  softmaxDerivativeF32,
  softmaxDerivativeF64,
  softmaxCurvatureF32,
  softmaxCurvatureF64,
  softmaxLossAlongF32,
  softmaxLossAlongF64,
  softmaxCurvatureRowsF32,
  softmaxCurvatureRowsF64,
  softmaxTotalsF32,
  softmaxTotalsF64,
} from './softmax-exports';

export function dotsF32(x: usize, stride: usize, panels: usize, columns: usize, blockColumns: usize, w: usize, out: usize): void {
  dot.dots<f32>(x, stride, panels, columns, blockColumns, w, out);
}

export function dotsF64(x: usize, stride: usize, panels: usize, columns: usize, blockColumns: usize, w: usize, out: usize): void {
  dot.dots<f64>(x, stride, panels, columns, blockColumns, w, out);
}

export function addDotsF32(left: usize, right: usize, count: usize): void {
  dot.addDots<f32>(left, right, count);
}

export function addDotsF64(left: usize, right: usize, count: usize): void {
  dot.addDots<f64>(left, right, count);
}

export function updateF32(
  x: usize, stride: usize, panels: usize, columns: usize, firstPanel: usize, r: usize, accumulators: usize, sums: usize,
): void {
  column.update<f32>(x, stride, panels, columns, firstPanel, r, accumulators, sums);
}

export function updateF64(
  x: usize, stride: usize, panels: usize, columns: usize, firstPanel: usize, r: usize, accumulators: usize, sums: usize,
): void {
  column.update<f64>(x, stride, panels, columns, firstPanel, r, accumulators, sums);
}

export function flushF32(columns: usize, accumulators: usize, sums: usize): void {
  column.flush<f32>(columns, accumulators, sums);
}

export function flushF64(columns: usize, accumulators: usize, sums: usize): void {
  column.flush<f64>(columns, accumulators, sums);
}

export function totalsF32(panels: usize, y: usize, v: usize, offset: usize, r: usize, lanes: usize): void {
  row.totals<f32>(panels, y, v, offset, r, lanes);
}

export function totalsF64(panels: usize, y: usize, v: usize, offset: usize, r: usize, lanes: usize): void {
  row.totals<f64>(panels, y, v, offset, r, lanes);
}

export function gramF32(
  x: usize, stride: usize, panels: usize, c: usize, groups: usize, aBegin: usize, aEnd: usize, scratch: usize, sums: usize,
): void {
  triangle.gram<f32>(x, stride, panels, c, groups, aBegin, aEnd, scratch, sums);
}

export function gramF64(
  x: usize, stride: usize, panels: usize, c: usize, groups: usize, aBegin: usize, aEnd: usize, scratch: usize, sums: usize,
): void {
  triangle.gram<f64>(x, stride, panels, c, groups, aBegin, aEnd, scratch, sums);
}

export function derivativeF32Squared(panels: usize, dots: usize, b: f64, y: usize, v: usize, offset: usize, r: usize, lanes: usize): void {
  row.derivative<f32, Squared>(panels, dots, b, y, v, offset, r, lanes);
}

export function derivativeF32Logistic(panels: usize, dots: usize, b: f64, y: usize, v: usize, offset: usize, r: usize, lanes: usize): void {
  row.derivative<f32, Logistic>(panels, dots, b, y, v, offset, r, lanes);
}

export function derivativeF64Squared(panels: usize, dots: usize, b: f64, y: usize, v: usize, offset: usize, r: usize, lanes: usize): void {
  row.derivative<f64, Squared>(panels, dots, b, y, v, offset, r, lanes);
}

export function derivativeF64Logistic(panels: usize, dots: usize, b: f64, y: usize, v: usize, offset: usize, r: usize, lanes: usize): void {
  row.derivative<f64, Logistic>(panels, dots, b, y, v, offset, r, lanes);
}

export function gradientF32Squared(
  x: usize, stride: usize, panels: usize, columns: usize, blockColumns: usize, firstPanel: usize, w: usize, b: f64, y: usize, v: usize, offset: usize, scratch: usize, lanes: usize, accumulators: usize, sums: usize,
): void {
  fused.gradient<f32, Squared>(x, stride, panels, columns, blockColumns, firstPanel, w, b, y, v, offset, scratch, lanes, accumulators, sums);
}

export function gradientF32Logistic(
  x: usize, stride: usize, panels: usize, columns: usize, blockColumns: usize, firstPanel: usize, w: usize, b: f64, y: usize, v: usize, offset: usize, scratch: usize, lanes: usize, accumulators: usize, sums: usize,
): void {
  fused.gradient<f32, Logistic>(x, stride, panels, columns, blockColumns, firstPanel, w, b, y, v, offset, scratch, lanes, accumulators, sums);
}

export function gradientF64Squared(
  x: usize, stride: usize, panels: usize, columns: usize, blockColumns: usize, firstPanel: usize, w: usize, b: f64, y: usize, v: usize, offset: usize, scratch: usize, lanes: usize, accumulators: usize, sums: usize,
): void {
  fused.gradient<f64, Squared>(x, stride, panels, columns, blockColumns, firstPanel, w, b, y, v, offset, scratch, lanes, accumulators, sums);
}

export function gradientF64Logistic(
  x: usize, stride: usize, panels: usize, columns: usize, blockColumns: usize, firstPanel: usize, w: usize, b: f64, y: usize, v: usize, offset: usize, scratch: usize, lanes: usize, accumulators: usize, sums: usize,
): void {
  fused.gradient<f64, Logistic>(x, stride, panels, columns, blockColumns, firstPanel, w, b, y, v, offset, scratch, lanes, accumulators, sums);
}

export function curvatureF32Squared(
  panels: usize, zDots: usize, b: f64, qDots: usize, pB: f64, v: usize, offset: usize, r: usize, lanes: usize,
): void {
  row.curvature<f32, Squared>(panels, zDots, b, qDots, pB, v, offset, r, lanes);
}

export function curvatureF32Logistic(
  panels: usize, zDots: usize, b: f64, qDots: usize, pB: f64, v: usize, offset: usize, r: usize, lanes: usize,
): void {
  row.curvature<f32, Logistic>(panels, zDots, b, qDots, pB, v, offset, r, lanes);
}

export function curvatureF64Squared(
  panels: usize, zDots: usize, b: f64, qDots: usize, pB: f64, v: usize, offset: usize, r: usize, lanes: usize,
): void {
  row.curvature<f64, Squared>(panels, zDots, b, qDots, pB, v, offset, r, lanes);
}

export function curvatureF64Logistic(
  panels: usize, zDots: usize, b: f64, qDots: usize, pB: f64, v: usize, offset: usize, r: usize, lanes: usize,
): void {
  row.curvature<f64, Logistic>(panels, zDots, b, qDots, pB, v, offset, r, lanes);
}

export function curvatureProductF32Squared(
  x: usize, stride: usize, panels: usize, columns: usize, blockColumns: usize, firstPanel: usize, w: usize, b: f64, p: usize, pB: f64, v: usize, offset: usize, scratch: usize, lanes: usize, accumulators: usize, sums: usize,
): void {
  fused.curvatureProduct<f32, Squared>(x, stride, panels, columns, blockColumns, firstPanel, w, b, p, pB, v, offset, scratch, lanes, accumulators, sums);
}

export function curvatureProductF32Logistic(
  x: usize, stride: usize, panels: usize, columns: usize, blockColumns: usize, firstPanel: usize, w: usize, b: f64, p: usize, pB: f64, v: usize, offset: usize, scratch: usize, lanes: usize, accumulators: usize, sums: usize,
): void {
  fused.curvatureProduct<f32, Logistic>(x, stride, panels, columns, blockColumns, firstPanel, w, b, p, pB, v, offset, scratch, lanes, accumulators, sums);
}

export function curvatureProductF64Squared(
  x: usize, stride: usize, panels: usize, columns: usize, blockColumns: usize, firstPanel: usize, w: usize, b: f64, p: usize, pB: f64, v: usize, offset: usize, scratch: usize, lanes: usize, accumulators: usize, sums: usize,
): void {
  fused.curvatureProduct<f64, Squared>(x, stride, panels, columns, blockColumns, firstPanel, w, b, p, pB, v, offset, scratch, lanes, accumulators, sums);
}

export function curvatureProductF64Logistic(
  x: usize, stride: usize, panels: usize, columns: usize, blockColumns: usize, firstPanel: usize, w: usize, b: f64, p: usize, pB: f64, v: usize, offset: usize, scratch: usize, lanes: usize, accumulators: usize, sums: usize,
): void {
  fused.curvatureProduct<f64, Logistic>(x, stride, panels, columns, blockColumns, firstPanel, w, b, p, pB, v, offset, scratch, lanes, accumulators, sums);
}

export function lossAlongF32Squared(
  panels: usize, zDots: usize, b: f64, qDots: usize, pB: f64, y: usize, v: usize, offset: usize, steps: usize, count: usize, lanes: usize,
): void {
  row.lossAlong<f32, Squared>(panels, zDots, b, qDots, pB, y, v, offset, steps, count, lanes);
}

export function lossAlongF32Logistic(
  panels: usize, zDots: usize, b: f64, qDots: usize, pB: f64, y: usize, v: usize, offset: usize, steps: usize, count: usize, lanes: usize,
): void {
  row.lossAlong<f32, Logistic>(panels, zDots, b, qDots, pB, y, v, offset, steps, count, lanes);
}

export function lossAlongF64Squared(
  panels: usize, zDots: usize, b: f64, qDots: usize, pB: f64, y: usize, v: usize, offset: usize, steps: usize, count: usize, lanes: usize,
): void {
  row.lossAlong<f64, Squared>(panels, zDots, b, qDots, pB, y, v, offset, steps, count, lanes);
}

export function lossAlongF64Logistic(
  panels: usize, zDots: usize, b: f64, qDots: usize, pB: f64, y: usize, v: usize, offset: usize, steps: usize, count: usize, lanes: usize,
): void {
  row.lossAlong<f64, Logistic>(panels, zDots, b, qDots, pB, y, v, offset, steps, count, lanes);
}

export function curvatureRowsF32Squared(panels: usize, zDots: usize, b: f64, v: usize, offset: usize, c: usize, lanes: usize): void {
  row.curvatureRows<f32, Squared>(panels, zDots, b, v, offset, c, lanes);
}

export function curvatureRowsF32Logistic(panels: usize, zDots: usize, b: f64, v: usize, offset: usize, c: usize, lanes: usize): void {
  row.curvatureRows<f32, Logistic>(panels, zDots, b, v, offset, c, lanes);
}

export function curvatureRowsF64Squared(panels: usize, zDots: usize, b: f64, v: usize, offset: usize, c: usize, lanes: usize): void {
  row.curvatureRows<f64, Squared>(panels, zDots, b, v, offset, c, lanes);
}

export function curvatureRowsF64Logistic(panels: usize, zDots: usize, b: f64, v: usize, offset: usize, c: usize, lanes: usize): void {
  row.curvatureRows<f64, Logistic>(panels, zDots, b, v, offset, c, lanes);
}
