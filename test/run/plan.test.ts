import { expect, test } from 'vitest';
import { layoutOf } from '../../src/partition/layout.ts';
import { planOf } from '../../src/run/plan.ts';

test('workers that would have nothing to do are refused, but for a few', () => {
  const layout = layoutOf({ dtype: 'f32', rows: 1000, columns: 9, chunkRows: 64, blockColumns: 2 });
  expect([layout.chunks, layout.blocks]).toEqual([16, 5]);
  for (const engine of ['threads', 'processes'] as const) {
    expect(planOf(layout, { engine, workers: 16 }).partition.workers).toBe(16);
    expect(() => planOf(layout, { engine, workers: 17 })).toThrow('--workers 17: no more than 16 would have something to do');
    expect(() => planOf(layout, { engine, workers: 1000 })).toThrow('use --workers 16, or a smaller --chunk-rows');
  }
  const small = layoutOf({ dtype: 'f32', rows: 60, columns: 9, chunkRows: 64, blockColumns: 2 });
  expect(planOf(small, { engine: 'threads', workers: 8 }).partition.workers).toBe(8);
  expect(planOf(layout, { engine: 'threads', workers: 80, partition: 'grid' }).partition.workers).toBe(80);
  expect(() => planOf(layout, { engine: 'threads', workers: 81, partition: 'grid' })).toThrow('--workers');
});
