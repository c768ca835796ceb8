import type { Layout } from '../partition/layout.ts';
import { type Partition, partitionOf } from '../partition/plan.ts';
import type { StrategyChoice } from './choice.ts';
import { clientPartition, clientsOf } from './clients.ts';
import type { TrainingJob } from './job.ts';

/**
 * The split of a job between another number of workers: what the plan would have been for as many. Pure, so that whoever plans anew
 * on the way has the split of a run that began so.
 *
 * @throws PARAGRAD_PARTITION when there are more column workers than blocks.
 */
export function partitionFor(
  { partition, strategy }: { readonly partition: Pick<Partition, 'kind'>; readonly strategy?: StrategyChoice | undefined },
  layout: Layout,
  workers: number,
): Partition {
  if (strategy?.name === 'local-sgd') return clientPartition(layout, clientsOf(layout, strategy.clients), workers);
  return partitionOf(layout, partition.kind, workers);
}

/** A job with so many workers. */
export function jobWith(job: TrainingJob, workers: number): TrainingJob {
  const { elastic, partition } = job;
  if (elastic === undefined || workers === partition.workers) return job;
  return { ...job, partition: partitionFor(job, elastic.layout, workers) };
}
