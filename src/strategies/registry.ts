import { coordinateCount } from '../update/coordinates.ts';
import type { StrategyName } from './choice.ts';
import { gossip } from './gossip.ts';
import { hogwild } from './hogwild.ts';
import type { TrainingJob } from './job.ts';
import { localSgd } from './local-sgd.ts';
import { mapReduce } from './map-reduce.ts';
import { longestBody } from './parameter-server/messages.ts';
import { parameterServer } from './parameter-server/strategy.ts';
import type { Strategy } from './strategy.ts';

/** All strategies by name. A new one is a file and a line here (and its name in `choice.ts`). */
export const STRATEGIES: Readonly<Record<StrategyName, Strategy>> = {
  'map-reduce': mapReduce,
  'parameter-server': parameterServer,
  'local-sgd': localSgd,
  hogwild,
  gossip,
};

export function strategyOf(job: Pick<TrainingJob, 'strategy'>): Strategy {
  return STRATEGIES[job.strategy?.name ?? 'map-reduce'];
}

/** Ranks of a job: its workers, then its servers, if the strategy has any. */
export function ranksOf(job: Pick<TrainingJob, 'strategy' | 'partition'>): number {
  return job.partition.workers + (job.strategy?.name === 'parameter-server' ? job.strategy.servers : 0);
}

/** Bytes of the longest message that ranks send each other in channels, beside the collective's; 0: none. */
export function channelBytes(job: Pick<TrainingJob, 'strategy' | 'store' | 'classes'>): number {
  return strategyOf(job).channels === true ? longestBody(coordinatesIn(job)) : 0;
}

/** Bytes of the memory that a strategy's ranks share; 0: none. */
export function sharedBytes(job: Pick<TrainingJob, 'strategy' | 'store' | 'classes'>): number {
  return strategyOf(job).shares === true ? (coordinatesIn(job) + 8) * 8 : 0;
}

function coordinatesIn({ store, classes }: Pick<TrainingJob, 'store' | 'classes'>): number {
  return coordinateCount({ layout: store.training.layout, ...(classes === undefined ? {} : { classes }) });
}
