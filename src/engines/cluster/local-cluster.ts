/**
 * The contract of local clusters: a real one on this machine, for people who want to try, learn or test. It lies in a cache
 * folder of the user's, is bound to loopback, and is used by `--engine` where no address is given.
 */
export interface LocalCluster {
  readonly name: ClusterName;
  /** As people write it: Ray. */
  readonly title: string;
  /** Version that is installed. */
  readonly version: string;
  /**
   * Downloads it, where that has not been done.
   *
   * @throws PARAGRAD_CLUSTER_PYTHON, PARAGRAD_CLUSTER_INSTALL, PARAGRAD_CLUSTER_BUSY
   */
  install(options: ClusterOptions): Promise<Installation>;
  /**
   * Starts it, and waits until it can be used. Nothing is left where that fails. One that runs gets further nodes, where more are asked
   * for than it has.
   *
   * @throws PARAGRAD_CLUSTER_MISSING, PARAGRAD_CLUSTER_RUNNING, PARAGRAD_CLUSTER_PORT, PARAGRAD_CLUSTER_START
   */
  start(options: StartOptions): Promise<RunningCluster>;
  /** What is there. */
  status(): Promise<ClusterStatus>;
  /** Ends it, and waits until no process is left. @returns false when there was none */
  stop(): Promise<boolean>;
}

export type ClusterName = 'ray';

export interface ClusterOptions {
  readonly onProgress?: ((progress: ClusterProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface StartOptions extends ClusterOptions {
  readonly nodes?: number | undefined;
  /** Of the address that is given to `--engine`; one that is free where none is given. */
  readonly port?: number | undefined;
}

/** What is being done, and how much of the whole is done, 0 to 1. */
export interface ClusterProgress {
  readonly text: string;
  readonly done: number;
}

export interface Installation {
  readonly folder: string;
  /** false: it was there. */
  readonly isNew: boolean;
}

export interface RunningCluster {
  readonly address: string;
  readonly nodes: number;
  /** File that holds the token, readable for its owner alone. */
  readonly tokenFile: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly processes: number;
}

export interface ClusterStatus {
  /** Undefined where it is not installed. */
  readonly installed: string | undefined;
  readonly running: RunningCluster | undefined;
  /** It runs, but not as it should: which part does not answer. */
  readonly trouble: string | undefined;
}
