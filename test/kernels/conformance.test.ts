import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { KernelLoss } from '../../src/kernels/kernels.ts';
import { referenceKernels } from '../../src/kernels/reference.ts';
import { wasmKernels } from '../../src/kernels/wasm.ts';
import { Bench, dtypes, losses, type Shape, shapes } from './arena.ts';

/** Each kernel, called once on a bench. */
const plain: Record<string, (bench: Bench) => void> = {
  dots: ({ kernels, run, w, dots }) => kernels.dots(run, w, dots),
  addDots: ({ kernels, count, dots, qDots }) => kernels.addDots(dots, qDots, count),
  'addDots, not whole vectors': ({ kernels, count, dots, qDots }) => kernels.addDots(dots, qDots, Math.max(0, count - 3)),
  update: ({ kernels, run, r, accumulators, sums }) => kernels.update(run, r, accumulators, sums),
  flush: ({ kernels, run, accumulators, sums }) => kernels.flush(run.columns, accumulators, sums),
  totals: ({ kernels, run, rows, r, lanes }) => kernels.totals(run.panels, rows, r, lanes),
};

const byLoss: Record<string, (loss: KernelLoss, bench: Bench) => void> = {
  derivative: (loss, { kernels, run, dots, b, rows, r, lanes }) => kernels.derivative(loss, run.panels, dots, b, rows, r, lanes),
  gradient: (loss, { kernels, run, w, b, rows, scratch, lanes, accumulators, sums }) =>
    kernels.gradient(loss, run, w, b, rows, scratch, lanes, accumulators, sums),
  curvature: (loss, { kernels, run, dots, b, qDots, pB, rows, r, lanes }) =>
    kernels.curvature(loss, run.panels, dots, b, qDots, pB, rows, r, lanes),
  curvatureProduct: (loss, { kernels, run, w, b, p, pB, rows, scratch, lanes, accumulators, sums }) =>
    kernels.curvatureProduct(loss, run, w, b, p, pB, rows, scratch, lanes, accumulators, sums),
  lossAlong: (loss, { kernels, run, dots, b, qDots, pB, rows, steps, lanes }) =>
    kernels.lossAlong(loss, run.panels, dots, b, qDots, pB, rows, steps, Bench.STEPS, lanes),
  curvatureRows: (loss, { kernels, run, dots, b, rows, c, lanes }) => kernels.curvatureRows(loss, run.panels, dots, b, rows, c, lanes),
};

function same(dtype: (typeof dtypes)[number], shape: Shape, call: (bench: Bench) => void): void {
  const fast = new Bench(wasmKernels, dtype, shape);
  const slow = new Bench(referenceKernels, dtype, shape);
  call(fast);
  call(slow);
  expect(fast.state()).toEqual(slow.state());
}

describe.each(dtypes)('SIMD ≡ reference, %s', (dtype) => {
  test.each(Object.entries(plain))('%s', (_name, call) => {
    fc.assert(
      fc.property(shapes, (shape) => same(dtype, shape, call)),
      { numRuns: 60 },
    );
  });

  describe.each(losses)('%s', (loss) => {
    test.each(Object.entries(byLoss))('%s', (_name, call) => {
      fc.assert(
        fc.property(shapes, (shape) => same(dtype, shape, (bench) => call(loss, bench))),
        { numRuns: 60 },
      );
    });
  });

  test('gram', () => {
    const sample = fc.record({
      shape: shapes,
      begin: fc.double({ min: 0, max: 1, noNaN: true }),
      end: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(sample, ({ shape, begin, end }) => {
        const from = Math.floor(begin * shape.columns);
        const to = Math.min(shape.columns, from + Math.floor(end * (shape.columns + 1 - from)));
        same(dtype, { ...shape, panels: shape.panels % 12 }, ({ arena, kernels, run, c, scratch, sums }) => {
          const groups = arena.take(run.panels * 4);
          new Uint32Array(arena.memory.buffer, groups, run.panels).set(
            Array.from({ length: run.panels }, (_, i) => Math.floor((i * i) / 5)),
          );
          kernels.gram(run, c, groups, from, to, scratch, sums);
        });
      }),
      { numRuns: 60 },
    );
  });
});
