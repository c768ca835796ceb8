import type { Speculated } from '../communicate/backups.ts';
import type { BadRows } from '../data/bad-rows.ts';
import type { ClassWeights } from '../data/class-weights.ts';
import type { Communicate, EngineName } from '../engines/engine.ts';
import type { SoftmaxMetrics } from '../models/class-metrics.ts';
import type { ClassMetrics, RegressionMetrics } from '../models/metrics.ts';
import type { RunCosts } from '../monitor/costs.ts';
import type { Dtype } from '../partition/layout.ts';
import type { PartitionKind } from '../partition/plan.ts';
import type { StrategyName } from '../strategies/choice.ts';
import type { Crew, FirstStep, L2Value, Restart, StepRecord } from '../strategies/job.ts';
import type { EndReason } from '../update/optimizer.ts';

/** What happens in a run, in order. */
export type RunEvent =
  | { readonly kind: 'download'; readonly source: string; readonly bytes: number; readonly total: number | undefined }
  | { readonly kind: 'reading'; readonly part: 'statistics' | 'encode'; readonly rows: number }
  | { readonly kind: 'schema'; readonly schema: SchemaSummary }
  | { readonly kind: 'plan'; readonly plan: PlanSummary }
  | { readonly kind: 'steps'; readonly steps: readonly StepRecord[] }
  | { readonly kind: 'note'; readonly text: string }
  | { readonly kind: 'saved'; readonly path: string };

/** What a table is to a model: its rows, and its columns by their use. */
export interface SchemaSummary {
  readonly source: string;
  readonly target: string;
  readonly model: 'linear' | 'logistic' | 'softmax';
  /** Why this model, when it was chosen from the data. */
  readonly modelReason: string | undefined;
  /** Labels by class number: of logistic models negative and positive, of softmax all. */
  readonly classes: readonly string[] | undefined;
  readonly rows: number;
  readonly trainingRows: number;
  readonly validationRows: number;
  /** Rows left out because their target is missing. */
  readonly skippedRows: number;
  /** Feature columns of the source, by kind. */
  readonly features: Readonly<Record<'number' | 'boolean' | 'category' | 'date', number>>;
  readonly encodedColumns: number;
  /** Columns of weights, offsets and names of rows, where there are any. */
  readonly weight?: string | undefined;
  readonly offset?: string | undefined;
  readonly id?: string | undefined;
  /** The model was trained on the logarithm of the target. */
  readonly logTarget?: boolean;
  /** What the training rows of each class were weighted with. */
  readonly classWeights?: ClassWeights | undefined;
  /** What was skipped, or counted as missing, because it is wrong (`badRows`). */
  readonly badRows?: BadRows | undefined;
  /** Source columns that give no encoded column, and why. */
  readonly leftOut: readonly { readonly column: string; readonly why: string }[];
}

/** Who owns what, and what a step moves: a pure function of shape and options. */
export interface PlanSummary {
  readonly engine: EngineName;
  readonly partition: PartitionKind;
  /** The most, where they may come and go. */
  readonly workers: number;
  /** The least, where they may come and go. */
  readonly leastWorkers?: number;
  readonly dtype: Dtype;
  readonly rows: number;
  readonly columns: number;
  readonly chunkRows: number;
  readonly chunks: number;
  readonly blockColumns: number;
  readonly blocks: number;
  /** How sums move between workers that share no memory. */
  readonly communicate?: Communicate;
  /** Of a strategy that takes mini-batches: what it sends in place of the sums of all rows that shares tell of. */
  readonly strategy?: StrategyPlan;
  readonly shares: readonly {
    readonly rank: number;
    /** Training rows [rowBegin, rowEnd), encoded columns [columnBegin, columnEnd). */
    readonly rowBegin: number;
    readonly rowEnd: number;
    readonly columnBegin: number;
    readonly columnEnd: number;
    readonly bytes: number;
    /** Tree nodes that it hands over per gradient, and bytes of them; bytes of partial dots where columns are split. */
    readonly nodes: number;
    readonly gradientBytes: number;
    readonly dotBytes: number;
    /** Messages of one gradient, and bytes of values in them, where workers share no memory. */
    readonly sent?: { readonly messages: number; readonly bytes: number };
  }[];
}

/** What a strategy of mini-batches does and sends, beside the passes over all rows before its first step and after its last. */
export interface StrategyPlan {
  readonly name: StrategyName;
  readonly batchRows: number;
  readonly epochs: number;
  /** Numbers that are trained, intercepts among them. */
  readonly weights: number;
  /** What goes round: a worker's push and what the servers grant, one of all workers, an average, a meeting of partners, a step. */
  readonly unit: 'push' | 'clock' | 'round' | 'meeting' | 'step';
  readonly unitsPerEpoch: number;
  /** For whom, in words. */
  readonly waits: string;
  readonly sends: readonly StrategySend[];
}

/** What a rank sends in one of these. */
export interface StrategySend {
  readonly rank: number;
  readonly role: 'worker' | 'server';
  /** 0 where ranks have memory in common. */
  readonly messages: number;
  /** Of values, and what goes with them. */
  readonly bytes: number;
  /** Of a server: which weights [begin, end). */
  readonly weights?: { readonly begin: number; readonly end: number };
}

/** What the model makes of an encoded column. */
export interface Coefficient {
  /** Softmax: the label of the class whose z it changes. */
  readonly class?: string;
  /** Encoded column: `Lot_Area`, `Neighborhood=North_Ames`, `Lot_Frontage missing`. */
  readonly name: string;
  /** In the user's own units: change of z per unit of the source column (or for the category). */
  readonly value: number;
  /** In encoded units: what was trained. */
  readonly standardized: number;
  /** Decides the ranking: |standardized| × the column's spread. */
  readonly importance: number;
}

/** The result of a run: what `--json` prints. Everything is JSON (NaN and infinities as null). */
export interface RunSummary {
  readonly weightsSha256: string;
  /** Objective at the returned weights, penalty included, and of the intercept-only model. */
  readonly loss: number;
  readonly nullLoss: number;
  /** Without penalty. */
  readonly dataLoss: number;
  readonly validationLoss: number | null;
  readonly passes: number;
  readonly iterations: number;
  readonly gap: number | null;
  readonly converged: boolean;
  readonly reason: EndReason;
  readonly seconds: { readonly total: number; readonly read: number; readonly encode: number; readonly train: number };
  readonly validation: RegressionMetrics | ClassMetrics | SoftmaxMetrics | null;
  readonly model: 'linear' | 'logistic' | 'softmax';
  readonly optimizer: string;
  /** Of mini-batches: rows of one, and epochs: those done, or of strategies that judge none, rows read / rows. */
  readonly batches?: { readonly rows: number; readonly epochs: number };
  readonly l2: number;
  readonly dtype: Dtype;
  readonly seed: number;
  readonly schema: SchemaSummary;
  readonly plan: PlanSummary;
  /** Largest first; of softmax those of all classes together. */
  readonly coefficients: readonly Coefficient[];
  /** Of softmax: of the first class. */
  readonly intercept: number;
  /** Softmax: of every class. */
  readonly intercepts?: readonly { readonly class: string; readonly value: number }[];
  readonly notes: readonly string[];
  readonly out: string | null;
  /** With `l2: 'auto'`: what was tried, from large to small. */
  readonly l2Path?: readonly L2Value[];
  readonly firstStep?: FirstStep;
  /** With `backup`: whose parts were computed twice, in how many sums, and in how many of them the backup was first. */
  readonly speculated?: readonly Speculated[];
  /** Workers that were lost and replaced. */
  readonly restarts?: readonly Restart[];
  /** How many workers there were from when on, where they may come and go. */
  readonly crews?: readonly Crew[];
  /** Who waited for whom, and where every rank's time went. */
  readonly costs?: RunCosts;
}
