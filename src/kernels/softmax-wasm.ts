import type { Dtype } from '../partition/layout.ts';
import type { WasmInstance } from './instance.ts';
import type { RowPointers } from './kernels.ts';
import type { SoftmaxKernels } from './softmax.ts';

/** The softmax kernels in WebAssembly SIMD: one call each, addresses handed through. */
export class WasmSoftmax implements SoftmaxKernels {
  readonly #f;

  constructor(instance: WasmInstance, dtype: Dtype) {
    this.#f = {
      derivative: instance.plain('softmaxDerivative', dtype),
      curvature: instance.plain('softmaxCurvature', dtype),
      lossAlong: instance.plain('softmaxLossAlong', dtype),
      curvatureRows: instance.plain('softmaxCurvatureRows', dtype),
      totals: instance.plain('softmaxTotals', dtype),
    };
  }

  derivative(classes: number, panels: number, dots: number, b: number, rows: RowPointers, r: number, scratch: number, lanes: number): void {
    this.#f.derivative(classes, panels, dots, b, rows.y, rows.v, rows.offset, r, scratch, lanes);
  }

  readonly curvature: SoftmaxKernels['curvature'] = (classes, panels, dots, b, qDots, pB, rows, r, scratch, lanes) => {
    this.#f.curvature(classes, panels, dots, b, qDots, pB, rows.v, rows.offset, r, scratch, lanes);
  };

  readonly lossAlong: SoftmaxKernels['lossAlong'] = (classes, panels, dots, b, qDots, pB, rows, steps, count, scratch, lanes) => {
    this.#f.lossAlong(classes, panels, dots, b, qDots, pB, rows.y, rows.v, rows.offset, steps, count, scratch, lanes);
  };

  readonly curvatureRows: SoftmaxKernels['curvatureRows'] = (classes, panels, dots, b, rows, c, scratch, lanes) => {
    this.#f.curvatureRows(classes, panels, dots, b, rows.v, rows.offset, c, scratch, lanes);
  };

  totals(classes: number, panels: number, rows: RowPointers, lanes: number): void {
    this.#f.totals(classes, panels, rows.y, rows.v, lanes);
  }
}
