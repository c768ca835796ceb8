import type { Dtype } from '../partition/layout.ts';
import type { SoftmaxKernels } from './softmax.ts';

/**
 * The contract of the dense kernels (docs/numerics.md §3, §4): loops over panels of one chunk, and nothing else. Two
 * implementations, equal to the bit: `wasm.ts` (AssemblyScript, SIMD) and `reference.ts` (plain TypeScript, the oracle).
 *
 * All arguments named after data are byte addresses in `memory`. x holds panels of P = 64 / sizeof(T) rows; a panel
 * holds its columns one after the other, P values each; `panelStride` is the distance of two panels in bytes (more than
 * columns × 64 where a range of columns is meant; x then points at the first column of the range). Per-row arrays y, v,
 * offset, and row scratch, hold panels × P values, padding included. x, w (T) and row arrays are aligned to 16 bytes.
 *
 * Row scalars are accumulated into *lanes*: 8 f64, row i of the chunk in lane i mod 8; `lanes` of a kernel with n row
 * scalars points at n × 8 f64. The caller clears lanes, accumulators and sums, and folds them (`foldLanes`, `flush`).
 */

/** A loss that the kernels know. A custom model runs on `dots` and `update` with its own derivative between them. */
export type KernelLoss = 'squared' | 'logistic';

/** A loss of one output, or of one per class, which has kernels of its own (`softmax.ts`). */
export type Loss = KernelLoss | 'softmax';

/** Bytes of accumulator per column: four f32 or two f64 lanes. */
export const ACCUMULATOR_BYTES = 16;
/** f64 lanes of a row scalar. */
export const LANES = 8;

/**
 * Words of an entry of `gradientList`: a panel's x, its first row's y, v and offset (0: none), its number in its chunk, the rows
 * [begin, end) of it that count, and a number that is the same for the entries of one chunk.
 */
export const LIST = { x: 0, y: 1, v: 2, offset: 3, panel: 4, begin: 5, end: 6, chunk: 7 } as const;
export const LIST_WORDS = 8;
/** Bytes of scratch that kernels of lists need: lines of 64. */
export const LIST_SCRATCH_BYTES = 832;
/**
 * Words, in f64, of a batch of `descendList`: how many entries it has (a u32 in the lower half), what its sums are divided by, the
 * step's rate, and its share of the mean (0: the mean stays as it is).
 */
export const STEP = { entries: 0, divisor: 1, rate: 2, share: 3 } as const;
export const STEP_WORDS = 4;

/** The rows of a run of panels: what, besides x, a loss needs. */
export interface RowPointers {
  readonly y: number;
  /** Sample weights; 0 in padding and for rows outside a batch. */
  readonly v: number;
  /** 0 where there are no offsets. */
  readonly offset: number;
}

/** A run of consecutive panels of one chunk. */
export interface PanelRun {
  readonly x: number;
  readonly panelStride: number;
  readonly panels: number;
  readonly columns: number;
  /** Width of the column blocks that dots are summed by. */
  readonly blockColumns: number;
  /** Number in its chunk of the first panel: decides where groups end. */
  readonly firstPanel: number;
}

export interface Kernels {
  readonly dtype: Dtype;
  readonly memory: WebAssembly.Memory;
  readonly softmax: SoftmaxKernels;

  /**
   * out[row] (T) = Σ_j w_j·x_ij: sequential inside a block of columns, the blocks' sums added in the tree over the blocks
   * of this run. `w` (T) is the first weight of the range. A run over the blocks of one tree node gives that node.
   */
  dots(run: PanelRun, w: number, out: number): void;

  /** left[i] ← left[i] + right[i] in T: two sibling nodes of partial dots. */
  addDots(left: number, right: number, count: number): void;

  /**
   * From dots (T) to r (T): r = T(v·d), +0 where v = 0. Adds v·loss and v·d to 2 row scalars.
   * z = f64(dot) + offset + b (without offsets f64(dot) + b).
   */
  derivative(loss: KernelLoss, panels: number, dots: number, b: number, rows: RowPointers, r: number, lanes: number): void;

  /** Column sums: accumulators (16 bytes per column) and sums (f64 per column) over the panels of the run; flushes where a group of 16 panels ends (f32). */
  update(run: PanelRun, r: number, accumulators: number, sums: number): void;

  /** sum ← sum + fold(accumulator), accumulator ← +0. At the end of a chunk, and where panels of a group were skipped. */
  flush(columns: number, accumulators: number, sums: number): void;

  /** dots, derivative and update of a run in one reading of x: the same bits. `scratch`: panels × P × sizeof(T) bytes, twice. */
  gradient(
    loss: KernelLoss,
    run: PanelRun,
    w: number,
    b: number,
    rows: RowPointers,
    scratch: number,
    lanes: number,
    accumulators: number,
    sums: number,
  ): void;

  /**
   * The gradient of a mini-batch in one call: `count` entries of LIST_WORDS u32 at `list` (`LIST`), of any chunks of this memory, those
   * of a chunk together and its panels ascending. Rows outside an entry's [begin, end) are masked. `out` gets 2 + columns f64 for each
   * chunk, one after the other: Σv·loss and Σv·d, folded, then the column sums, flushed. `accumulators` (16 bytes per column) must be
   * +0 and are +0 after. `scratch`: LIST_SCRATCH_BYTES.
   */
  gradientList(
    loss: KernelLoss,
    list: number,
    count: number,
    columns: number,
    blockColumns: number,
    w: number,
    b: number,
    scratch: number,
    accumulators: number,
    out: number,
  ): void;

  /**
   * Plain steps, one for each of `count` ≥ 1 batches: the gradient of so many entries of the list, after those of the batch
   * before; their chunks' sums added in the tree (docs/numerics.md §5); g = Σ / divisor + l2·w_j (Σ / divisor of the intercept);
   * w_j ← w_j − rate·g_j, mean_j ← mean_j + (w_j − mean_j)·share. `steps`: STEP_WORDS f64 for each batch (`STEP`). `at`, `mean`:
   * columns weights and the intercept, f64. `w`: room for the weights in T. `out`: room for the sums of the chunks of any batch.
   */
  descendList(
    loss: KernelLoss,
    listed: { readonly list: number; readonly steps: number; readonly count: number },
    columns: number,
    blockColumns: number,
    w: number,
    at: number,
    mean: number,
    l2: number,
    intercept: boolean,
    scratch: number,
    accumulators: number,
    out: number,
  ): void;

  /** left[i] ← left[i] + right[i], f64: two sibling nodes of the tree over chunks. */
  addSums(left: number, right: number, count: number): void;

  /**
   * Curvature × vector, from dots of the weights and of the direction (T): q = f64(qDot) + pB, e = (v·c)·q, r = T(e).
   * Adds e and e·q to 2 row scalars. For `squared`, zDots is not read.
   */
  curvature(
    loss: KernelLoss,
    panels: number,
    zDots: number,
    b: number,
    qDots: number,
    pB: number,
    rows: RowPointers,
    r: number,
    lanes: number,
  ): void;

  /** Both dots, curvature and update in one reading of x: the same bits. For `squared`, w is not read. `scratch`: panels × P × sizeof(T) bytes, three times. */
  curvatureProduct(
    loss: KernelLoss,
    run: PanelRun,
    w: number,
    b: number,
    p: number,
    pB: number,
    rows: RowPointers,
    scratch: number,
    lanes: number,
    accumulators: number,
    sums: number,
  ): void;

  /**
   * Loss along a line: for each of `count` steps t (f64 at `steps`), z(t) = z + t·q, q = f64(qDot) + pB.
   * Adds v·loss and (v·d)·q to 2 row scalars per step (lanes: count × 2 × 8 f64).
   */
  lossAlong(
    loss: KernelLoss,
    panels: number,
    zDots: number,
    b: number,
    qDots: number,
    pB: number,
    rows: RowPointers,
    steps: number,
    count: number,
    lanes: number,
  ): void;

  /** c[row] (f64) = v·curvature of the loss, +0 where v = 0. Adds it to 1 row scalar. */
  curvatureRows(loss: KernelLoss, panels: number, zDots: number, b: number, rows: RowPointers, c: number, lanes: number): void;

  /** r (T) = T(v), and v, v·y, v·offset added to 3 row scalars: with `update`, the totals of a set. */
  totals(panels: number, rows: RowPointers, r: number, lanes: number): void;

  /**
   * Gram matrix of gathered panels: for rows a in [aBegin, aEnd) of the lower triangle and b ≤ a, adds the column sum of
   * column b with r_i = T(c_i · f64(x_ia)) to the f64 at sums + 8·(a(a+1)/2 + b − aBegin(aBegin+1)/2). `groups`: one u32
   * per panel, its group in its chunk (read for f32 only); all panels are of one chunk, ascending, in consecutive panels of x.
   * c: f64 per row. `scratch`: (panels × P × sizeof(T) + 64) × 8 bytes.
   */
  gram(run: PanelRun, c: number, groups: number, aBegin: number, aEnd: number, scratch: number, sums: number): void;
}

/** Fold of one row scalar's eight lanes: ((l0+l4)+(l2+l6)) + ((l1+l5)+(l3+l7)). */
export function foldLanes(lanes: Float64Array, at = 0): number {
  const l = (i: number): number => lanes[at + i] as number;
  return l(0) + l(4) + (l(2) + l(6)) + (l(1) + l(5) + (l(3) + l(7)));
}
