import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ACCUMULATOR_BYTES, foldLanes, LANES, type PanelRun, type RowPointers } from '../../src/kernels/kernels.ts';
import { wasmKernels } from '../../src/kernels/wasm.ts';
import { bytesPerValue, CACHE_LINE_BYTES, type Dtype, panelRows } from '../../src/partition/layout.ts';
import { coverOf, type NodeId, TreeSum } from '../../src/partition/tree.ts';
import { Bench, dtypes, losses, type Shape, shapes } from './arena.ts';

const bench = (dtype: Dtype, shape: Shape): Bench => new Bench(wasmKernels, dtype, shape);

/** The panels [begin, end) of a run, and the rows that belong to them. */
function slice({ run, rows, arena }: Bench, begin: number, end: number): { run: PanelRun; rows: RowPointers; row: number } {
  const row = begin * panelRows(arena.dtype);
  return {
    run: { ...run, x: run.x + begin * run.panelStride, panels: end - begin, firstPanel: run.firstPanel + begin },
    rows: { y: rows.y + row * 8, v: rows.v + row * 8, offset: rows.offset === 0 ? 0 : rows.offset + row * 8 },
    row,
  };
}

/** Cuts [0, n) at two places. */
const cuts = (n: number, a: number, b: number): [number, number][] => {
  const [low, high] = [Math.floor(a * (n + 1)), Math.floor(b * (n + 1))].map((at) => Math.min(at, n)).sort((p, q) => p - q) as [
    number,
    number,
  ];
  return [
    [0, low],
    [low, high],
    [high, n],
  ];
};
const unit = fc.double({ min: 0, max: 1, noNaN: true });

describe.each(dtypes)('%s', (dtype) => {
  describe.each(losses)('%s', (loss) => {
    test('fused gradient ≡ dots, derivative, update', () => {
      fc.assert(
        fc.property(shapes, (shape) => {
          const fused = bench(dtype, shape);
          const { kernels, run, w, b, rows, scratch, lanes, accumulators, sums } = fused;
          kernels.gradient(loss, run, w, b, rows, scratch, lanes, accumulators, sums);
          const apart = bench(dtype, shape);
          apart.kernels.dots(apart.run, apart.w, apart.scratch);
          const r = apart.scratch + run.panels * CACHE_LINE_BYTES;
          apart.kernels.derivative(loss, apart.run.panels, apart.scratch, apart.b, apart.rows, r, apart.lanes);
          apart.kernels.update(apart.run, r, apart.accumulators, apart.sums);
          expect(fused.state()).toEqual(apart.state());
        }),
        { numRuns: 40 },
      );
    });

    test('addresses above 2 GiB', () => {
      const shape = { panels: 18, columns: 7, blockColumns: 2, firstPanel: 3, gap: 1, offsets: true, scale: 1, seed: 4 };
      const [low, high] = [1024, 2 ** 31 + 64].map((first) => {
        const at = new Bench(wasmKernels, dtype, shape, first);
        at.kernels.gradient(loss, at.run, at.w, at.b, at.rows, at.scratch, at.lanes, at.accumulators, at.sums);
        return at.state();
      });
      expect(high).toEqual(low);
    });

    test('fused curvature × vector ≡ dots, curvature, update', () => {
      fc.assert(
        fc.property(shapes, (shape) => {
          const fused = bench(dtype, shape);
          const { kernels, run, w, b, p, pB, rows, scratch, lanes, accumulators, sums } = fused;
          kernels.curvatureProduct(loss, run, w, b, p, pB, rows, scratch, lanes, accumulators, sums);
          const apart = bench(dtype, shape);
          const line = run.panels * CACHE_LINE_BYTES;
          apart.kernels.dots(apart.run, apart.w, apart.scratch);
          apart.kernels.dots(apart.run, apart.p, apart.scratch + line);
          const r = apart.scratch + 2 * line;
          apart.kernels.curvature(loss, run.panels, apart.scratch, b, apart.scratch + line, pB, apart.rows, r, apart.lanes);
          apart.kernels.update(apart.run, r, apart.accumulators, apart.sums);
          expect(fused.state()).toEqual(apart.state());
        }),
        { numRuns: 40 },
      );
    });

    test('several calls ≡ one', () => {
      fc.assert(
        fc.property(shapes, unit, unit, (shape, at, and) => {
          const whole = bench(dtype, shape);
          whole.kernels.gradient(loss, whole.run, whole.w, whole.b, whole.rows, whole.scratch, whole.lanes, whole.accumulators, whole.sums);
          const parts = bench(dtype, shape);
          for (const [begin, end] of cuts(shape.panels, at, and)) {
            const { run, rows } = slice(parts, begin, end);
            parts.kernels.gradient(loss, run, parts.w, parts.b, rows, parts.scratch, parts.lanes, parts.accumulators, parts.sums);
          }
          expect(parts.state()).toEqual(whole.state());
        }),
        { numRuns: 40 },
      );
    });

    test('the gradient is the slope of the loss, and the curvature product that of the gradient', () => {
      const shape = { panels: 3, columns: 5, blockColumns: 2, firstPanel: 14, gap: 1, offsets: true, scale: 1, seed: 11 };
      const at = bench(dtype, shape);
      const { arena, kernels, run, rows, scratch, lanes, accumulators, sums, w, p, b, pB } = at;
      const weights = Float64Array.from(arena.T(w, 5));
      const direction = Float64Array.from(arena.T(p, 5));
      const along = (t: number): { loss: number; columns: number[]; intercept: number } => {
        clear(at);
        arena.T(w, 5).set(weights.map((x, j) => x + t * (direction[j] as number)));
        kernels.gradient(loss, run, w, b + t * pB, rows, scratch, lanes, accumulators, sums);
        kernels.flush(5, accumulators, sums);
        const scalars = arena.f64(lanes, 16);
        return { loss: foldLanes(scalars), intercept: foldLanes(scalars, LANES), columns: [...arena.f64(sums, 5)] };
      };
      const h = dtype === 'f32' ? 1e-2 : 1e-5;
      const digits = dtype === 'f32' ? 2 : 6;
      const here = along(0);
      const [back, front] = [along(-h), along(h)];
      const inDirection = (columns: readonly number[], intercept: number): number =>
        columns.reduce((sum, g, j) => sum + g * (direction[j] as number), intercept * pB);
      expect((front.loss - back.loss) / (2 * h)).toBeCloseTo(inDirection(here.columns, here.intercept), digits);
      clear(at);
      arena.T(w, 5).set(weights);
      kernels.curvatureProduct(loss, run, w, b, p, pB, rows, scratch, lanes, accumulators, sums);
      kernels.flush(5, accumulators, sums);
      const product = arena.f64(sums, 5);
      for (let j = 0; j < 5; j += 1)
        expect(((front.columns[j] as number) - (back.columns[j] as number)) / (2 * h)).toBeCloseTo(product[j] as number, digits);
      expect(foldLanes(arena.f64(lanes, 16))).toBeCloseTo((front.intercept - back.intercept) / (2 * h), digits);
      expect(foldLanes(arena.f64(lanes, 16), LANES)).toBeCloseTo(inDirection([...product], foldLanes(arena.f64(lanes, 16))), digits);
    });

    test('a line search at t = 0 has the loss of the gradient, and its slope', () => {
      const at = bench(dtype, { panels: 4, columns: 6, blockColumns: 3, firstPanel: 0, gap: 0, offsets: true, scale: 1, seed: 5 });
      const { arena, kernels, run, rows, b, pB, lanes, steps, r } = at;
      kernels.dots(run, at.w, at.dots);
      kernels.dots(run, at.p, at.qDots);
      clear(at);
      kernels.lossAlong(loss, run.panels, at.dots, b, at.qDots, pB, rows, steps, Bench.STEPS, lanes);
      const [loss0, slope0] = [foldLanes(arena.f64(lanes, 16)), foldLanes(arena.f64(lanes, 16), LANES)];
      clear(at);
      kernels.derivative(loss, run.panels, at.dots, b, rows, r, lanes);
      expect(loss0).toBe(foldLanes(arena.f64(lanes, 8)));
      const q = [...arena.T(at.qDots, at.count)].map((dot) => dot + pB);
      const slope = [...arena.T(r, at.count)].reduce((sum, d, i) => sum + (d === 0 ? 0 : d * (q[i] as number)), 0);
      expect(slope0).toBeCloseTo(slope, dtype === 'f32' ? 3 : 9);
    });

    test('rows without weight never count', () => {
      const at = bench(dtype, { panels: 2, columns: 3, blockColumns: 2, firstPanel: 0, gap: 0, offsets: true, scale: 1, seed: 2 });
      const { arena, kernels, run, rows, dots, qDots, r, lanes, steps, count } = at;
      arena.f64(rows.v, count).fill(0);
      arena.f64(rows.y, count).fill(Number.NaN);
      arena.f64(rows.offset, count).fill(Number.POSITIVE_INFINITY);
      clear(at);
      kernels.derivative(loss, run.panels, dots, at.b, rows, r, lanes);
      expect([...arena.T(r, count)]).toEqual(Array(count).fill(0));
      kernels.curvature(loss, run.panels, dots, at.b, qDots, at.pB, rows, r, lanes);
      expect([...arena.T(r, count)]).toEqual(Array(count).fill(0));
      kernels.lossAlong(loss, run.panels, dots, at.b, qDots, at.pB, rows, steps, Bench.STEPS, lanes);
      kernels.curvatureRows(loss, run.panels, dots, at.b, rows, at.c, lanes);
      kernels.totals(run.panels, rows, r, lanes);
      expect([...arena.f64(lanes, 8 * LANES)]).toEqual(Array(8 * LANES).fill(0));
      expect([...arena.f64(at.c, count)]).toEqual(Array(count).fill(0));
    });
  });

  test('dots of column ranges, added in the tree ≡ dots of all columns', () => {
    fc.assert(
      fc.property(shapes, unit, unit, (shape, a, b) => {
        const whole = bench(dtype, shape);
        const { arena, kernels, run, count } = whole;
        kernels.dots(run, whole.w, whole.dots);
        const blocks = Math.max(1, Math.ceil(shape.columns / shape.blockColumns));
        const add = (left: number, right: number): number => {
          kernels.addDots(left, right, count);
          return left;
        };
        const tree = new TreeSum<number>(blocks, add);
        const parts: [NodeId, number][] = cuts(blocks, a, b)
          .flatMap(([begin, end]) => coverOf(begin, end, blocks))
          .map((node) => [node, dotsOfNode(whole, node)]);
        for (const [node, address] of parts.reverse()) tree.push(node, address);
        expect([...arena.T(tree.finish() as number, count)]).toEqual([...arena.T(whole.dots, count)]);
      }),
      { numRuns: 60 },
    );
  });

  test('gram ≡ update with residuals c·x, and its split over rows changes nothing', () => {
    const shape = { panels: 21, columns: 19, blockColumns: 4, firstPanel: 0, gap: 0, offsets: false, scale: 1, seed: 8 };
    const at = bench(dtype, shape);
    const { arena, kernels, run, c, scratch, count, sums } = at;
    const P = panelRows(dtype);
    const groups = arena.take(run.panels * 4);
    new Uint32Array(arena.memory.buffer, groups, run.panels).set(Array.from({ length: run.panels }, (_, i) => i >> 4));
    const length = (19 * 20) / 2;
    arena.f64(sums, length).fill(0);
    kernels.gram(run, c, groups, 0, 19, scratch, sums);
    const lower = [...arena.f64(sums, length)];
    arena.f64(sums, length).fill(0);
    for (const [begin, end] of [
      [0, 7],
      [7, 7],
      [7, 8],
      [8, 19],
    ] as const)
      kernels.gram(run, c, groups, begin, end, scratch, sums + 8 * ((begin * (begin + 1)) / 2));
    expect([...arena.f64(sums, length)]).toEqual(lower);
    for (const a of [0, 7, 18]) {
      const x = arena.T(run.x, count * 19);
      arena
        .T(at.r, count)
        .set(
          Float64Array.from(
            { length: count },
            (_, i) => (arena.f64(c, count)[i] as number) * (x[(Math.floor(i / P) * 19 + a) * P + (i % P)] as number),
          ),
        );
      clear(at);
      kernels.update(run, at.r, at.accumulators, at.sums);
      kernels.flush(19, at.accumulators, at.sums);
      expect([...arena.f64(at.sums, a + 1)]).toEqual(lower.slice((a * (a + 1)) / 2, (a * (a + 1)) / 2 + a + 1));
    }
  });
});

function clear({ arena, lanes, accumulators, sums, run }: Bench): void {
  arena.f64(lanes, 8 * LANES).fill(0);
  arena.f64(accumulators, (run.columns * ACCUMULATOR_BYTES) / 8).fill(0);
  arena.f64(sums, run.columns).fill(0);
}

/** Dots of the columns of one node of the tree over blocks, at an address of their own. */
function dotsOfNode({ arena, kernels, run, w, count }: Bench, node: NodeId): number {
  const begin = Math.min(node.index * 2 ** node.level * run.blockColumns, run.columns);
  const end = Math.min((node.index + 1) * 2 ** node.level * run.blockColumns, run.columns);
  const bytes = bytesPerValue(arena.dtype);
  const weights = arena.putT(arena.T(w, run.columns).slice(begin, end));
  const out = arena.take(count * bytes);
  kernels.dots({ ...run, x: run.x + begin * CACHE_LINE_BYTES, columns: end - begin }, weights, out);
  return out;
}
