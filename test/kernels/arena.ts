import fc from 'fast-check';
import type { KernelLoss, Kernels, PanelRun, RowPointers } from '../../src/kernels/kernels.ts';
import { LANES } from '../../src/kernels/kernels.ts';
import { bytesPerValue, CACHE_LINE_BYTES, type Dtype, panelRows } from '../../src/partition/layout.ts';

/** What a random problem of the kernel tests looks like. */
export interface Shape {
  readonly panels: number;
  readonly columns: number;
  readonly blockColumns: number;
  readonly firstPanel: number;
  /** Columns of other ranges between two panels. */
  readonly gap: number;
  readonly offsets: boolean;
  /** Size of the weights: large ones drive exp to its ends. */
  readonly scale: number;
  readonly seed: number;
}

export const shapes: fc.Arbitrary<Shape> = fc
  .record({
    panels: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 4, max: 40 })),
    columns: fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 6, max: 45 })),
    block: fc.integer({ min: 1, max: 50 }),
    firstPanel: fc.integer({ min: 0, max: 70 }),
    gap: fc.integer({ min: 0, max: 3 }),
    offsets: fc.boolean(),
    scale: fc.constantFrom(1, 1, 0.01, 200),
    seed: fc.integer(),
  })
  .map(({ block, ...rest }) => ({ ...rest, blockColumns: Math.min(block, rest.columns + 2) }));

export const dtypes: readonly Dtype[] = ['f32', 'f64'];
export const losses: readonly KernelLoss[] = ['squared', 'logistic'];

/** Small numbers from a seed: these tests need variety, not quality. */
export function numbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Hands out addresses of one memory, so that two arenas of one shape have the same ones. */
export class Arena {
  readonly memory: WebAssembly.Memory;
  readonly dtype: Dtype;
  #next: number;

  /** Addresses start at `first`. */
  constructor(dtype: Dtype, first: number) {
    this.memory = new WebAssembly.Memory({ initial: 16 + Math.ceil(first / 65_536), maximum: 65_536, shared: true });
    this.dtype = dtype;
    this.#next = first;
  }

  take(bytes: number): number {
    const at = this.#next;
    this.#next += Math.ceil(bytes / CACHE_LINE_BYTES) * CACHE_LINE_BYTES;
    const missing = this.#next - this.memory.buffer.byteLength;
    if (missing > 0) this.memory.grow(Math.ceil(missing / 65_536));
    return at;
  }

  T(at: number, length: number): Float32Array | Float64Array {
    return this.dtype === 'f32' ? new Float32Array(this.memory.buffer, at, length) : new Float64Array(this.memory.buffer, at, length);
  }

  f64(at: number, length: number): Float64Array {
    return new Float64Array(this.memory.buffer, at, length);
  }

  putT(values: ArrayLike<number>): number {
    const at = this.take(values.length * bytesPerValue(this.dtype));
    this.T(at, values.length).set(values);
    return at;
  }

  put64(values: ArrayLike<number>): number {
    const at = this.take(values.length * 8);
    this.f64(at, values.length).set(values);
    return at;
  }
}

/** A chunk in an arena, with one of everything that a kernel may ask for. */
export class Bench {
  readonly arena: Arena;
  readonly kernels: Kernels;
  readonly run: PanelRun;
  readonly rows: RowPointers;
  readonly count: number;
  readonly w: number;
  readonly p: number;
  readonly b: number;
  readonly pB: number;
  readonly dots: number;
  readonly qDots: number;
  readonly r: number;
  readonly c: number;
  readonly scratch: number;
  readonly lanes: number;
  readonly steps: number;
  readonly accumulators: number;
  readonly sums: number;
  static readonly STEPS = 3;

  constructor(make: (memory: WebAssembly.Memory, dtype: Dtype) => Kernels, dtype: Dtype, shape: Shape, first = 1024) {
    const arena = new Arena(dtype, first);
    const random = numbers(shape.seed);
    const P = panelRows(dtype);
    const list = (length: number, value: () => number): number[] => Array.from({ length }, value);
    const value = (): number => (random() < 0.1 ? (random() < 0.5 ? 0 : -0) : random() < 0.02 ? 1e-42 : (random() - 0.5) * 6);
    const weight = (): number => (random() - 0.5) * shape.scale;
    const stride = shape.columns + shape.gap;
    this.count = shape.panels * P;
    const v = list(this.count, () => (random() < 0.15 ? 0 : random() < 0.5 ? 1 : random() * 3));
    // What is never to be read: rows without weight.
    const hidden = (i: number, x: number): number => (v[i] === 0 ? ([Number.NaN, Number.POSITIVE_INFINITY, 1e300][i % 3] as number) : x);
    this.arena = arena;
    this.run = {
      x: arena.putT(list(shape.panels * stride * P, value)),
      panelStride: stride * CACHE_LINE_BYTES,
      panels: shape.panels,
      columns: shape.columns,
      blockColumns: shape.blockColumns,
      firstPanel: shape.firstPanel,
    };
    this.rows = {
      y: arena.put64(list(this.count, random).map((y, i) => hidden(i, y < 0.4 ? 0 : y < 0.8 ? 1 : y))),
      v: arena.put64(v),
      offset: shape.offsets ? arena.put64(list(this.count, value).map((x, i) => hidden(i, x))) : 0,
    };
    this.w = arena.putT(list(shape.columns, weight));
    this.p = arena.putT(list(shape.columns, weight));
    this.b = weight();
    this.pB = weight();
    this.dots = arena.putT(list(this.count, () => weight() * 10).map((x, i) => hidden(i, x)));
    this.qDots = arena.putT(list(this.count, () => weight() * 3).map((x, i) => hidden(i, x)));
    this.r = arena.putT(list(this.count, value));
    this.c = arena.put64(list(this.count, random));
    this.scratch = arena.take((this.count * 8 + CACHE_LINE_BYTES) * 8);
    this.lanes = arena.put64(list(8 * LANES, random));
    this.steps = arena.put64([0, 1, 0.3]);
    this.accumulators = arena.putT(list(shape.columns * (16 / bytesPerValue(dtype)), value));
    this.sums = arena.put64(list(Math.max(1, (shape.columns * (shape.columns + 1)) / 2), value));
    this.kernels = make(arena.memory, dtype);
  }

  /** Everything that a kernel may have written, scratch left out. NaN, whatever its bits, compares equal in tests. */
  state(): Record<string, number[]> {
    const { arena, run, count } = this;
    return {
      dots: [...arena.T(this.dots, count)],
      qDots: [...arena.T(this.qDots, count)],
      r: [...arena.T(this.r, count)],
      c: [...arena.f64(this.c, count)],
      lanes: [...arena.f64(this.lanes, 8 * LANES)],
      accumulators: [...arena.T(this.accumulators, run.columns * (16 / bytesPerValue(arena.dtype)))],
      sums: [...arena.f64(this.sums, Math.max(1, (run.columns * (run.columns + 1)) / 2))],
      x: [...arena.T(run.x, (run.panelStride / bytesPerValue(arena.dtype)) * run.panels)],
      w: [...arena.T(this.w, run.columns)],
    };
  }
}
