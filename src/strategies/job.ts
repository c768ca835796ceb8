import type { Speculated } from '../communicate/backups.ts';
import type { Traffic } from '../communicate/collective.ts';
import type { ClassWeights, DataStore } from '../data/store.ts';
import type { Model } from '../models/model.ts';
import type { RunCosts } from '../monitor/costs.ts';
import type { Layout } from '../partition/layout.ts';
import type { Partition } from '../partition/plan.ts';
import type { EndReason, OptimizerOptions, Outcome, Progress } from '../update/optimizer.ts';
import type { GradientSums, Vector } from '../update/pass.ts';
import type { StrategyChoice } from './choice.ts';

/** What every rank of a training run is told. Survives `structuredClone`. */
export interface TrainingJob {
  readonly store: DataStore;
  /** Where processes find the data; engines that share memory read the store. */
  readonly source?: DataSource | undefined;
  readonly partition: Partition;
  /** The partition is that of the most workers: they may come and go. Undefined: always as many as the partition has. */
  readonly elastic?: Elastic | undefined;
  /** Who waits for whom; undefined: synchronous map-reduce. */
  readonly strategy?: StrategyChoice | undefined;
  readonly model: Model['name'];
  /** Softmax: how many, and what they are called. */
  readonly classes?: number | undefined;
  readonly labels?: readonly string[] | undefined;
  /** A name of the optimizer registry, or 'auto'. */
  readonly optimizer: string;
  readonly optimizerOptions: OptimizerOptions;
  /** Penalty per unit of weight; undefined: 1/V; 'auto': the one of several that has the lowest validation loss. */
  readonly l2: number | 'auto' | undefined;
  readonly intercept: boolean;
  /** 'null': the intercept-only model. 'zero': w = 0, b = 0. */
  readonly start: 'null' | 'zero';
  /** Start here instead. */
  readonly initial?: Vector | undefined;
  /** 1 where an encoded column is a 0/1 indicator. */
  readonly indicators: Uint8Array;
  /** Variance of each encoded column over the training rows, as the encoder made them; read for numbers only. */
  readonly columnVariances: Float64Array;
  /** `reference` runs the oracle in place of the SIMD kernels: slow, for tests and study. */
  readonly kernels: 'wasm' | 'reference';
  readonly maxPasses: number;
  /** Of mini-batches; default 0. */
  readonly seed?: number | undefined;
  /** Unix time in ms at which rank 0 ends the run; Infinity: never. */
  readonly endAtMs: number;
  /** Report every rank's partial gradient of the first step. */
  readonly explain: boolean;
  /** Go on from here: split, engine and number of workers may be others than before, data and layout may not. */
  readonly resume?: Checkpoint | undefined;
  /** How often rank 0 hands out a checkpoint; default: only when a limit or an abort ends the run. */
  readonly checkpointEveryMs?: number | undefined;
  /** End after this many updates without a lower validation loss, with the weights of the lowest. */
  readonly earlyStopping?: number | undefined;
}

/** A run whose workers may come and go on its way. */
export interface Elastic {
  /** With fewer workers it does not go on. */
  readonly min: number;
  /** Of the training set: what every other number of workers is planned from. */
  readonly layout: Layout;
}

/** A dataset folder: its path or address, the id of its manifest, and what weights of training rows are multiplied with, by class. */
export interface DataSource {
  readonly folder: string;
  /** Of all shards: where memory is asked for before the workers start. */
  readonly bytes?: number | undefined;
  readonly id: string;
  readonly factors?: ClassWeights | undefined;
}

/** All that a run needs to go on, on any engine, to the bits of an uninterrupted one. */
export interface Checkpoint {
  readonly optimizer: string;
  /** The optimizer's state: plain data. */
  readonly state: unknown;
  /** Σv, Σv·y, Σv·offset and Σv·x of the training rows: other data have others. */
  readonly fingerprint: Float64Array;
  readonly watch: ValidationWatch | undefined;
  readonly steps: readonly StepRecord[];
  /** What `l2: 'auto'` has chosen. */
  readonly path?: L2Path | undefined;
  /** Of map-reduce: readings that its loop had done. */
  readonly taken?: number | undefined;
  /** Of strategies of mini-batches. */
  readonly origin?: RunOrigin | undefined;
}

/** Where a run began, which decides what is made again when it goes on (metric, rate), and how long it has trained until now. */
export interface RunOrigin {
  readonly start: Vector;
  readonly trainedMs: number;
}

/** Early stopping: the lowest validation loss so far, and updates since. */
export interface ValidationWatch {
  readonly loss: number;
  readonly since: number;
  readonly outcome: Outcome;
}

/** A penalty that `--l2 auto` tried. */
export interface L2Value {
  readonly l2: number;
  /** Σ v·loss / V over the validation rows and over the training rows, without penalty. */
  readonly validationLoss: number;
  readonly trainingLoss: number;
  readonly passes: number;
  readonly reason: EndReason;
}

/** All of them, from large to small, and the one of the lowest validation loss (of equals the larger). */
export interface L2Path {
  readonly values: readonly L2Value[];
  readonly best: number;
}

/** A rank's share of the first gradient, for `--explain`. */
export interface PartialGradient {
  readonly rank: number;
  /** Tree nodes that it sent, and their bytes. */
  readonly nodes: number;
  readonly bytes: number;
  /** Encoded columns [columnBegin, columnEnd) that it owns. */
  readonly columnBegin: number;
  readonly columnEnd: number;
  /** Sum of its own chunks, for its own columns (of every class), undivided: loss and intercepts only where it owns block 0. */
  readonly loss: number | undefined;
  readonly intercept: number | undefined;
  /** Softmax: of the classes after the first. */
  readonly others?: Float64Array | undefined;
  readonly columns: Float64Array;
}

export interface FirstStep {
  /** Where the gradient was taken. */
  readonly start: Vector;
  readonly partials: readonly PartialGradient[];
  readonly sum: GradientSums;
  /** What the sums are divided by: V. */
  readonly divisor: number;
  readonly l2: number;
}

/** One update of the weights, as recorded. */
export interface StepRecord extends Progress {
  /** Milliseconds since training began. */
  readonly atMs: number;
}

/** What rank 0 reports at the end. */
export interface TrainingOutcome {
  readonly outcome: Outcome;
  readonly reason: EndReason;
  readonly optimizer: string;
  readonly progress: Progress;
  readonly weightSum: number;
  /** Σ v·x_j / V */
  readonly columnMeans: Float64Array;
  readonly l2: number;
  readonly nullLoss: number;
  /** Σ v·loss / V at the returned weights, without penalty. */
  readonly dataLoss: number;
  /** The same over the validation rows; NaN without any. */
  readonly validationLoss: number;
  readonly steps: readonly StepRecord[];
  readonly notes: readonly string[];
  /** With `l2: 'auto'`. */
  readonly path: L2Path | undefined;
  readonly firstStep: FirstStep | undefined;
  readonly traffic: Traffic;
  readonly trainMs: number;
  /** Where every rank's time went. */
  readonly costs?: RunCosts | undefined;
  /** Parameter server: what each server applied, in order, for a replay. */
  readonly orders?: readonly Int32Array[] | undefined;
  /** Workers whose nodes were computed by a backup, too. */
  readonly speculated?: readonly Speculated[] | undefined;
  /** Workers that were lost and replaced on the way, where an engine does that. */
  readonly restarts?: readonly Restart[] | undefined;
  /** With workers that come and go: how many there were at the beginning, and from every change on. */
  readonly crews?: readonly Crew[] | undefined;
}

/** How many workers a part of a run had. */
export interface Crew {
  /** Of the first group with as many. */
  readonly generation: number;
  readonly workers: number;
  /** Of the workers of the group before: how many had left, and were lost. */
  readonly left: number;
  readonly lost: number;
  /** Who was new. */
  readonly joined: number;
  /** Steps that were done before: passes of a synchronous run, updates of a parameter server, rounds of local SGD. */
  readonly steps: number;
  /** Milliseconds since the beginning of the training. */
  readonly atMs: number;
}

/** A worker that was lost in the middle of a run. */
export interface Restart {
  readonly rank: number;
  /** Of the group that it was lost from: how often work had been taken up again before. */
  readonly generation: number;
  /** What happened to it, in words. */
  readonly why: string;
  /** What it was doing, as far as is known. */
  readonly phase: string;
}
