import type { TableSource } from '../data/table.ts';
import type { Communicate, EngineName } from '../engines/engine.ts';
import type { Dtype } from '../partition/layout.ts';
import type { PartitionKind } from '../partition/plan.ts';
import type { PartnerRule, StrategyName, Topology } from '../strategies/choice.ts';
import type { LateRuleName } from '../strategies/parameter-server/late.ts';
import type { OptimizerName } from '../update/index.ts';
import type { RunEvent } from './types.ts';

/** What can be said of a training run; the command line has the same options. Nothing but data and target is needed. */
export interface TrainOptions {
  /** Name of the target column; for arrays, only a name to show. */
  readonly target?: string;
  /** Default 'auto': logistic for a target of two classes, softmax for text with more, else linear. */
  readonly model?: 'auto' | 'linear' | 'logistic' | 'softmax';
  /**
   * Penalty per unit of weight, (l2/2)·‖w‖². Default: 1 / Σ sample weights, as scikit-learn's alpha = 1, C = 1. 'auto': of 20
   * values the one with the lowest validation loss; the result has the bits of that value given by itself.
   */
  readonly l2?: number | 'auto';
  /** Default true. */
  readonly intercept?: boolean;
  /** Default 'null': the intercept-only model; 'zero': all weights and the intercept 0. */
  readonly start?: 'null' | 'zero';
  /** Start at the weights of a trained model: its folder. */
  readonly init?: string;
  /** Default true: numbers are centred and divided by their standard deviation. */
  readonly standardize?: boolean;
  /** Default 'auto'. */
  readonly optimizer?: 'auto' | OptimizerName;
  /** Gradient descent, momentum, Nesterov's method and mini-batches. Default 'auto': from an estimate of the curvature. */
  readonly learningRate?: number | 'auto';
  /** Gradient descent only: 'backtracking' searches for every step. Default 'none'. */
  readonly lineSearch?: 'none' | 'backtracking';
  /** Momentum (default 0.9), and mini-batches (default 0): the share of the last step that is kept. */
  readonly momentum?: number;
  /** Rows of a mini-batch: one step for each of them. Default: all rows at once; 256 with an optimizer of mini-batches. */
  readonly batchSize?: number;
  /**
   * Mini-batches: exactly so many epochs; with another strategy than map-reduce also a part of one, such as 0.25. Default: until the gap
   * is small enough, or with such strategies 10.
   */
  readonly epochs?: number;
  /** Mini-batches: how the rate changes. Default 'auto'; 'constant' where a rate is given. */
  readonly schedule?: 'auto' | 'constant' | 'step' | 'cosine' | 'inverse-sqrt';
  /** Mini-batches: epochs over which the rate rises. Default 0. */
  readonly warmup?: number;
  /** Mini-batches: what gradients are multiplied with. Default 'auto', by what it costs. */
  readonly precondition?: 'auto' | 'none' | 'diagonal' | 'sample';
  /** Default 'map-reduce': all workers together; others take a step for every mini-batch, and wait less (docs/strategies.md). */
  readonly strategy?: StrategyName;
  /** Parameter server: clocks that a worker may be ahead of the slowest; 0 is bulk-synchronous. Default: none waits (asynchronous). */
  readonly staleness?: number;
  /** Parameter server: what becomes of gradients of weights that have changed since. Default 'apply'. */
  readonly late?: LateRuleName;
  /** Parameter server: how many, each with a part of the weights. Default 1. */
  readonly servers?: number;
  /** Parameter server: do again what the run in this folder did, in the order in which it applied gradients. */
  readonly replay?: string;
  /** Local SGD, gossip: steps between two averages. Default by the data; gossip 1. */
  readonly syncEvery?: number;
  /** Local SGD: virtual clients, each with its own rows; they decide bits, workers do not. Default 4. */
  readonly clients?: number;
  /** Local SGD: share of the clients that take part in a round. Default 1. */
  readonly participation?: number;
  /** Local SGD: share of the averaged weights' last change that is kept. Default 0. */
  readonly serverMomentum?: number;
  /** Gossip: who may meet whom. Default 'ring'. */
  readonly topology?: Topology;
  /** Gossip: who of them does. Default 'rotating'. */
  readonly partner?: PartnerRule;
  /** Default 1e-6 (mini-batches 5e-3): of the way from the intercept-only model to the optimum. 0: as precise as the dtype allows. */
  readonly tolerance?: number;
  /** Readings of the training data; default 1000. */
  readonly maxPasses?: number;
  /** Default: none. What was learned until then is the result. */
  readonly timeLimitSeconds?: number;
  /** Decides the split, the shuffling and the order of mini-batches. Default 0. */
  readonly seed?: number;
  /** Storage type of the encoded features; default 'f32'. */
  readonly dtype?: Dtype;
  /** Default 'auto': inline for small data, else threads. */
  readonly engine?: 'auto' | EngineName;
  /** Processes only: how sums move. Default 'peer-to-peer'; 'ring' is for comparison: its bits depend on the number of workers. */
  readonly communicate?: Communicate;
  /** `communicate: 'client-server'` only: how many workers add. Default 1. */
  readonly reducers?: number;
  /** `communicate: 'client-server'` only: so many processes more compute what the slowest workers compute, too; who is first wins. */
  readonly backup?: number;
  /** Processes only: how often each worker is replaced when it is lost, before the run ends with an error. Default 3. */
  readonly maxRestarts?: number;
  /** Processes only: a worker that shows no sign of life for so long is replaced. Default 10. */
  readonly workerTimeoutSeconds?: number;
  /** Processes only: a delay of the connections between workers, such as '2ms', to study it. */
  readonly linkDelay?: string;
  /** Processes only: a rate of each worker's connection, such as '100Mbit', to study it. */
  readonly linkRate?: string;
  /** Processes only: gradients are sent as 'f32', or their largest coordinates, such as 'top-k=1%'. Other bits than without. */
  readonly compress?: string;
  /** Processes only, to see what happens: `RANK@STEP` kills a worker before that reading of the data, `RANK@STEP:PHASE` in a phase. */
  readonly kill?: readonly string[];
  /** The same for a worker that stands still: `RANK@STEP=2s`. */
  readonly pause?: readonly string[];
  /** A worker that computes slowly: `RANK=3x`. */
  readonly slow?: readonly string[];
  /** Ray only: address of the cluster's dashboard, `http://HOST:8265`. Default: the local cluster (`paragrad cluster start ray`). */
  readonly rayAddress?: string;
  /** Ray only: file with the cluster's token. Default: RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH, `~/.ray/auth_token`. */
  readonly rayTokenFile?: string;
  /** Ray only: 'send' the data with the job, or 'shared': all nodes see their folder at the same path. Default 'auto'. */
  readonly rayData?: 'auto' | 'send' | 'shared';
  /** Ray only: the Node.js of the cluster's nodes, or that of this machine, which is sent. Default 'system'. */
  readonly node?: 'system' | 'ship';
  /** Processes only: wait at this address, `HOST:PORT`, for machines that join (`paragrad worker --join HOST:PORT`). */
  readonly bind?: string;
  /** Processes only: machines that listen (`paragrad worker --listen`), each `HOST:PORT`. */
  readonly hosts?: readonly string[];
  /** `bind` or `hosts`: file with the key of the run (`paragrad key FILE`). Default: PARAGRAD_KEY of the environment. */
  readonly keyFile?: string;
  /** `bind` or `hosts`: how long to wait for a machine, at the beginning and when one was lost. Default 300. */
  readonly joinTimeoutSeconds?: number;
  /**
   * Default: one per core, and no more than there are chunks (or column blocks). '2:6', with the engines processes and ray: workers
   * may come and go on the way, from 2 to 6; with synchronous strategies and local SGD the result has the same bits all the same.
   */
  readonly workers?: number | string;
  /** Default 'auto': rows. */
  readonly partition?: 'auto' | PartitionKind;
  /** Default 0.2. */
  readonly validationFraction?: number;
  /** Rows with the same value of this column are in the same set, of which `validationFraction` are for validation; no feature. */
  readonly splitBy?: string;
  /** `COLUMN=VALUE`: rows whose number or time is above it are for validation, all others for training. */
  readonly validationAfter?: string;
  /** Files with the rows for validation: all rows of the source are then for training. */
  readonly validationData?: TableSource;
  /** Rows that are summed as a unit, a multiple of 16. Default: as many as 4 MiB hold, but a 64th of all. */
  readonly chunkRows?: number;
  /** Encoded columns that are multiplied as a unit. Default: an eighth of them. */
  readonly blockColumns?: number;
  /** Default 'windows': rows are mixed inside each chunk. */
  readonly shuffle?: 'windows' | 'none';
  /** Label of the class that is predicted; default: the later one in byte order. */
  readonly positive?: string;
  /** Columns to treat as categories, as numbers, or to leave out. */
  readonly category?: readonly string[];
  readonly number?: readonly string[];
  readonly drop?: readonly string[];
  /** Columns of a table that are no features: sample weights ≥ 0; what is added to each row's x·w; names of rows, for predictions. */
  readonly weight?: string;
  readonly offset?: string;
  readonly id?: string;
  /** A value that is not of its column's kind, or not finite. Default 'error'; 'skip' its row; 'impute': count it as missing. */
  readonly badRows?: 'error' | 'skip' | 'impute';
  /** Train on the natural logarithm of a numeric target, which must be above 0; predictions are in its own units. */
  readonly logTarget?: boolean;
  /** 'balanced': all classes have the same weight in training. Default 'none'. */
  readonly classWeight?: 'none' | 'balanced';
  /** Default 256; rarer values share one column. */
  readonly maxCategories?: number;
  /** Run and model folder; undefined: nothing is written. */
  readonly out?: string;
  /** Replace an existing `out`. */
  readonly force?: boolean;
  /** State to go on from (`resume`) is saved in `out` this often, and when a limit or an abort ends the run. Default 60; 0: at every update. */
  readonly checkpointSeconds?: number;
  /** End after this many updates without a lower validation loss, with the weights of the lowest. Default: no. */
  readonly earlyStopping?: number;
  /** Put every worker's partial gradient of the first step into the summary. */
  readonly explain?: boolean;
  /** Default 'wasm'; 'reference' is slow, for tests and study: the same bits. */
  readonly kernels?: 'wasm' | 'reference';
  /** Aborted: the run ends after its step, with what was learned until then. */
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: RunEvent) => void;
}
