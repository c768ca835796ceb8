import type { LateRuleName } from './parameter-server/late.ts';

/** Every way in which workers may wait for each other, or not. */
export type StrategyName = 'map-reduce' | 'parameter-server' | 'local-sgd' | 'hogwild' | 'gossip';

export type Topology = 'ring' | 'torus' | 'complete';
export type PartnerRule = 'rotating' | 'random';

/** A strategy with all that can be said of it. Plain data; what a strategy does not know it does not read. */
export interface StrategyChoice {
  readonly name: StrategyName;
  /** Rows of a gradient. */
  readonly batchSize: number;
  /** Parameter server: 'asynchronous', or how many clocks a worker may be ahead; 0 is bulk-synchronous. */
  readonly staleness: number | 'asynchronous';
  readonly late: LateRuleName;
  /** Parameter server: how many, each with a segment of the weights. */
  readonly servers: number;
  /** Local SGD, gossip: steps between two averages. */
  readonly syncEvery: number;
  /** Local SGD: virtual clients, each with its own range of the rows. */
  readonly clients: number;
  /** Local SGD: share of the clients in each round, above 0 to 1. */
  readonly participation: number;
  /** Local SGD: share of the last change of the averaged weights that is kept, 0 to below 1. */
  readonly serverMomentum: number;
  readonly topology: Topology;
  readonly partner: PartnerRule;
  /** Parameter server: the recorded order of each server, to be done again. */
  readonly replay?: readonly Int32Array[] | undefined;
}
