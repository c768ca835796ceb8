import type { ReducePhase } from '../../communicate/messages/reduction.ts';
import type { Address } from '../../communicate/streams/address.ts';
import type { Partition } from '../../partition/plan.ts';
import type { Checkpoint, DataSource, StepRecord, TrainingJob, TrainingOutcome } from '../../strategies/job.ts';
import type { Communicate, EngineOptions } from '../engine.ts';
import type { PlainError } from './plain-error.ts';

/** What coordinator and worker processes say to each other, beside the ranks' own traffic. */

/** How a worker process finds its coordinator. The key of the run comes beside it, never in it. */
export interface Invitation {
  /** Where the coordinator listens. */
  readonly control: Address;
  /** Number of the place; undefined: any that is free. */
  readonly rank: number | undefined;
  /** How often this rank was started before. */
  readonly attempt: number;
  /** Where it shall be met by other ranks; a TLS port of 0 is any free one. */
  readonly own: Address;
  /** Of the coordinator, where it runs on the same machine: when it is gone, so are these folders. */
  readonly parent?: { readonly pid: number; readonly remove: readonly string[] } | undefined;
  /** By which name other ranks find it, where that is not the host of `own`. */
  readonly advertise?: string | undefined;
  /** It may ask the coordinator for its cells, where it does not see the folder of the dataset. */
  readonly mayFetch?: boolean;
  /** How often the worker shows that it is alive. */
  readonly pulseMs: number;
}

/** Names of the groups that are greeted at the coordinator's port. */
export const GROUP = { control: 'control', pulse: 'pulse', cells: 'cells' } as const;

/** All of a job but the data. */
export type JobOrder = Omit<TrainingJob, 'store' | 'source' | 'elastic'>;

/** How ranks exchange sums. */
export interface Exchange {
  readonly communicate: Communicate;
  readonly reducers: number;
  /** Ranks behind the workers that are backups. */
  readonly backup: number;
  readonly link: EngineOptions['link'];
  readonly compress: EngineOptions['compress'];
  /** Deadline of a wait for another rank. */
  readonly timeoutMs: number;
  /** Deadline to meet all other ranks. */
  readonly meetMs: number;
}

/**
 * What a rank does: `loading` its data, `map` (computing, with all that is no exchange), one of the phases of an all-reduce
 * (docs/algorithms.md), or `idle`: it waits for orders.
 */
export type Phase = 'loading' | 'map' | ReducePhase;
export const PHASES: readonly Phase[] = [
  'idle',
  'loading',
  'map',
  'all-to-all',
  'reduce-scatter',
  'all-gather',
  'shuffle',
  'reduce',
  'broadcast',
];

/** A fault that a worker does to itself, once: for tests, and to see what happens. */
export interface Fault {
  readonly kind: 'kill' | 'pause';
  /** After this many passes of the loop. */
  readonly step: number;
  readonly phase: Phase;
  /** Of a pause. */
  readonly ms: number;
}

export type Order =
  | { readonly kind: 'welcome'; readonly faults: readonly Fault[] /** Computing takes this many times as long. */; readonly slow: number }
  | { readonly kind: 'load'; readonly data: DataSource; readonly partition: Partition; readonly rank: number }
  | {
      readonly kind: 'run';
      readonly generation: number;
      /** In this group; its number at the coordinator is another where workers come and go. */
      readonly rank: number;
      readonly size: number;
      readonly job: JobOrder;
      /** Passes of the loop before `job.resume`. */
      readonly count: number;
      readonly addresses: readonly Address[];
      readonly exchange: Exchange;
    }
  /** The user wants the run to end at the next step. */
  | { readonly kind: 'abort' }
  /** Ends the generation, wherever it is; the worker keeps its data and its last state. */
  | { readonly kind: 'stop'; readonly generation: number }
  /** Asks for the last state of the loop. */
  | { readonly kind: 'state' }
  | { readonly kind: 'end' };

export type Report =
  | { readonly kind: 'ready'; readonly pid: number; readonly address: Address }
  | { readonly kind: 'loaded' }
  | { readonly kind: 'steps'; readonly steps: readonly StepRecord[] }
  | { readonly kind: 'checkpoint'; readonly checkpoint: Checkpoint; readonly count: number }
  /** A state from which a group that lost a member can go on: of one of several ranks that each have a part of it. */
  | { readonly kind: 'keep'; readonly checkpoint: Checkpoint; readonly count: number }
  /** Rank 0 brings the outcome: it is the same on every rank. */
  | { readonly kind: 'outcome'; readonly generation: number; readonly outcome: TrainingOutcome | undefined }
  | { readonly kind: 'failed'; readonly generation: number; readonly error: PlainError }
  /** Its part of the generation has ended; `count`: passes of the loop that its state has. */
  | { readonly kind: 'stopped'; readonly generation: number; readonly count: number }
  | { readonly kind: 'state'; readonly checkpoint: Checkpoint | undefined; readonly count: number };

/**
 * Kinds of messages on the second connection, which belongs to a thread of its own. A beat: [phase, passes of the loop] as f64.
 * A fault: [phase] of what is about to be done; it is done when `go` has come.
 */
export const PULSE = { beat: 1, fault: 2, go: 3 } as const;
