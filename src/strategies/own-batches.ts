import type { Collective } from '../communicate/collective.ts';
import { Scratch } from '../data/scratch.ts';
import type { DataStore } from '../data/store.ts';
import type { Kernels, Loss } from '../kernels/kernels.ts';
import type { Share } from '../partition/plan.ts';
import { vectorOn } from '../update/coordinates.ts';
import { BatchCells } from './batch-cells.ts';
import { choiceOf, lossOf } from './batch-setup.ts';
import { panelRange } from './clients.ts';
import type { TrainingJob } from './job.ts';
import type { RankHost } from './strategy.ts';

export interface OwnBatchesOptions {
  readonly store: DataStore;
  readonly share: Share;
  readonly loss: Loss;
  /** Softmax: how many. */
  readonly classes?: number | undefined;
  readonly kernels: (memory: WebAssembly.Memory) => Kernels;
  readonly row: Collective;
  readonly seed: number;
  readonly batchSize: number;
  /**
   * Workers whose gradients count alike: how many. Sums are multiplied with workers · own rows / all rows, so that every row counts
   * alike although shares differ. Default: sums are as they are.
   */
  readonly among?: number;
}

/** Those of a share of a job's rows: a worker's, or a client's. `among`: as in the options. */
export function ownBatches(job: TrainingJob, host: RankHost, share: Share, among?: number): OwnBatches {
  return new OwnBatches({
    store: job.store,
    share,
    ...lossOf(job),
    kernels: host.kernels,
    row: host.row,
    seed: job.seed ?? 0,
    batchSize: choiceOf(job).batchSize,
    ...(among === undefined ? {} : { among }),
  });
}

/** Gradients of the mini-batches of a worker's (or a client's) own range of rows, one after the other, epoch after epoch. */
export class OwnBatches {
  readonly #cells: BatchCells;
  readonly #size: number;
  readonly #sums: Float64Array;
  readonly #weight: number;
  readonly #outputs: number;
  /** Batches of an epoch. */
  readonly perEpoch: number;

  constructor({ store, share, loss, classes = 1, kernels, row, seed, batchSize, among }: OwnBatchesOptions) {
    const { layout } = store.training;
    const workplaces = store.segments.map((memory) => ({ kernels: kernels(memory), scratch: new Scratch(memory) }));
    this.#cells = new BatchCells(store, share, loss, workplaces, row, seed, panelRange(layout, share), classes);
    this.#size = batchSize;
    this.#outputs = classes;
    this.#sums = new Float64Array(classes * (layout.columns + 1));
    this.#weight = among === undefined ? 1 : (among * this.#cells.order.rows) / layout.rows;
    this.perEpoch = Math.max(1, this.#cells.order.batches(batchSize));
  }

  /** Rows of the batches before `number`. */
  rowsUntil(number: number): number {
    const epochs = Math.floor(number / this.perEpoch);
    const { rows } = this.#cells.order;
    return epochs * rows + Math.min(rows, (number - epochs * this.perEpoch) * this.#size);
  }

  /**
   * Raw sums of batch `number` (from 0) at these coordinates, in their order (those of intercepts 0 without): good until the next call.
   * `loss`: Σ v·loss.
   */
  gradient(number: number, coordinates: Float64Array, intercept: boolean): { sums: Float64Array; rows: number; loss: number } {
    const epoch = Math.floor(number / this.perEpoch);
    const batch = { epoch, index: number - epoch * this.perEpoch, size: this.#size };
    const [{ columns, intercept: first, others, loss }] = this.#cells.sums(batch, [vectorOn(coordinates, this.#outputs)]);
    this.#sums.set(columns);
    this.#sums[columns.length] = intercept ? first : 0;
    if (others !== undefined && intercept) this.#sums.set(others, columns.length + 1);
    if (this.#weight !== 1) for (let j = 0; j < this.#sums.length; j += 1) this.#sums[j] *= this.#weight;
    return { sums: this.#sums, rows: this.#cells.order.rowsOf(batch), loss };
  }
}
