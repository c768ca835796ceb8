import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LANES } from '../../src/kernels/kernels.ts';
import { referenceKernels } from '../../src/kernels/reference.ts';
import { wasmKernels } from '../../src/kernels/wasm.ts';
import { CACHE_LINE_BYTES, type Dtype, panelRows } from '../../src/partition/layout.ts';
import { Arena, dtypes, numbers } from './arena.ts';

interface Shape {
  readonly panels: number;
  readonly classes: number;
  readonly offsets: boolean;
  readonly scale: number;
  readonly seed: number;
}

const shapes: fc.Arbitrary<Shape> = fc.record({
  panels: fc.integer({ min: 0, max: 9 }),
  classes: fc.integer({ min: 1, max: 9 }),
  offsets: fc.boolean(),
  scale: fc.constantFrom(1, 1, 0.01, 300),
  seed: fc.integer(),
});

const STEPS = [0, 1, 0.3];

/** Rows of k classes in an arena, with one of everything that a softmax kernel may ask for. */
class Bench {
  readonly arena: Arena;
  readonly count: number;
  readonly kernels;
  readonly rows;
  readonly b: number;
  readonly pB: number;
  readonly dots: number;
  readonly qDots: number;
  readonly out: readonly number[];
  readonly r: number;
  readonly scratch: number;
  readonly steps: number;
  readonly lanes: number;

  constructor(make: typeof wasmKernels, dtype: Dtype, { panels, classes, offsets, scale, seed }: Shape) {
    const arena = new Arena(dtype, 1024);
    const random = numbers(seed);
    const list = (length: number, value: () => number): number[] => Array.from({ length }, value);
    const weight = (): number => (random() - 0.5) * scale;
    this.arena = arena;
    this.count = panels * panelRows(dtype);
    const v = list(this.count, () => (random() < 0.15 ? 0 : random() < 0.5 ? 1 : random() * 3));
    // What is never to be read: rows without weight.
    const hidden = (i: number, x: number): number => (v[i] === 0 ? ([Number.NaN, Number.POSITIVE_INFINITY, 1e300][i % 3] as number) : x);
    this.rows = {
      y: arena.put64(list(this.count, () => Math.floor(random() * classes)).map((y, i) => hidden(i, y))),
      v: arena.put64(v),
      offset: offsets ? arena.put64(list(this.count, () => random() - 0.5).map((x, i) => hidden(i, x))) : 0,
    };
    const table = (addresses: readonly number[]): number => {
      const at = arena.take(Math.max(1, addresses.length) * 4);
      new Uint32Array(arena.memory.buffer, at, addresses.length).set(addresses);
      return at;
    };
    const arrays = (size: number): number[] =>
      list(classes, () => 0).map(() => arena.putT(list(this.count, () => weight() * size).map((x, i) => hidden(i, x))));
    this.b = arena.put64(list(classes, weight));
    this.pB = arena.put64(list(classes, weight));
    this.dots = table(arrays(10));
    this.qDots = table(arrays(3));
    this.out = list(classes, () => 0).map(() => arena.put64(list(this.count, random)));
    this.r = table(this.out);
    this.scratch = arena.take(classes * 16);
    this.steps = arena.put64(STEPS);
    this.lanes = arena.put64(list((2 * classes + 2 * STEPS.length) * LANES, random));
    this.kernels = make(arena.memory, dtype).softmax;
  }

  state(): number[][] {
    const { classes } = { classes: this.out.length };
    return [
      ...this.out.map((at) => [...this.arena.f64(at, this.count)]),
      [...this.arena.f64(this.lanes, (2 * classes + 2 * STEPS.length) * LANES)],
    ];
  }
}

const calls: Record<string, (bench: Bench, shape: Shape) => void> = {
  derivative: ({ kernels, dots, b, rows, r, scratch, lanes }, { classes, panels }) =>
    kernels.derivative(classes, panels, dots, b, rows, r, scratch, lanes),
  curvature: ({ kernels, dots, b, qDots, pB, rows, r, scratch, lanes }, { classes, panels }) =>
    kernels.curvature(classes, panels, dots, b, qDots, pB, rows, r, scratch, lanes),
  lossAlong: ({ kernels, dots, b, qDots, pB, rows, steps, scratch, lanes }, { classes, panels }) =>
    kernels.lossAlong(classes, panels, dots, b, qDots, pB, rows, steps, STEPS.length, scratch, lanes),
  curvatureRows: ({ kernels, dots, b, rows, r, scratch, lanes }, { classes, panels }) =>
    kernels.curvatureRows(classes, panels, dots, b, rows, r, scratch, lanes),
  totals: ({ kernels, rows, lanes }, { classes, panels }) => kernels.totals(classes, panels, rows, lanes),
};

describe.each(dtypes)('softmax, SIMD ≡ reference, %s', (dtype) => {
  test.each(Object.entries(calls))('%s', (_name, call) => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const fast = new Bench(wasmKernels, dtype, shape);
        const slow = new Bench(referenceKernels, dtype, shape);
        call(fast, shape);
        call(slow, shape);
        expect(fast.state()).toEqual(slow.state());
      }),
      { numRuns: 60 },
    );
  });
});

/** Loss and derivative of one row of three classes, through a kernel. */
function row(z: readonly number[], y: number): { loss: number; derivative: number[] } {
  const arena = new Arena('f64', 1024);
  const kernels = referenceKernels(arena.memory, 'f64').softmax;
  const P = panelRows('f64');
  const panel = (value: number): number => arena.put64([value, ...new Array<number>(P - 1).fill(0)]);
  const table = (addresses: readonly number[]): number => {
    const at = arena.take(CACHE_LINE_BYTES);
    new Uint32Array(arena.memory.buffer, at, addresses.length).set(addresses);
    return at;
  };
  const out = z.map(() => panel(0));
  const lanes = arena.put64(new Array<number>((1 + z.length) * LANES).fill(0));
  const b = arena.put64(z.map(() => 0));
  kernels.derivative(z.length, 1, table(z.map(panel)), b, { y: panel(y), v: panel(1), offset: 0 }, table(out), arena.take(64), lanes);
  return { loss: arena.f64(lanes, 1)[0] as number, derivative: out.map((at) => arena.f64(at, 1)[0] as number) };
}

describe('the softmax loss', () => {
  test('derivative ≡ differences of the loss', () => {
    const z = [0.3, -1.2, 0.9];
    const h = 1e-6;
    for (const y of [0, 1, 2])
      for (const c of [0, 1, 2]) {
        const at = (step: number): number =>
          row(
            z.map((value, k) => (k === c ? value + step : value)),
            y,
          ).loss;
        expect((at(h) - at(-h)) / (2 * h)).toBeCloseTo(row(z, y).derivative[c] as number, 8);
      }
  });

  test('is finite where exp would overflow, and shifts do not change it', () => {
    expect(row([2000, 0, -2000], 0).loss).toBe(0);
    expect(row([2000, 0, -2000], 2).loss).toBe(4000);
    expect(row([512 + 1, 512 + 2, 512 + 4], 1).derivative).toEqual(row([1, 2, 4], 1).derivative);
  });
});
