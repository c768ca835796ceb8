import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createLoopbackCollectives } from '../../src/communicate/loopback/collectives.ts';
import { Scratch } from '../../src/data/scratch.ts';
import type { DataStore } from '../../src/data/store.ts';
import { kernelsFor } from '../../src/engines/kernels.ts';
import type { KernelLoss } from '../../src/kernels/kernels.ts';
import { type Batch, BatchOrder, type BatchPanels, emptyBatch } from '../../src/partition/batch.ts';
import { panelRows, panelsOf } from '../../src/partition/layout.ts';
import { type Partition, type PartitionKind, partitionOf } from '../../src/partition/plan.ts';
import { BatchCells } from '../../src/strategies/batch-cells.ts';
import { CellEvaluator } from '../../src/strategies/cell-evaluator.ts';
import type { GradientSums, Vector } from '../../src/update/pass.ts';
import { generator, randomData, storeOf, type TestData } from '../support/problems.ts';

interface Host {
  readonly store: DataStore;
  readonly loss: KernelLoss;
  readonly kernels?: 'wasm' | 'reference';
  readonly seed: number;
}

/** Every rank's answer to a pass over a batch, or over all rows. */
async function sumsOf(
  { store, loss, kernels = 'wasm', seed }: Host,
  partition: Partition,
  at: readonly Vector[],
  batches: readonly (Batch | undefined)[],
): Promise<GradientSums[][][]> {
  const { columns, rows } = partition.grid;
  const worlds = createLoopbackCollectives(partition.workers);
  const groups = Array.from({ length: rows }, () => createLoopbackCollectives(columns));
  const made = kernelsFor(kernels, store.training.layout.dtype);
  const answers = await Promise.all(
    worlds.map(async (world, rank) => {
      const row = groups[Math.floor(rank / columns)][rank % columns];
      const evaluator = new CellEvaluator({ store, partition, rank, loss, kernels: made, world, row, seed });
      const answers: GradientSums[][] = [];
      for (const batch of batches) {
        const pass = { kind: 'gradient', at, ...(batch === undefined ? {} : { batch }) } as const;
        const now = evaluator.evaluateNow(pass, 0);
        expect(now !== undefined).toBe(batch !== undefined && partition.workers === 1);
        const sums = now?.kind === 'gradient' ? now.sums : await evaluator.evaluate(pass);
        // They hold until the next pass.
        answers.push(sums.map((own) => ({ ...own, columns: own.columns.slice() })));
      }
      return answers;
    }),
  );
  await Promise.all([...worlds, ...groups.flat()].map((collective) => collective.close()));
  return answers;
}

const hex = (sums: readonly GradientSums[]): string =>
  sums.map(({ loss, intercept, columns }) => Buffer.from(Float64Array.of(loss, intercept, ...columns).buffer).toString('hex')).join(' ');

/** The same data, with v = 0 in all rows outside of a batch. */
function masked(data: TestData, panels: BatchPanels, P: number): TestData {
  const inside = new Set<number>();
  for (let i = 0; i < panels.count; i += 1)
    for (let row = panels.begins[i]; row < panels.ends[i]; row += 1) inside.add(panels.numbers[i] * P + row);
  return { ...data, v: (row) => (inside.has(row) ? (data.v?.(row) ?? 1) : 0) };
}

const vectors = (seed: number, columns: number, count: number): Vector[] => {
  const random = generator(seed);
  return Array.from({ length: count }, () => ({
    weights: Float64Array.from({ length: columns }, () => random() - 0.5),
    intercept: random() - 0.5,
  }));
};

const cases = fc.record({
  rows: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 41, max: 400 })),
  columns: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 14 })),
  chunkRows: fc.integer({ min: 1, max: 5 }).map((steps) => 16 * steps),
  blockColumns: fc.integer({ min: 1, max: 4 }),
  size: fc.oneof(fc.constantFrom(1, 16, 1000), fc.integer({ min: 1, max: 120 })),
  dtype: fc.constantFrom('f32' as const, 'f64' as const),
  loss: fc.constantFrom('squared' as const, 'logistic' as const),
  kind: fc.constantFrom<PartitionKind[]>('rows', 'columns', 'grid'),
  workers: fc.integer({ min: 1, max: 7 }),
  count: fc.integer({ min: 1, max: 2 }),
  plain: fc.boolean(),
  segments: fc.boolean(),
  seed: fc.nat(1000),
});

test('a batch has the bits of a whole pass in which all other rows weigh 0, for every split; kernels and segments change nothing', async () => {
  await fc.assert(
    fc.asyncProperty(cases, async (c) => {
      const random = randomData(c.seed, c.rows, c.columns, c.loss === 'logistic');
      const data = c.plain ? random : { ...random, v: (row: number) => row % 3, offset: (row: number) => (row % 5) / 4 };
      const shape = { dtype: c.dtype, chunkRows: c.chunkRows, blockColumns: c.blockColumns };
      const store = storeOf(data, { ...shape, ...(c.segments ? { segmentBytes: 8192 } : {}) });
      const { layout } = store.training;
      fc.pre(c.kind !== 'columns' || c.workers <= layout.blocks);
      const order = new BatchOrder(layout, c.seed);
      const at = vectors(c.seed, c.columns, c.count);
      const all = order.batches(c.size);
      const batches = [0, Math.floor(all / 2), all - 1].map((index) => ({ epoch: c.seed % 3, index, size: c.size }));
      const one = partitionOf(layout, 'rows', 1);
      const wanted: string[] = [];
      for (const batch of batches) {
        const host = { store: storeOf(masked(data, order.select(batch, emptyBatch()), panelRows(c.dtype)), shape), loss: c.loss, seed: 0 };
        wanted.push(hex((await sumsOf(host, one, at, [undefined]))[0][0]));
      }
      const host = { store, loss: c.loss, seed: c.seed };
      const partition = partitionOf(layout, c.kind, c.workers);
      for (const answers of await sumsOf(host, partition, at, batches)) expect(answers.map(hex)).toEqual(wanted);
      expect((await sumsOf(host, one, at, batches))[0].map(hex)).toEqual(wanted);
      expect((await sumsOf({ ...host, kernels: 'reference' }, one, at, batches))[0].map(hex)).toEqual(wanted);
    }),
    { numRuns: 60 },
  );
});

test('a batch of all rows is a whole pass', async () => {
  const store = storeOf(randomData(3, 333, 9, true), { dtype: 'f32', chunkRows: 32, blockColumns: 2 });
  const host = { store, loss: 'logistic', seed: 5 } as const;
  const [[whole, batch]] = await sumsOf(host, partitionOf(store.training.layout, 'rows', 1), vectors(1, 9, 2), [
    undefined,
    { epoch: 1, index: 0, size: 333 },
  ]);
  expect(hex(batch)).toBe(hex(whole));
});

test('batches of a range of panels: a worker’s own', () => {
  const data = randomData(3, 16 * 23 + 5, 6, false);
  const shape = { dtype: 'f32', chunkRows: 32, blockColumns: 2 } as const;
  const store = storeOf(data, shape);
  const { layout } = store.training;
  const [share] = partitionOf(layout, 'rows', 1).shares;
  const [row] = createLoopbackCollectives(1);
  const made = kernelsFor('wasm', 'f32');
  const placesOf = ({ segments }: DataStore) => segments.map((memory) => ({ kernels: made(memory), scratch: new Scratch(memory) }));
  const at = vectors(2, 6, 1);
  for (const range of [
    { begin: 0, end: 9 },
    { begin: 10, end: panelsOf(layout) },
  ]) {
    const cells = new BatchCells(store, share, 'squared', placesOf(store), row, 9, range);
    for (let index = 0; index < cells.order.batches(20); index += 1) {
      const batch = { epoch: 1, index, size: 20 };
      const panels = new BatchOrder(layout, 9, range).select(batch, emptyBatch());
      const other = storeOf(masked(data, panels, 16), shape);
      const whole = new BatchCells(other, share, 'squared', placesOf(other), row, 0);
      expect(hex(cells.sums(batch, at))).toBe(hex(whole.sums({ epoch: 0, index: 0, size: layout.rows }, at)));
    }
  }
});
