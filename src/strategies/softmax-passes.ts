import type { RowPointers } from '../kernels/kernels.ts';
import { CACHE_LINE_BYTES, panelRows } from '../partition/layout.ts';
import type { CurvatureSums, GradientSums, Pass, SumsOf, Vector } from '../update/pass.ts';
import { outputOf } from '../update/vectors.ts';
import type { PassKernel, Piece } from './pass-kernels.ts';

/**
 * The passes of softmax, whose vectors have an output for each of k classes. A piece of rows is dotted with the weights of all classes
 * while it lies in cache; then the classes meet, row by row; then each adds its own column sums.
 */

/** Bytes of x and of dots that one round takes: they must stay in cache while every class reads them. */
const PIECE_BYTES = 256 * 1024;
/** Panels of one kernel call where columns are split: a call is to last a few milliseconds at most. */
const MAX_PANELS = 256;

const align = (bytes: number): number => Math.ceil(bytes / CACHE_LINE_BYTES) * CACHE_LINE_BYTES;

/** Addresses inside `Piece.scratch`: tables of the arrays of each class, pairs for the kernels, and the arrays. */
interface Places {
  readonly z: number;
  readonly q: number;
  readonly r: number;
  readonly pairs: number;
  readonly arrays: number;
}

function placesOf(classes: number, scratch: number): Places {
  const table = align(classes * 4);
  const pairs = scratch + 3 * table;
  return { z: scratch, q: scratch + table, r: scratch + 2 * table, pairs, arrays: pairs + align(classes * 16) };
}

/** What `Piece.scratch` must have, and how many panels one round takes. */
function roomOf(classes: number, arrays: number): NonNullable<PassKernel<unknown>['room']> {
  return {
    panels: (stride) => Math.max(1, Math.floor(PIECE_BYTES / (stride + arrays * CACHE_LINE_BYTES))),
    bytes: (panels) => placesOf(classes, 0).arrays + arrays * panels * CACHE_LINE_BYTES,
  };
}

function writeTable(piece: Piece, table: number, addresses: readonly number[], panel = 0): void {
  const shift = panel * CACHE_LINE_BYTES;
  new Uint32Array(piece.kernels.memory.buffer, table, addresses.length).set(addresses.map((at) => at + shift));
}

/** Dots of the piece's rows with `count` weights from `first` on, one array after the other; returns their addresses. */
function dotsOf(piece: Piece, first: number, count: number, to: number): number[] {
  const bytes = piece.run.panels * CACHE_LINE_BYTES;
  return Array.from({ length: count }, (_, k) => {
    const at = to + k * bytes;
    piece.kernels.dots(piece.run, piece.weights[first + k] as number, at);
    return at;
  });
}

/** Calls `run` for some panels at a time, with the row pointers of the first. */
function byPanels(piece: Piece, run: (panel: number, panels: number, rows: RowPointers) => void): void {
  const rowBytes = panelRows(piece.kernels.dtype) * 8;
  const { y, v, offset } = piece.rows;
  for (let panel = 0; panel < piece.run.panels; panel += MAX_PANELS) {
    const shift = panel * rowBytes;
    const rows = { y: y + shift, v: v + shift, offset: offset === 0 ? 0 : offset + shift };
    run(panel, Math.min(MAX_PANELS, piece.run.panels - panel), rows);
  }
}

const f64At = (piece: Piece, index: number): number => piece.steps + index * 8;
const lanesAt = (piece: Piece, scalar: number): number => piece.lanes + scalar * 64;
const outputsOf = (classes: number, vectors: readonly Vector[]): Vector[] =>
  vectors.flatMap((vector) => Array.from({ length: classes }, (_, c) => outputOf(vector, c)));
const interceptsOf = (outputs: readonly Vector[]): number[] => outputs.map(({ intercept }) => intercept);

/** r in the place of the dots, for one of the pass's vectors. */
function derivative(piece: Piece, classes: number, vector: number, dots: readonly number[], r: readonly number[]): void {
  const { z, r: out, pairs } = placesOf(classes, piece.scratch);
  byPanels(piece, (panel, panels, rows) => {
    writeTable(piece, z, dots, panel);
    writeTable(piece, out, r, panel);
    const lanes = lanesAt(piece, vector * (1 + classes));
    piece.kernels.softmax.derivative(classes, panels, z, f64At(piece, vector * classes), rows, out, pairs, lanes);
  });
}

function gradientKernel(classes: number, at: readonly Vector[]): PassKernel<readonly GradientSums[]> {
  const vectors = outputsOf(classes, at);
  const scalars = (1 + classes) * at.length;
  return {
    set: 'training',
    vectors,
    scalars,
    outputs: vectors.length,
    steps: interceptsOf(vectors),
    room: roomOf(classes, classes),
    whole: (piece) => {
      for (const k of at.keys()) {
        const r = dotsOf(piece, k * classes, classes, placesOf(classes, piece.scratch).arrays);
        derivative(piece, classes, k, r, r);
        for (let c = 0; c < classes; c += 1) {
          const output = k * classes + c;
          piece.kernels.update(piece.run, r[c] as number, piece.accumulators[output] as number, piece.sums[output] as number);
        }
      }
    },
    rows: (piece, dots, r) => {
      for (const k of at.keys()) {
        const own = [k * classes, (k + 1) * classes] as const;
        derivative(piece, classes, k, dots.slice(...own), r.slice(...own));
      }
    },
    answer: (values, columns) =>
      at.map((_, k) => {
        const first = k * (1 + classes);
        const from = scalars + k * classes * columns;
        return {
          loss: values[first] as number,
          intercept: values[first + 1] as number,
          others: values.slice(first + 2, first + 1 + classes),
          columns: values.slice(from, from + classes * columns),
        };
      }),
  };
}

function lossKernel(classes: number, at: readonly Vector[], set: 'training' | 'validation'): PassKernel<readonly number[]> {
  const vectors = outputsOf(classes, at);
  return {
    set,
    vectors,
    scalars: (1 + classes) * at.length,
    outputs: 0,
    steps: interceptsOf(vectors),
    room: roomOf(classes, classes),
    whole: (piece) => {
      for (const k of at.keys()) {
        const dots = dotsOf(piece, k * classes, classes, placesOf(classes, piece.scratch).arrays);
        derivative(piece, classes, k, dots, dots);
      }
    },
    rows: (piece, dots) => {
      for (const k of at.keys()) {
        const own = dots.slice(k * classes, (k + 1) * classes);
        derivative(piece, classes, k, own, own);
      }
    },
    answer: (values) => at.map((_, k) => values[k * (1 + classes)] as number),
  };
}

function lossAlongKernel(classes: number, { at, direction, steps }: Extract<Pass, { kind: 'lossAlong' }>): PassKernel<SumsOf<'lossAlong'>> {
  const vectors = outputsOf(classes, [at, direction]);
  const along = (piece: Piece, dots: readonly number[]): void => {
    const { z, q, pairs } = placesOf(classes, piece.scratch);
    byPanels(piece, (panel, panels, rows) => {
      writeTable(piece, z, dots.slice(0, classes), panel);
      writeTable(piece, q, dots.slice(classes), panel);
      const [b, pB, ts] = [f64At(piece, 0), f64At(piece, classes), f64At(piece, 2 * classes)];
      piece.kernels.softmax.lossAlong(classes, panels, z, b, q, pB, rows, ts, steps.length, pairs, piece.lanes);
    });
  };
  return {
    set: 'training',
    vectors,
    scalars: 2 * steps.length,
    outputs: 0,
    steps: [...interceptsOf(vectors), ...steps],
    room: roomOf(classes, 2 * classes),
    whole: (piece) => along(piece, dotsOf(piece, 0, 2 * classes, placesOf(classes, piece.scratch).arrays)),
    rows: along,
    answer: (values) => steps.map((_, s) => ({ loss: values[2 * s] as number, slope: values[2 * s + 1] as number })),
  };
}

function curvatureKernel(classes: number, at: Vector, direction: Vector): PassKernel<CurvatureSums> {
  const vectors = outputsOf(classes, [at, direction]);
  const curvature = (piece: Piece, dots: readonly number[], r: readonly number[]): void => {
    const { z, q, r: out, pairs } = placesOf(classes, piece.scratch);
    byPanels(piece, (panel, panels, rows) => {
      writeTable(piece, z, dots.slice(0, classes), panel);
      writeTable(piece, q, dots.slice(classes), panel);
      writeTable(piece, out, r, panel);
      piece.kernels.softmax.curvature(classes, panels, z, f64At(piece, 0), q, f64At(piece, classes), rows, out, pairs, piece.lanes);
    });
  };
  return {
    set: 'training',
    vectors,
    scalars: classes + 1,
    outputs: classes,
    steps: interceptsOf(vectors),
    room: roomOf(classes, 2 * classes),
    whole: (piece) => {
      const dots = dotsOf(piece, 0, 2 * classes, placesOf(classes, piece.scratch).arrays);
      const r = dots.slice(0, classes);
      curvature(piece, dots, r);
      for (let c = 0; c < classes; c += 1)
        piece.kernels.update(piece.run, r[c] as number, piece.accumulators[c] as number, piece.sums[c] as number);
    },
    rows: curvature,
    answer: (values, columns) => ({
      intercept: values[0] as number,
      others: values.slice(1, classes),
      quadratic: values[classes] as number,
      columns: values.slice(classes + 1, classes + 1 + classes * columns),
    }),
  };
}

/** What a pass does with rows of `classes` classes. */
export function softmaxPassOf(
  pass: Extract<Pass, { kind: 'gradient' | 'loss' | 'lossAlong' | 'curvature' }>,
  classes: number,
): PassKernel<SumsOf<'gradient' | 'loss' | 'lossAlong' | 'curvature'>> {
  switch (pass.kind) {
    case 'gradient':
      return gradientKernel(classes, pass.at);
    case 'loss':
      return lossKernel(classes, pass.at, pass.set);
    case 'lossAlong':
      return lossAlongKernel(classes, pass);
    case 'curvature':
      return curvatureKernel(classes, pass.at, pass.direction);
  }
}
