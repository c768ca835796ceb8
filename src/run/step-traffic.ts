import { type NodeRange, type SendCosts, sendCosts } from '../communicate/messages/costs.ts';
import type { Communicate } from '../engines/engine.ts';
import { algorithmFor } from '../engines/processes/algorithms.ts';
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
  const scalars = 1 + outputs;
  const nodes = shares.map((share): NodeRange[] => {
    const begin = columnOfBlock(layout, share.blockBegin);
    const end = columnOfBlock(layout, share.blockEnd);
    const head = share.blockBegin === 0 ? [{ begin: 0, end: scalars }] : [];
    const own = Array.from({ length: outputs }, (_, k) => ({
      begin: scalars + k * layout.columns + begin,
      end: scalars + k * layout.columns + end,
    }));
    return coverOf(share.chunkBegin, share.chunkEnd, layout.chunks).flatMap((node) =>
      [...head, ...own].map((range) => ({ ...range, node })),
    );
  });
  const shape = { length: scalars + outputs * layout.columns, leaves: layout.chunks };
  const costs = sendCosts(algorithmFor(communicate, workers), Math.min(reducers, workers), shape, 8, nodes);
  if (grid.columns === 1) return costs;
  return shares.map((share): SendCosts => {
    const first = share.rank - (share.rank % grid.columns);
    const members = shares.slice(first, first + grid.columns);
    let { messages, bytes } = costs[share.rank] as SendCosts;
    for (const { rows } of batchesOf(layout, share.chunkBegin, share.chunkEnd, grid.columns)) {
      const length = outputs * rows;
      const dots = members.map((member) =>
        coverOf(member.blockBegin, member.blockEnd, layout.blocks).map((node) => ({ node, begin: 0, end: length })),
      );
      const rowShape = { length, leaves: layout.blocks };
      const algorithm = algorithmFor(communicate, grid.columns);
      const row = sendCosts(algorithm, Math.min(reducers, grid.columns), rowShape, bytesPerValue(layout.dtype), dots);
      const own = row[share.rank - first] as SendCosts;
      messages += own.messages;
      bytes += own.bytes;
    }
    return { messages, bytes };
  });
}
