import { expect, test } from 'vitest';
import type { Collective } from '../../src/communicate/collective.ts';
import { createLoopbackChannels } from '../../src/communicate/loopback/channel.ts';
import { createMessageCollective } from '../../src/communicate/messages/collective.ts';
import type { SendCosts } from '../../src/communicate/messages/costs.ts';
import type { DataStore } from '../../src/data/store.ts';
import type { Communicate } from '../../src/engines/engine.ts';
import { kernelsFor } from '../../src/engines/kernels.ts';
import { algorithmFor } from '../../src/engines/processes/algorithms.ts';
import { type Partition, type PartitionKind, partitionOf } from '../../src/partition/plan.ts';
import { stepTraffic } from '../../src/run/step-traffic.ts';
import { CellEvaluator } from '../../src/strategies/cell-evaluator.ts';
import { randomData, storeOf } from '../support/problems.ts';

/** Law: what --explain says of messages and bytes is what a gradient sends, counted. */
function collectives(size: number, communicate: Communicate, reducers: number): Collective[] {
  return createLoopbackChannels(size).map((channels, rank) =>
    createMessageCollective(rank, channels, { algorithm: algorithmFor(communicate, size), reducers: Math.min(reducers, size) }),
  );
}

/** What every rank sends for one gradient, counted. */
async function countedOf(store: DataStore, partition: Partition, communicate: Communicate, reducers: number): Promise<SendCosts[]> {
  const { grid, workers } = partition;
  const { columns, dtype } = store.training.layout;
  const worlds = collectives(workers, communicate, reducers);
  const rows = Array.from({ length: grid.rows }, () => collectives(grid.columns, communicate, reducers)).flat();
  const at = [{ weights: new Float64Array(columns), intercept: 0 }];
  await Promise.all(
    worlds.map((world, rank) =>
      new CellEvaluator({
        store,
        partition,
        rank,
        loss: 'squared',
        kernels: kernelsFor('wasm', dtype),
        world,
        row: rows[rank] as Collective,
      }).evaluate({ kind: 'gradient', at }),
    ),
  );
  return worlds.map((world, rank) => {
    const [a, b] = [world.traffic(), (rows[rank] as Collective).traffic()];
    return { messages: a.messagesSent + b.messagesSent, bytes: a.bytesSent + b.bytesSent };
  });
}

const WAYS: readonly (readonly [Communicate, number])[] = [
  ['peer-to-peer', 1],
  ['client-server', 1],
  ['client-server', 2],
  ['ring', 1],
];

test.each(['f32', 'f64'] as const)('%s: messages and bytes of a gradient, small and large, by every way and split', async (dtype) => {
  for (const columns of [12, 600]) {
    const store = storeOf(randomData(3, 700, columns, false), { dtype, chunkRows: 16, blockColumns: Math.ceil(columns / 7) });
    const { layout } = store.training;
    for (const [communicate, reducers] of WAYS)
      for (const kind of ['rows', 'columns', 'grid'] satisfies PartitionKind[])
        for (const workers of [1, 2, 3, 4, 6]) {
          const partition = partitionOf(layout, kind, workers);
          const counted = await countedOf(store, partition, communicate, reducers);
          const name = `${communicate} ${reducers}, ${kind} of ${workers}, ${columns} columns`;
          expect(stepTraffic(layout, partition, { communicate, reducers }), name).toEqual(counted);
          expect(counted.every(({ bytes }) => bytes > 0)).toBe(workers > 1);
        }
  }
});

test.each(['rows', 'columns', 'grid'] as const)('40 workers, by %s: groups of neighbours', async (kind) => {
  for (const columns of [90, 600]) {
    const store = storeOf(randomData(3, 700, columns, false), { dtype: 'f32', chunkRows: 16, blockColumns: Math.ceil(columns / 45) });
    const { layout } = store.training;
    const partition = partitionOf(layout, kind, 40);
    const counted = await countedOf(store, partition, 'peer-to-peer', 1);
    expect(stepTraffic(layout, partition, { communicate: 'peer-to-peer', reducers: 1 })).toEqual(counted);
    expect(counted.every(({ bytes }) => bytes > 0)).toBe(true);
  }
});
