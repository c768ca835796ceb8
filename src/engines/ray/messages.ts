import type { Checkpoint, DataSource, StepRecord, TrainingJob, TrainingOutcome } from '../../strategies/job.ts';
import type { EngineOptions } from '../engine.ts';
import type { PlainError } from '../worker/plain-error.ts';

/** What the coordinator on the cluster is told: a file of the package. */
export interface RayOrder {
  /** Ranks. */
  readonly workers: number;
  readonly job: Omit<TrainingJob, 'store' | 'source'>;
  /** A relative folder is in the package. */
  readonly source: DataSource;
  readonly options: Omit<EngineOptions, 'remove' | 'ray'>;
}

/** What it tells, in the log of the job. The last one is `outcome` or `failed`. */
export type RayReport =
  | { readonly kind: 'steps'; readonly steps: readonly StepRecord[] }
  | { readonly kind: 'checkpoint'; readonly checkpoint: Checkpoint }
  | { readonly kind: 'note'; readonly text: string }
  /** A message that is too long for the log: a file beside it, on the node of that id. */
  | { readonly kind: 'file'; readonly name: string; readonly node: string; readonly bytes: number; readonly sha256: string }
  | { readonly kind: 'outcome'; readonly outcome: TrainingOutcome }
  | { readonly kind: 'failed'; readonly error: PlainError };

/** What the Python launcher is told: `plan.json` in the package. */
export interface LauncherPlan {
  readonly workers: number;
  /** How many of them the run needs: fewer than all, where workers come and go. */
  readonly least: number;
  /** `ship`: the package has a Node.js with it. */
  readonly node: 'system' | 'ship';
  readonly nodeVersion: readonly [major: number, minor: number];
  /** Reserved for each worker. */
  readonly cpus: number;
  readonly memoryBytes: number;
  /** Packages that hold the data, in pieces; 0: they are in this one, or elsewhere. */
  readonly dataPackages: number;
  /** How long the cluster may take to have room for all workers. */
  readonly roomSeconds: number;
}

/** Names of files in the package. */
export const FILES = {
  launcher: 'launcher.py',
  /** A module that the launcher imports, and every node: its name must not be that of a package of the cluster. */
  host: 'paragrad_host.py',
  plan: 'plan.json',
  order: 'order.bin',
  worker: 'worker.mjs',
  coordinator: 'coordinator.mjs',
  data: 'data',
} as const;

/** Variables that the launcher gives to the coordinator: its address; the folder of the job's log, where there is one; Ray's id of the node. */
export const VARIABLES = { host: 'COORDINATOR_HOST', logs: 'COORDINATOR_LOGS', node: 'COORDINATOR_NODE' } as const;
