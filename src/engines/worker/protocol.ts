import type { SharedChannelsHandle } from '../../communicate/shared/channels.ts';
import type { SharedHandle } from '../../communicate/shared/memory.ts';
import type { ArrayTask, ArrayTaskResult } from '../../data/array-tasks.ts';
import type { ErrorCode, ErrorPlace } from '../../errors.ts';
import type { Checkpoint, StepRecord, TrainingJob, TrainingOutcome } from '../../strategies/job.ts';

import type { RankFault } from '../engine.ts';

/** What a thread is asked to do. */
export type WorkerRequest =
  | { readonly kind: 'tasks'; readonly tasks: readonly ArrayTask[] }
  | {
      readonly kind: 'train';
      readonly job: TrainingJob;
      readonly rank: number;
      readonly world: SharedHandle;
      /** The ranks that share this rank's chunks. */
      readonly row: SharedHandle;
      /** One Int32: not 0 when the user wants the run to end. */
      readonly aborted: SharedArrayBuffer;
      /** For a strategy that sends messages of its own. */
      readonly channels: SharedChannelsHandle | undefined;
      /** For a strategy whose ranks share memory. */
      readonly sharedWeights: SharedArrayBuffer | undefined;
      /** What the thread does to itself. */
      readonly faults: readonly RankFault[];
    };

/** What a thread says. Exactly one of `results`, `outcome`, `failed` for each request. */
export type WorkerMessage =
  | { readonly kind: 'steps'; readonly steps: readonly StepRecord[] }
  | { readonly kind: 'checkpoint'; readonly checkpoint: Checkpoint }
  /** A state from which a group that loses a member can go on. */
  | { readonly kind: 'keep'; readonly checkpoint: Checkpoint }
  | { readonly kind: 'results'; readonly results: readonly ArrayTaskResult[] }
  /** Rank 0 brings the outcome: it is the same on every rank. */
  | { readonly kind: 'outcome'; readonly outcome: TrainingOutcome | undefined }
  | { readonly kind: 'failed'; readonly error: { readonly code: ErrorCode; readonly message: string; readonly place: ErrorPlace } };
