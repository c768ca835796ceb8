import type { Channel } from '../../communicate/channel.ts';
import type { CostMeter } from '../../monitor/costs.ts';
import type { BatchSetup } from '../batch-setup.ts';
import type { TrainingJob } from '../job.ts';
import type { RankHost } from '../strategy.ts';
import type { Segment } from './segments.ts';

/** What a rank, be it a worker or a server, has of a run. */
export interface RankRun {
  readonly job: TrainingJob;
  readonly host: RankHost;
  readonly setup: BatchSetup;
  /** Of the servers, in their order. */
  readonly segments: readonly Segment[];
  /** By rank; none to itself. */
  readonly channels: readonly (Channel | undefined)[];
  readonly meter: CostMeter;
  /** By the host's clock. */
  readonly began: number;
}
