import { type Range, type SendCosts, sendCosts } from '../communicate/messages/costs.ts';
import type { Communicate } from '../engines/engine.ts';
import { ALGORITHMS } from '../engines/processes/algorithms.ts';
import { bytesPerValue, columnOfBlock, type Layout } from '../partition/layout.ts';
import type { Partition } from '../partition/plan.ts';
import { coverOf } from '../partition/tree.ts';
import { batchesOf } from '../strategies/dot-exchange.ts';

/** How ranks that share no memory exchange sums. */
export interface Exchanged {
  readonly communicate: Communicate;
  readonly reducers: number;
}

/**
 * What every rank sends for one gradient at one point: the all-reduce of the gradient, and where columns are split the all-reduces of
 * partial dots among the ranks that share its rows. By rank; exact, unless a chunk's rows all weigh nothing.
 *
 * @param outputs of the model: 1, or its classes
 */
export function stepTraffic(layout: Layout, partition: Partition, { communicate, reducers }: Exchanged, outputs = 1): SendCosts[] {
  const { shares, workers, grid } = partition;
  const algorithm = ALGORITHMS[communicate];
  const scalars = 1 + outputs;
  const ranges = shares.map((share): Range[] => {
    const begin = columnOfBlock(layout, share.blockBegin);
    const end = columnOfBlock(layout, share.blockEnd);
    const head = share.blockBegin === 0 ? [{ begin: 0, end: scalars }] : [];
    const own = Array.from({ length: outputs }, (_, k) => ({
      begin: scalars + k * layout.columns + begin,
      end: scalars + k * layout.columns + end,
    }));
    return coverOf(share.chunkBegin, share.chunkEnd, layout.chunks).flatMap(() => [...head, ...own]);
  });
  const costs = sendCosts(algorithm, Math.min(reducers, workers), scalars + outputs * layout.columns, 8, ranges);
  if (grid.columns === 1) return costs;
  return shares.map((share): SendCosts => {
    const first = share.rank - (share.rank % grid.columns);
    const members = shares.slice(first, first + grid.columns);
    let { messages, bytes } = costs[share.rank] as SendCosts;
    for (const { rows } of batchesOf(layout, share.chunkBegin, share.chunkEnd, grid.columns)) {
      const length = outputs * rows;
      const nodes = members.map((member) =>
        coverOf(member.blockBegin, member.blockEnd, layout.blocks).map(() => ({ begin: 0, end: length })),
      );
      const row = sendCosts(algorithm, Math.min(reducers, grid.columns), length, bytesPerValue(layout.dtype), nodes);
      const own = row[share.rank - first] as SendCosts;
      messages += own.messages;
      bytes += own.bytes;
    }
    return { messages, bytes };
  });
}
