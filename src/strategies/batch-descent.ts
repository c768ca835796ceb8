import { type KernelLoss, STEP, STEP_WORDS } from '../kernels/kernels.ts';
import { CACHE_LINE_BYTES, type Layout } from '../partition/layout.ts';
import type { PlainSteps } from '../update/pass.ts';
import type { BatchDesk } from './batch-desk.ts';

/** Of batches: their numbers, and how many entries they have. */
interface Table {
  readonly factors: Float64Array;
  readonly counts: Uint32Array;
}

/** Plain steps in one call of a kernel, for batches listed one after the other on the only desk; memory is kept between calls. */
export class BatchDescent {
  readonly #loss: KernelLoss;
  readonly #layout: Layout;
  readonly #desk: BatchDesk;
  /** Weights, then the intercept; their mean. */
  readonly #coordinates: Float64Array;
  readonly #mean: Float64Array;
  #table: Table | undefined;

  constructor(loss: KernelLoss, layout: Layout, desk: BatchDesk) {
    this.#loss = loss;
    this.#layout = layout;
    this.#desk = desk;
    const { scratch } = desk.workplace;
    const bytes = (layout.columns + 1) * 8 + CACHE_LINE_BYTES;
    this.#coordinates = scratch.f64(scratch.at('batch coordinates', bytes), layout.columns + 1);
    this.#mean = scratch.f64(scratch.at('batch mean', bytes), layout.columns + 1);
  }

  /** Makes room for so many batches. */
  begin(count: number): void {
    if (this.#table !== undefined && this.#table.factors.length >= count * STEP_WORDS) return;
    const { scratch } = this.#desk.workplace;
    const words = 2 * count * STEP_WORDS;
    const address = scratch.at('batch steps', words * 8);
    this.#table = { factors: scratch.f64(address, words), counts: new Uint32Array(scratch.memory.buffer, address, 2 * words) };
  }

  /** The i-th batch has so many entries of the list. */
  put(i: number, entries: number, steps: PlainSteps): void {
    const { factors, counts } = this.#table as Table;
    const word = i * STEP_WORDS;
    counts[2 * (word + STEP.entries)] = entries;
    factors[word + STEP.divisor] = steps.factors[3 * i];
    factors[word + STEP.rate] = steps.factors[3 * i + 1];
    factors[word + STEP.share] = steps.factors[3 * i + 2];
  }

  /** Takes the steps; `chunks`: most of any batch. */
  run({ count, l2, intercept, coordinates, mean }: PlainSteps, chunks: number): void {
    const { listAddress: list, lines, accumulators, workplace } = this.#desk;
    const { factors } = this.#table as Table;
    const { columns, blockColumns } = this.#layout;
    const [at, means] = [this.#coordinates, this.#mean];
    at.set(coordinates);
    means.set(mean);
    const w = this.#desk.put(0, coordinates, 0);
    const out = this.#desk.out(0, chunks);
    const listed = { list, steps: factors.byteOffset, count };
    const [a, m] = [at.byteOffset, means.byteOffset];
    workplace.kernels.descendList(this.#loss, listed, columns, blockColumns, w, a, m, l2, intercept, lines, accumulators, out);
    coordinates.set(at);
    mean.set(means);
  }
}
