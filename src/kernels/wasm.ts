import type { Dtype } from '../partition/layout.ts';
import { WasmInstance } from './instance.ts';
import type { KernelLoss, Kernels, PanelRun, RowPointers } from './kernels.ts';
import type { SoftmaxKernels } from './softmax.ts';
import { WasmSoftmax } from './softmax-wasm.ts';

/** The kernels in WebAssembly SIMD (`assembly/`): one call each, addresses handed through. */
class WasmKernels implements Kernels {
  readonly dtype: Dtype;
  readonly memory: WebAssembly.Memory;
  readonly softmax: SoftmaxKernels;
  readonly #f;

  constructor(memory: WebAssembly.Memory, dtype: Dtype) {
    this.dtype = dtype;
    this.memory = memory;
    const instance = new WasmInstance(memory);
    this.softmax = new WasmSoftmax(instance, dtype);
    this.#f = {
      dots: instance.plain('dots', dtype),
      addDots: instance.plain('addDots', dtype),
      update: instance.plain('update', dtype),
      flush: instance.plain('flush', dtype),
      totals: instance.plain('totals', dtype),
      gram: instance.plain('gram', dtype),
      derivative: instance.byLoss('derivative', dtype),
      gradient: instance.byLoss('gradient', dtype),
      gradientList: instance.byLoss('gradientList', dtype),
      descendList: instance.byLoss('descendList', dtype),
      addSums: instance.named('addSums'),
      curvature: instance.byLoss('curvature', dtype),
      curvatureProduct: instance.byLoss('curvatureProduct', dtype),
      lossAlong: instance.byLoss('lossAlong', dtype),
      curvatureRows: instance.byLoss('curvatureRows', dtype),
    };
  }

  dots(run: PanelRun, w: number, out: number): void {
    this.#f.dots(run.x, run.panelStride, run.panels, run.columns, run.blockColumns, w, out);
  }

  addDots(left: number, right: number, count: number): void {
    this.#f.addDots(left, right, count);
  }

  derivative(loss: KernelLoss, panels: number, dots: number, b: number, rows: RowPointers, r: number, lanes: number): void {
    this.#f.derivative[loss](panels, dots, b, rows.y, rows.v, rows.offset, r, lanes);
  }

  update(run: PanelRun, r: number, accumulators: number, sums: number): void {
    this.#f.update(run.x, run.panelStride, run.panels, run.columns, run.firstPanel, r, accumulators, sums);
  }

  flush(columns: number, accumulators: number, sums: number): void {
    this.#f.flush(columns, accumulators, sums);
  }

  readonly gradient: Kernels['gradient'] = (loss, run, w, b, rows, scratch, lanes, accumulators, sums) => {
    const { x, panelStride, panels, columns, blockColumns, firstPanel } = run;
    const { y, v, offset } = rows;
    const gradient = this.#f.gradient[loss];
    gradient(x, panelStride, panels, columns, blockColumns, firstPanel, w, b, y, v, offset, scratch, lanes, accumulators, sums);
  };

  readonly gradientList: Kernels['gradientList'] = (loss, list, count, columns, blockColumns, w, b, scratch, accumulators, out) => {
    this.#f.gradientList[loss](list, count, columns, blockColumns, w, b, scratch, accumulators, out);
  };

  readonly descendList: Kernels['descendList'] = (
    loss,
    { list, steps, count },
    columns,
    blockColumns,
    w,
    at,
    mean,
    l2,
    intercept,
    scratch,
    accumulators,
    out,
  ) => {
    const descend = this.#f.descendList[loss];
    descend(list, steps, count, columns, blockColumns, w, at, mean, l2, intercept ? 1 : 0, scratch, accumulators, out);
  };

  addSums(left: number, right: number, count: number): void {
    this.#f.addSums(left, right, count);
  }

  readonly curvature: Kernels['curvature'] = (loss, panels, zDots, b, qDots, pB, rows, r, lanes) => {
    this.#f.curvature[loss](panels, zDots, b, qDots, pB, rows.v, rows.offset, r, lanes);
  };

  readonly curvatureProduct: Kernels['curvatureProduct'] = (loss, run, w, b, p, pB, rows, scratch, lanes, accumulators, sums) => {
    const { x, panelStride, panels, columns, blockColumns, firstPanel } = run;
    const { v, offset } = rows;
    const product = this.#f.curvatureProduct[loss];
    product(x, panelStride, panels, columns, blockColumns, firstPanel, w, b, p, pB, v, offset, scratch, lanes, accumulators, sums);
  };

  readonly lossAlong: Kernels['lossAlong'] = (loss, panels, zDots, b, qDots, pB, rows, steps, count, lanes) => {
    this.#f.lossAlong[loss](panels, zDots, b, qDots, pB, rows.y, rows.v, rows.offset, steps, count, lanes);
  };

  curvatureRows(loss: KernelLoss, panels: number, zDots: number, b: number, rows: RowPointers, c: number, lanes: number): void {
    this.#f.curvatureRows[loss](panels, zDots, b, rows.v, rows.offset, c, lanes);
  }

  totals(panels: number, rows: RowPointers, r: number, lanes: number): void {
    this.#f.totals(panels, rows.y, rows.v, rows.offset, r, lanes);
  }

  gram(run: PanelRun, c: number, groups: number, aBegin: number, aEnd: number, scratch: number, sums: number): void {
    this.#f.gram(run.x, run.panelStride, run.panels, c, groups, aBegin, aEnd, scratch, sums);
  }
}

/**
 * SIMD kernels over a memory, equal to `referenceKernels` to the bit. The module is compiled once per thread; each call
 * makes an instance, and grows the memory by one page for it.
 */
export function wasmKernels(memory: WebAssembly.Memory, dtype: Dtype): Kernels {
  return new WasmKernels(memory, dtype);
}
