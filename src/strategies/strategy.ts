import type { Backups } from '../communicate/backups.ts';
import type { Channel } from '../communicate/channel.ts';
import type { Collective, ControlWord } from '../communicate/collective.ts';
import type { DataStore } from '../data/store.ts';
import type { Kernels } from '../kernels/kernels.ts';
import type { Activity } from '../monitor/costs.ts';
import type { StrategyName } from './choice.ts';
import type { Checkpoint, StepRecord, TrainingJob, TrainingOutcome } from './job.ts';

/** What an engine gives to a rank that it hosts. */
export interface RankHost {
  readonly rank: number;
  readonly world: Collective;
  /** The ranks that share this rank's chunks (a column or grid split), else a group of one. */
  readonly row: Collective;
  readonly kernels: (memory: WebAssembly.Memory) => Kernels;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  /** Rank 0 only: a decision that depends on a clock or a signal; asked once per pass. */
  readonly decide: () => ControlWord;
  /** Rank 0 only: after every update. */
  readonly onStep: (step: StepRecord) => void;
  /** Rank 0 only: now and then, and when a limit or an abort ends the run. Must not keep the checkpoint's arrays. */
  readonly onCheckpoint: (checkpoint: Checkpoint) => void;
  /**
   * After every pass of the loop: `take` makes a checkpoint of the state that the loop has now, whenever it is called. A group
   * that lost a member goes on from the newest one.
   */
  readonly onState?: (take: () => Checkpoint) => void;
  /**
   * Opens channels to all other ranks, by rank, for a strategy that sends messages of its own; undefined where ranks share
   * memory. All ranks call it, as often. Who opened them closes them.
   */
  readonly openChannels?: () => Promise<readonly (Channel | undefined)[]>;
  /** The rank begins to do something else, after `steps` steps of its own: faults on purpose happen here. */
  readonly onActivity?: (activity: Activity, steps: number) => void;
  /** A state from which a group that lost a member can go on, however the loss came: not read by the user. */
  readonly keep?: (checkpoint: Checkpoint) => void;
  /** Memory that all ranks share, zero at first; undefined where they cannot. */
  readonly sharedWeights?: SharedArrayBuffer | undefined;
  /** Ranks behind the workers are backups; `load`: the cells of a worker, for a backup. */
  readonly backups?: { readonly known: Backups; readonly load: (rank: number) => Promise<DataStore> } | undefined;
  readonly pause?: () => Promise<void> | undefined;
}

/**
 * Who waits for whom: what every rank of a run does. `run` returns the same weights on every rank.
 */
export interface Strategy {
  readonly name: StrategyName;
  run(job: TrainingJob, host: RankHost): Promise<TrainingOutcome>;
  /** Ranks send each other messages (`openChannels`). */
  readonly channels?: boolean;
  /** Ranks need memory in common (`sharedWeights`). */
  readonly shares?: boolean;
  /**
   * A group that lost a member goes on from what its ranks `keep`: the newest of each. Undefined: the engine decides whether the
   * loss of a worker ends the run.
   */
  merge?(kept: Checkpoint | undefined, newer: Checkpoint): Checkpoint;
  /** What a run can be resumed from, of what its ranks keep; undefined while something is missing. Goes with `merge`. */
  wholeOf?(kept: Checkpoint, job: Pick<TrainingJob, 'strategy'>): Checkpoint | undefined;
}
