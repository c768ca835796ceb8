// Exports of softmax.ts, for each storage type.
import * as softmax from './softmax';

export function softmaxDerivativeF32(
  classes: usize, panels: usize, dots: usize, b: usize, y: usize, v: usize, offset: usize, r: usize, scratch: usize, lanes: usize,
): void {
  softmax.derivative<f32>(classes, panels, dots, b, y, v, offset, r, scratch, lanes);
}

export function softmaxDerivativeF64(
  classes: usize, panels: usize, dots: usize, b: usize, y: usize, v: usize, offset: usize, r: usize, scratch: usize, lanes: usize,
): void {
  softmax.derivative<f64>(classes, panels, dots, b, y, v, offset, r, scratch, lanes);
}

export function softmaxCurvatureF32(
  classes: usize, panels: usize, dots: usize, b: usize, qDots: usize, pB: usize, v: usize, offset: usize, r: usize, scratch: usize, lanes: usize,
): void {
  softmax.curvature<f32>(classes, panels, dots, b, qDots, pB, v, offset, r, scratch, lanes);
}

export function softmaxCurvatureF64(
  classes: usize, panels: usize, dots: usize, b: usize, qDots: usize, pB: usize, v: usize, offset: usize, r: usize, scratch: usize, lanes: usize,
): void {
  softmax.curvature<f64>(classes, panels, dots, b, qDots, pB, v, offset, r, scratch, lanes);
}

export function softmaxLossAlongF32(
  classes: usize, panels: usize, dots: usize, b: usize, qDots: usize, pB: usize, y: usize, v: usize, offset: usize, steps: usize, count: usize, scratch: usize, lanes: usize,
): void {
  softmax.lossAlong<f32>(classes, panels, dots, b, qDots, pB, y, v, offset, steps, count, scratch, lanes);
}

export function softmaxLossAlongF64(
  classes: usize, panels: usize, dots: usize, b: usize, qDots: usize, pB: usize, y: usize, v: usize, offset: usize, steps: usize, count: usize, scratch: usize, lanes: usize,
): void {
  softmax.lossAlong<f64>(classes, panels, dots, b, qDots, pB, y, v, offset, steps, count, scratch, lanes);
}

export function softmaxCurvatureRowsF32(
  classes: usize, panels: usize, dots: usize, b: usize, v: usize, offset: usize, c: usize, scratch: usize, lanes: usize,
): void {
  softmax.curvatureRows<f32>(classes, panels, dots, b, v, offset, c, scratch, lanes);
}

export function softmaxCurvatureRowsF64(
  classes: usize, panels: usize, dots: usize, b: usize, v: usize, offset: usize, c: usize, scratch: usize, lanes: usize,
): void {
  softmax.curvatureRows<f64>(classes, panels, dots, b, v, offset, c, scratch, lanes);
}

export function softmaxTotalsF32(
  classes: usize, panels: usize, y: usize, v: usize, lanes: usize,
): void {
  softmax.totals<f32>(classes, panels, y, v, lanes);
}

export function softmaxTotalsF64(
  classes: usize, panels: usize, y: usize, v: usize, lanes: usize,
): void {
  softmax.totals<f64>(classes, panels, y, v, lanes);
}
