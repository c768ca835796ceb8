import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ParagradError } from '../../src/errors.ts';
import {
  columnOfBlock,
  defaultBlockColumns,
  defaultChunkRows,
  layoutOf,
  panelRows,
  panelsOf,
  panelsOfChunk,
  rowsOfChunk,
} from '../../src/partition/layout.ts';
import { bytesOfShare, nodesOfShare, type PartitionKind, partitionOf } from '../../src/partition/plan.ts';
import { sampledPanels } from '../../src/partition/sample.ts';

const dtype = fc.constantFrom('f32', 'f64');
const shape = fc.record({
  dtype,
  rows: fc.integer({ min: 0, max: 50_000 }),
  columns: fc.integer({ min: 0, max: 300 }),
  chunkRows: fc.option(
    fc.integer({ min: 1, max: 20 }).map((n) => n * 16),
    { nil: undefined },
  ),
  blockColumns: fc.option(fc.integer({ min: 1, max: 40 }), { nil: undefined }),
});

test('chunk rows by the formula, at shapes worked out by hand', () => {
  // min(4 MiB / 400 = 10,485, 1,000,000 / 64 = 15,625) → 2^13
  expect(defaultChunkRows(1_000_000, 100, 'f32')).toBe(8192);
  expect(defaultChunkRows(1_000_000, 100, 'f64')).toBe(4096);
  // 2344 / 64 = 36 → clamped to 64
  expect(defaultChunkRows(2344, 300, 'f32')).toBe(64);
  expect(defaultChunkRows(0, 0, 'f32')).toBe(64);
  // No columns: only the clamp holds. 10^8 / 64 → 2^20 → 65,536
  expect(defaultChunkRows(100_000_000, 0, 'f64')).toBe(65_536);
  expect(defaultChunkRows(8192 * 64, 1, 'f32')).toBe(8192);
  expect(defaultChunkRows(8192 * 64 - 1, 1, 'f32')).toBe(4096);
});

test('block columns by the formula, at shapes worked out by hand', () => {
  const widths = [0, 1, 2, 3, 16, 17, 64, 100, 1000, 8192, 10_000].map(defaultBlockColumns);
  expect(widths).toEqual([1, 1, 1, 2, 8, 8, 8, 13, 125, 1024, 1024]);
});

test('overrides out of range are refused by name', () => {
  const refused = (options: { chunkRows?: number; blockColumns?: number }): unknown => {
    try {
      return layoutOf({ dtype: 'f32', rows: 10, columns: 2, ...options });
    } catch (error) {
      return error instanceof ParagradError ? [error.code, error.place.option] : error;
    }
  };
  expect(refused({ chunkRows: 24 })).toEqual(['PARAGRAD_OPTION', '--chunk-rows']);
  expect(refused({ chunkRows: 0 })).toEqual(['PARAGRAD_OPTION', '--chunk-rows']);
  expect(refused({ blockColumns: 0 })).toEqual(['PARAGRAD_OPTION', '--block-columns']);
});

test('chunks and panels hold every row once; blocks every column once', () => {
  fc.assert(
    fc.property(shape, (of) => {
      const layout = layoutOf(of);
      let rows = 0;
      let panels = 0;
      for (let chunk = 0; chunk < layout.chunks; chunk += 1) {
        rows += rowsOfChunk(layout, chunk);
        panels += panelsOfChunk(layout, chunk);
        if (chunk < layout.chunks - 1) expect(rowsOfChunk(layout, chunk)).toBe(layout.chunkRows);
      }
      expect(rows).toBe(layout.rows);
      expect(panels).toBe(panelsOf(layout));
      expect(columnOfBlock(layout, layout.blocks)).toBe(layout.columns);
      expect(columnOfBlock(layout, 0)).toBe(0);
    }),
  );
});

test('every cell belongs to exactly one worker', () => {
  fc.assert(
    fc.property(shape, fc.constantFrom<PartitionKind>('rows', 'columns', 'grid'), fc.integer({ min: 1, max: 9 }), (of, kind, workers) => {
      const layout = layoutOf(of);
      fc.pre(kind !== 'columns' || workers <= layout.blocks);
      const partition = partitionOf(layout, kind, workers);
      expect(partition.shares.length).toBe(workers);
      expect(partition.grid.rows * partition.grid.columns).toBe(workers);
      const cells = new Uint8Array(layout.chunks * layout.blocks);
      let bytes = 0;
      for (const share of partition.shares) {
        bytes += bytesOfShare(layout, share);
        for (let chunk = share.chunkBegin; chunk < share.chunkEnd; chunk += 1)
          for (let block = share.blockBegin; block < share.blockEnd; block += 1) {
            const cell = chunk * layout.blocks + block;
            cells[cell] = (cells[cell] as number) + 1;
          }
      }
      expect(cells.every((owners) => owners === 1)).toBe(true);
      expect(bytes).toBe(panelsOf(layout) * layout.columns * 64);
    }),
  );
});

test('row borders keep the imbalance ≤ max(5 %, one chunk), and powers of two send one node each', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 40 }), (chunks, workers) => {
      const layout = layoutOf({ dtype: 'f32', rows: chunks * 16, columns: 1, chunkRows: 16 });
      const even = chunks / workers;
      for (const share of partitionOf(layout, 'rows', workers).shares)
        expect(share.chunkEnd - share.chunkBegin).toBeLessThanOrEqual(even + Math.max(even * 0.05, 1));
    }),
  );
  for (const chunks of [8, 64, 1024])
    for (const workers of [1, 2, 4, 8]) {
      const layout = layoutOf({ dtype: 'f32', rows: chunks * 16, columns: 1, chunkRows: 16 });
      for (const share of partitionOf(layout, 'rows', workers).shares) expect(nodesOfShare(layout, share)).toBe(1);
    }
});

test('more column workers than blocks are refused, with the options that would help', () => {
  const layout = layoutOf({ dtype: 'f32', rows: 100, columns: 4, blockColumns: 2 });
  expect(() => partitionOf(layout, 'columns', 3)).toThrow(/--block-columns/);
});

test('the sample takes the panels ⌊i·panels/m⌋, each once, whatever the chunks', () => {
  fc.assert(
    fc.property(shape, fc.double({ min: 0, max: 1, noNaN: true }), (of, fraction) => {
      const layout = layoutOf(of);
      const panels = panelsOf(layout);
      const count = Math.ceil(fraction * panels);
      const expected = Array.from({ length: count }, (_, i) => Math.floor((i * panels) / count));
      const perChunk = layout.chunkRows / panelRows(layout.dtype);
      const sampled: number[] = [];
      for (let chunk = 0; chunk < layout.chunks; chunk += 1)
        sampled.push(...sampledPanels(layout, count, chunk).map((panel) => chunk * perChunk + panel));
      expect(sampled).toEqual(expected);
    }),
  );
});
