import type { Compression } from '../communicate/compressed.ts';
import type { LinkOptions } from '../communicate/link.ts';
import type { Address } from '../communicate/streams/address.ts';
import type { Key } from '../communicate/streams/key.ts';
import type { ArrayTask, ArrayTaskResult } from '../data/array-tasks.ts';
import type { Checkpoint, StepRecord, TrainingJob, TrainingOutcome } from '../strategies/job.ts';

/**
 * The contract of the engines: where ranks live. An engine starts workers, hands them to the strategy, and ends them. A
 * *resident* engine keeps workers alive, and they run the loop in lockstep; a *driven* one runs every pass as a job of its
 * own, and only the coordinator loops.
 */
export interface Engine {
  readonly name: EngineName;
  readonly kind: 'resident' | 'driven';
  /** Starts `workers` workers; they wait for work. Must be closed. */
  open(workers: number, options?: EngineOptions): Session;
  /** Fails early where the engine cannot be used: before the data are read. */
  reach?(options: EngineOptions): Promise<void>;
}

export type EngineName = 'inline' | 'threads' | 'processes' | 'ray';

/** Engines whose workers read a dataset folder themselves, share no memory, and are replaced when they are lost. */
export const WITH_PROCESSES: readonly string[] = ['processes', 'ray'] satisfies EngineName[];

/** How parts move between processes (docs/algorithms.md): `peer-to-peer` is the direct all-reduce, of many ranks the hierarchical one. */
export type Communicate = 'peer-to-peer' | 'client-server' | 'ring';

/** What only some engines have: an engine without workers that could be lost ignores it. */
export interface EngineOptions {
  /** Default peer-to-peer. */
  readonly communicate?: Communicate | undefined;
  /** Client–server: how many ranks add; default 1. */
  readonly reducers?: number | undefined;
  /** Client–server with one reducer: how many ranks compute what the slowest workers compute, too; default 0. */
  readonly backup?: number | undefined;
  /** A delay and a rate that the connections between ranks are given, to study them. */
  readonly link?: Pick<LinkOptions, 'delayMs' | 'bytesPerSecond'> | undefined;
  /** How gradients are made smaller on their way; default: not. */
  readonly compress?: Compression | undefined;
  /** How often a worker is replaced before the run ends with an error; default 3. */
  readonly maxRestarts?: number | undefined;
  /** A worker that shows no sign of life for so long is replaced; default 10,000. */
  readonly silenceMs?: number | undefined;
  /** Deadline of a wait for another rank; default 120,000. */
  readonly timeoutMs?: number | undefined;
  /** Workers that may come and go: how long the beginning waits for more than it needs; default 2,000. */
  readonly graceMs?: number | undefined;
  /** What workers do to themselves, to show what happens then. */
  readonly faults?: readonly RankFault[] | undefined;
  /** Workers run on other machines, that the user starts. */
  readonly machines?: MachineOptions | undefined;
  /** Folders that workers remove when the coordinator's process ended without doing it. */
  readonly remove?: readonly string[] | undefined;
  readonly ray?: RayOptions | undefined;
}

/** How a Ray cluster is found and used. */
export interface RayOptions {
  /** Of its dashboard, `http://HOST:8265`; default: the local cluster. */
  readonly address?: string | undefined;
  /** File with its token; default: as Ray's own tools find it. */
  readonly tokenFile?: string | undefined;
  /** Which Node.js workers run on: the cluster's, or this machine's own, sent along. Default 'system'. */
  readonly node?: 'system' | 'ship' | undefined;
  /** 'send' data with the job; 'shared': all nodes see the folder at the same path. Default: sent, but to a local cluster. */
  readonly data?: 'auto' | 'send' | 'shared' | undefined;
  /** Follow this job, which was started before, in place of a new one. */
  readonly attach?: string | undefined;
  /** Told the name of the job before it is submitted, and again when it is over without a result. */
  readonly onJob?: ((id: string, isOver: boolean) => void) | undefined;
}

/** Where machines are met that work for this run. */
export interface MachineOptions {
  /** Where to wait for machines that join; undefined: any free port, for those that are called. */
  readonly bind?: Address | undefined;
  /** Machines that listen, and are called. */
  readonly hosts: readonly Address[];
  readonly key: Key;
  /** How long to wait for a machine, at the beginning and when one was lost; default 300,000. */
  readonly waitMs?: number | undefined;
}

/** `phase`: one of those that docs/algorithms.md names, `map`, `loading` or `idle`. `step`: readings of the data by the loop before it. */
export type RankFault =
  | { readonly kind: 'kill'; readonly rank: number; readonly step: number; readonly phase?: string | undefined }
  | { readonly kind: 'pause'; readonly rank: number; readonly step: number; readonly phase?: string | undefined; readonly ms: number }
  | { readonly kind: 'slow'; readonly rank: number; readonly times: number };

/** Workers that are alive. One piece of work at a time. */
export interface Session {
  readonly workers: number;
  /**
   * Work on data before there are shares (statistics, packing): task i goes to worker i mod workers, results come in the order of
   * the tasks. Tasks are independent of each other.
   */
  run(tasks: readonly ArrayTask[]): Promise<ArrayTaskResult[]>;
  /**
   * Runs a job whose partition has as many workers as the session.
   *
   * @throws PARAGRAD_WORKER_LOST when a worker exits or never starts; what a rank throws, with its rank.
   */
  train(job: TrainingJob, hooks: EngineHooks): Promise<TrainingOutcome>;
  /** Ends the workers, also while they work. A second call does nothing. */
  close(): Promise<void>;
}

export interface EngineHooks {
  /** Updates of the weights, in batches: at most some ten calls a second, from the thread that called `train`. */
  readonly onSteps?: (steps: readonly StepRecord[]) => void;
  /** State to go on from, now and then (`TrainingJob.checkpointEveryMs`), and when a limit or an abort ends the run. */
  readonly onCheckpoint?: (checkpoint: Checkpoint) => void;
  /** Something that the user should know of, as it happens: a worker was lost and replaced. */
  readonly onNote?: (text: string) => void;
  /** Ends the run at the next step, on all ranks: what was learned until then is the result. */
  readonly signal?: AbortSignal;
}
