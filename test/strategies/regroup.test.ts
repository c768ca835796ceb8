import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Layout, layoutOf } from '../../src/partition/layout.ts';
import { planOf } from '../../src/run/plan.ts';
import type { TrainingJob } from '../../src/strategies/job.ts';
import { jobWith, partitionFor } from '../../src/strategies/regroup.ts';
import { CHOICE } from './choices.ts';

/** Laws of the split of a run whose workers come and go. */

const shape = fc
  .record({
    chunks: fc.integer({ min: 1, max: 40 }),
    columns: fc.integer({ min: 1, max: 40 }),
    blockColumns: fc.integer({ min: 1, max: 9 }),
  })
  .map(
    ({ chunks, columns, blockColumns }): Layout => layoutOf({ dtype: 'f32', rows: chunks * 16 - 3, columns, chunkRows: 16, blockColumns }),
  );

const kinds = fc.constantFrom('rows', 'columns', 'grid', 'clients');

/** Whatever a run may have at most, it may have fewer of. */
function job(layout: Layout, kind: string, most: number): TrainingJob {
  const strategy = kind === 'clients' ? ({ ...CHOICE, name: 'local-sgd' } as const) : undefined;
  const of = { partition: { kind: kind === 'columns' || kind === 'grid' ? kind : 'rows' }, strategy } as const;
  return { ...of, elastic: { min: 1, layout }, partition: partitionFor(of, layout, most) } as TrainingJob;
}

test('every cell belongs to one worker, with however many of them, and the split is that of a run that began so', () => {
  fc.assert(
    fc.property(shape, kinds, fc.integer({ min: 1, max: 12 }), fc.double({ min: 0, max: 1, noNaN: true }), (layout, kind, wanted, part) => {
      const limit = kind === 'columns' ? layout.blocks : kind === 'clients' ? Math.min(CHOICE.clients, layout.chunks) : wanted;
      if (kind === 'clients' && layout.chunks < CHOICE.clients) return;
      const most = Math.min(wanted, limit);
      const workers = 1 + Math.floor(part * (most - 1));
      const { partition } = jobWith(job(layout, kind, most), workers);
      expect(partition.workers).toBe(workers);
      expect(partition.shares.map(({ rank }) => rank)).toEqual(Array.from({ length: workers }, (_, rank) => rank));
      const owners = new Array<number>(layout.chunks * layout.blocks).fill(0);
      for (const { chunkBegin, chunkEnd, blockBegin, blockEnd } of partition.shares)
        for (let chunk = chunkBegin; chunk < chunkEnd; chunk += 1)
          for (let block = blockBegin; block < blockEnd; block += 1) owners[chunk * layout.blocks + block] += 1;
      expect(owners.every((count) => count === 1)).toBe(true);
      const strategy = kind === 'clients' ? ({ strategy: 'local-sgd', clients: CHOICE.clients } as const) : {};
      const plan = planOf(layout, { engine: 'processes', workers, partition: kind === 'clients' ? 'rows' : (kind as 'rows'), ...strategy });
      expect(partition).toEqual(plan.partition);
    }),
  );
});

test('there and back: the split of a number of workers does not depend on those before', () => {
  fc.assert(
    fc.property(shape, fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 8 }), (layout, sizes) => {
      const begun = job(layout, 'rows', 6);
      let now = begun;
      for (const size of sizes) now = jobWith(now, size);
      expect(now.partition).toEqual(partitionFor(begun, layout, sizes.at(-1) as number));
    }),
  );
});

test('a fixed number stays as it is', () => {
  const fixed = { ...job(layoutOf({ dtype: 'f32', rows: 99, columns: 4, chunkRows: 16 }), 'rows', 3), elastic: undefined };
  expect(jobWith(fixed, 2)).toBe(fixed);
});
