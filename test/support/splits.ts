import type { Layout } from '../../src/partition/layout.ts';
import { type PartitionKind, partitionOf } from '../../src/partition/plan.ts';

/**
 * The kinds of partition that are different splits for so many workers. A grid of a prime number of workers is the split by rows,
 * and one worker has everything: the same shares are the same run.
 */
export function distinctKinds(layout: Layout, workers: number): PartitionKind[] {
  const seen = new Set<string>();
  return (['rows', 'columns', 'grid'] as const).filter((kind) => {
    const { grid, shares } = partitionOf(layout, kind, workers);
    const split = JSON.stringify([grid, shares]);
    return !seen.has(split) && seen.add(split);
  });
}
