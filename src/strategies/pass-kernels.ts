import { foldLanes, type KernelLoss, type Kernels, LANES, type PanelRun, type RowPointers } from '../kernels/kernels.ts';
import { CACHE_LINE_BYTES } from '../partition/layout.ts';
import type { CurvatureSums, GradientSums, Pass, SumsOf, Vector } from '../update/pass.ts';

/**
 * What a pass does with a run of panels, apart from where the panels lie and who owns them. Each kind of pass is one
 * `PassKernel`; `chunk-passes.ts` feeds it.
 */

/** A run of panels of one chunk, with addresses of everything that the kernels need, all in one memory. */
export interface Piece {
  readonly kernels: Kernels;
  readonly run: PanelRun;
  readonly rows: RowPointers;
  /** One per vector of the pass, in T: its first own weight. */
  readonly weights: readonly number[];
  /** Three arrays of panels × P values of T. */
  readonly scratch: number;
  /** f64 that go with the pass: steps of a line search, intercepts. */
  readonly steps: number;
  /** scalars × 8 f64. */
  readonly lanes: number;
  /** One per output. */
  readonly accumulators: readonly number[];
  readonly sums: readonly number[];
}

export interface PassKernel<Answer> {
  readonly set: 'training' | 'validation';
  /** Vectors whose dots with the rows are needed. */
  readonly vectors: readonly Vector[];
  /** Row scalars, in the answer before the columns. */
  readonly scalars: number;
  /** Vectors of column sums. */
  readonly outputs: number;
  /** Steps of a line search, or the intercepts of several classes, put at `Piece.steps`. */
  readonly steps?: readonly number[];
  /** Panels that `whole` takes at most, by the bytes of a panel's x, and bytes of scratch for so many; default: three arrays of rows. */
  readonly room?: { panels(stride: number): number; bytes(panels: number): number };
  /** All columns are here: everything in one reading. */
  whole(piece: Piece): void;
  /** A column split: dots were exchanged; from them to r, one array per output. */
  rows(piece: Piece, dots: readonly number[], r: readonly number[]): void;
  /** From the root of the reduction: scalars, then outputs × columns. */
  answer(values: Float64Array, columns: number): Answer;
}

const lanesOf = (piece: Piece, scalar: number): number => piece.lanes + scalar * LANES * 8;
const column = (values: Float64Array, scalars: number, columns: number, output: number): Float64Array =>
  values.slice(scalars + output * columns, scalars + (output + 1) * columns);

function gradientKernel(loss: KernelLoss, at: readonly Vector[]): PassKernel<readonly GradientSums[]> {
  return {
    set: 'training',
    vectors: at,
    scalars: 2 * at.length,
    outputs: at.length,
    whole: (piece) => {
      for (const [k, { intercept }] of at.entries())
        piece.kernels.gradient(
          loss,
          piece.run,
          piece.weights[k] as number,
          intercept,
          piece.rows,
          piece.scratch,
          lanesOf(piece, 2 * k),
          piece.accumulators[k] as number,
          piece.sums[k] as number,
        );
    },
    rows: (piece, dots, r) => {
      for (const [k, { intercept }] of at.entries())
        piece.kernels.derivative(loss, piece.run.panels, dots[k] as number, intercept, piece.rows, r[k] as number, lanesOf(piece, 2 * k));
    },
    answer: (values, columns) =>
      at.map((_, k) => ({
        loss: values[2 * k] as number,
        intercept: values[2 * k + 1] as number,
        columns: column(values, 2 * at.length, columns, k),
      })),
  };
}

function lossKernel(loss: KernelLoss, at: readonly Vector[], set: 'training' | 'validation'): PassKernel<readonly number[]> {
  const derivative = (piece: Piece, k: number, dots: number, r: number): void =>
    piece.kernels.derivative(loss, piece.run.panels, dots, (at[k] as Vector).intercept, piece.rows, r, lanesOf(piece, 2 * k));
  // Dots with weights of 0 are 0 whatever x is: the intercept-only model is judged without reading it.
  const isNull = at.map(({ weights }) => weights.every((weight) => weight === 0));
  return {
    set,
    vectors: at,
    scalars: 2 * at.length,
    outputs: 0,
    whole: (piece) => {
      for (const k of at.keys()) {
        if (isNull[k] === true) new Uint8Array(piece.kernels.memory.buffer, piece.scratch, piece.run.panels * CACHE_LINE_BYTES).fill(0);
        else piece.kernels.dots(piece.run, piece.weights[k] as number, piece.scratch);
        derivative(piece, k, piece.scratch, piece.scratch + piece.run.panels * CACHE_LINE_BYTES);
      }
    },
    rows: (piece, dots) => {
      for (const k of at.keys()) derivative(piece, k, dots[k] as number, piece.scratch);
    },
    answer: (values) => at.map((_, k) => values[2 * k] as number),
  };
}

function lossAlongKernel(loss: KernelLoss, at: Vector, direction: Vector, steps: readonly number[]): PassKernel<SumsOf<'lossAlong'>> {
  const along = (piece: Piece, zDots: number, qDots: number): void =>
    piece.kernels.lossAlong(
      loss,
      piece.run.panels,
      zDots,
      at.intercept,
      qDots,
      direction.intercept,
      piece.rows,
      piece.steps,
      steps.length,
      piece.lanes,
    );
  return {
    set: 'training',
    vectors: [at, direction],
    scalars: 2 * steps.length,
    outputs: 0,
    steps,
    whole: (piece) => {
      const qDots = piece.scratch + piece.run.panels * CACHE_LINE_BYTES;
      piece.kernels.dots(piece.run, piece.weights[0] as number, piece.scratch);
      piece.kernels.dots(piece.run, piece.weights[1] as number, qDots);
      along(piece, piece.scratch, qDots);
    },
    rows: (piece, dots) => along(piece, dots[0] as number, dots[1] as number),
    answer: (values) => steps.map((_, s) => ({ loss: values[2 * s] as number, slope: values[2 * s + 1] as number })),
  };
}

function curvatureKernel(loss: KernelLoss, at: Vector, direction: Vector): PassKernel<CurvatureSums> {
  // The squared loss has the same curvature everywhere: dots of the weights are not needed.
  const vectors = loss === 'squared' ? [direction] : [at, direction];
  const last = vectors.length - 1;
  return {
    set: 'training',
    vectors,
    scalars: 2,
    outputs: 1,
    whole: (piece) =>
      piece.kernels.curvatureProduct(
        loss,
        piece.run,
        piece.weights[0] as number,
        at.intercept,
        piece.weights[last] as number,
        direction.intercept,
        piece.rows,
        piece.scratch,
        piece.lanes,
        piece.accumulators[0] as number,
        piece.sums[0] as number,
      ),
    rows: (piece, dots, r) =>
      piece.kernels.curvature(
        loss,
        piece.run.panels,
        dots[0] as number,
        at.intercept,
        dots[last] as number,
        direction.intercept,
        piece.rows,
        r[0] as number,
        piece.lanes,
      ),
    answer: (values, columns) => ({
      intercept: values[0] as number,
      quadratic: values[1] as number,
      columns: column(values, 2, columns, 0),
    }),
  };
}

export function passKernelOf(
  pass: Extract<Pass, { kind: 'gradient' | 'loss' | 'lossAlong' | 'curvature' }>,
  loss: KernelLoss,
): PassKernel<SumsOf<'gradient' | 'loss' | 'lossAlong' | 'curvature'>> {
  switch (pass.kind) {
    case 'gradient':
      return gradientKernel(loss, pass.at);
    case 'loss':
      return lossKernel(loss, pass.at, pass.set);
    case 'lossAlong':
      return lossAlongKernel(loss, pass.at, pass.direction, pass.steps);
    case 'curvature':
      return curvatureKernel(loss, pass.at, pass.direction);
  }
}

/** Row scalars of a chunk from their lanes. */
export function foldScalars(lanes: Float64Array, scalars: number, into: Float64Array): void {
  for (let s = 0; s < scalars; s += 1) into[s] = foldLanes(lanes, s * LANES);
}
