import type { TableSource } from '../data/source-files.ts';
import type { InspectOptions } from '../run/inspect.ts';
import type { PrepareOptions } from '../run/prepare.ts';
import type { TrainOptions } from '../run/train-options.ts';

/** What the command line hands to each command: its options by name, parsed. `program.ts` defines them, `commands/` take them. */

export type TrainFlags = Omit<
  TrainOptions,
  'timeLimitSeconds' | 'checkpointSeconds' | 'workerTimeoutSeconds' | 'joinTimeoutSeconds' | 'signal' | 'onEvent'
> & {
  readonly timeLimit?: number;
  readonly checkpointEvery?: number;
  readonly workerTimeout?: number;
  readonly joinTimeout?: number;
  readonly resume?: string;
  readonly json?: boolean;
  readonly dryRun?: boolean;
  readonly report?: string;
};
export type PrepareFlags = Omit<PrepareOptions, 'out' | 'signal' | 'onEvent' | 'memoryBytes' | 'shardBytes'> & {
  readonly out?: string;
  readonly memory?: number;
  readonly json?: boolean;
};
export interface PredictFlags {
  readonly badRows?: 'error' | 'impute';
  readonly out?: string;
  readonly format?: 'csv' | 'jsonl' | 'parquet';
  readonly threshold?: number;
  readonly force?: boolean;
  readonly json?: boolean;
}
export interface EvaluateFlags {
  readonly badRows?: 'error' | 'impute';
  readonly threshold?: number;
  readonly json?: boolean;
}
export interface GenerateFlags {
  readonly rows?: number;
  readonly columns?: number;
  readonly model?: 'linear' | 'logistic';
  readonly condition?: number;
  readonly noise?: number;
  readonly seed?: number;
  readonly out?: string;
  readonly format?: 'csv' | 'jsonl' | 'parquet' | 'dataset';
  readonly force?: boolean;
  readonly json?: boolean;
}
export interface AttachFlags {
  readonly json?: boolean;
}
export interface ClusterFlags {
  readonly nodes?: number;
  readonly port?: number;
  readonly json?: boolean;
}
export interface WorkerFlags {
  readonly join?: string;
  /** True: at the usual address. */
  readonly listen?: string | boolean;
  readonly keyFile?: string;
  readonly workers?: number;
  readonly advertise?: string;
  readonly wait?: number;
}
export interface KeyFlags {
  readonly json?: boolean;
}
export interface DoctorFlags {
  readonly json?: boolean;
}
export interface InspectFlags extends Omit<InspectOptions, 'signal' | 'onDownload'> {
  readonly coefficients?: string;
  readonly report?: string;
  readonly verify?: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** What the commands do; each is loaded when it is called, so that `--help` need not wait for it. */
export interface Handlers {
  train(file: TableSource | undefined, flags: TrainFlags): Promise<void>;
  prepare(file: TableSource, flags: PrepareFlags): Promise<void>;
  predict(model: string, file: TableSource, flags: PredictFlags): Promise<void>;
  evaluate(model: string, file: TableSource, flags: EvaluateFlags): Promise<void>;
  inspect(path: TableSource, flags: InspectFlags): Promise<void>;
  generate(flags: GenerateFlags): Promise<void>;
  attach(job: string, flags: AttachFlags): Promise<void>;
  cluster(action: string, name: string, flags: ClusterFlags): Promise<void>;
  worker(flags: WorkerFlags): Promise<void>;
  key(file: string, flags: KeyFlags): Promise<void>;
  doctor(flags: DoctorFlags): Promise<void>;
}
