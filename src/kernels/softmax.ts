import type { RowPointers } from './kernels.ts';

/**
 * The kernels of the softmax loss over k classes (docs/numerics.md §4): from k arrays of dots to k arrays of residuals.
 * `dots` and `update` of `kernels.ts` do the rest, a class at a time.
 *
 * `dots`, `qDots`, `r` and `c` are addresses of tables of k addresses (u32), one per class: arrays of panels × P values of T
 * (of f64 for `c`). `b` and `pB` are addresses of k f64. Rows hold their class, 0 … k − 1, in y. `scratch`: 16 bytes per
 * class. Where v = 0 all is +0 by selection.
 */
export interface SoftmaxKernels {
  /** r_c = T(v·d_c). Adds v·loss, then v·d_c of every class, to 1 + k row scalars. */
  derivative(classes: number, panels: number, dots: number, b: number, rows: RowPointers, r: number, scratch: number, lanes: number): void;

  /** e_c = (v·s_c)·(q_c − Σ s_j·q_j), r_c = T(e_c). Adds e_c of every class, then Σ e_c·q_c, to k + 1 row scalars. */
  curvature(
    classes: number,
    panels: number,
    dots: number,
    b: number,
    qDots: number,
    pB: number,
    rows: RowPointers,
    r: number,
    scratch: number,
    lanes: number,
  ): void;

  /** For each of `count` steps t, z_c(t) = z_c + t·q_c: adds v·loss and Σ (v·d_c)·q_c to 2 row scalars per step. */
  lossAlong(
    classes: number,
    panels: number,
    dots: number,
    b: number,
    qDots: number,
    pB: number,
    rows: RowPointers,
    steps: number,
    count: number,
    scratch: number,
    lanes: number,
  ): void;

  /** c_c[row] (f64) = v·(s_c·(1 − s_c)). Adds it to k row scalars. */
  curvatureRows(
    classes: number,
    panels: number,
    dots: number,
    b: number,
    rows: RowPointers,
    c: number,
    scratch: number,
    lanes: number,
  ): void;

  /** Adds v of the rows of each class to k row scalars. */
  totals(classes: number, panels: number, rows: RowPointers, lanes: number): void;
}
