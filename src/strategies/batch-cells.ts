import type { Collective, Part } from '../communicate/collective.ts';
import { addressOf, type DataStore, panelStrideOf } from '../data/store.ts';
import { type KernelLoss, LIST, LIST_WORDS, type Loss } from '../kernels/kernels.ts';
import { type Batch, BatchOrder, type BatchPanels, emptyBatch, type PanelRange } from '../partition/batch.ts';
import { columnOfBlock, panelRows } from '../partition/layout.ts';
import type { Share } from '../partition/plan.ts';
import { coverOf } from '../partition/tree.ts';
import type { GradientSums, PlainSteps, Vector } from '../update/pass.ts';
import { BatchDescent } from './batch-descent.ts';
import { BatchDesk } from './batch-desk.ts';
import { BatchDots } from './batch-dots.ts';
import { BatchSoftmax } from './batch-softmax.ts';
import { SlotTree } from './slot-tree.ts';
import type { Workplace } from './workplace.ts';

/**
 * The gradient of a mini-batch: sums of this rank's own chunks and columns, as tree nodes. Panels are chosen by `BatchOrder`, so
 * every rank knows the rows of all, and chunks without a row in the batch are missing. With a range of panels (a worker's own) the
 * batches are those of that range alone. Made for small batches: memory is kept from one to the next.
 */
export class BatchCells {
  readonly order: BatchOrder;
  readonly #store: DataStore;
  readonly #share: Share;
  readonly #loss: Loss;
  readonly #outputs: number;
  /** Row scalars ahead of the columns: Σv·loss, and Σv·d of every output. */
  readonly #scalars: number;
  readonly #softmax: BatchSoftmax | undefined;
  readonly #workplaces: readonly Workplace[];
  readonly #dots: BatchDots | undefined;
  readonly #panels: BatchPanels = emptyBatch();
  readonly #tree: SlotTree;
  readonly #columns: { readonly begin: number; readonly count: number };
  readonly #desks: BatchDesk[] = [];
  #descent: BatchDescent | undefined;
  /** Those with panels of the batch at hand, ascending. */
  readonly #busy: BatchDesk[] = [];
  /** The columns of the last roots, by vector: views on the memory where they stand. */
  readonly #roots: { readonly values: Float64Array; readonly columns: Float64Array; readonly others?: Float64Array }[] = [];

  /**
   * `seed`: of the run. `range`: of panels, default all. `row`: the ranks that share the chunks, read where columns are split.
   * `outputs`: of softmax its classes.
   */
  constructor(
    store: DataStore,
    share: Share,
    loss: Loss,
    workplaces: readonly Workplace[],
    row: Collective,
    seed: number,
    range?: PanelRange,
    outputs = 1,
  ) {
    const { layout } = store.training;
    this.order = new BatchOrder(layout, seed, range);
    this.#store = store;
    this.#share = share;
    this.#loss = loss;
    this.#outputs = outputs;
    this.#scalars = 1 + outputs;
    this.#workplaces = workplaces;
    const begin = columnOfBlock(layout, share.blockBegin);
    this.#columns = { begin, count: columnOfBlock(layout, share.blockEnd) - begin };
    const whole = this.#columns.count === layout.columns && share.blockBegin === 0;
    const softmax = loss === 'softmax' ? new BatchSoftmax(layout, panelStrideOf(store.training), outputs, this.#columns.count) : undefined;
    this.#softmax = softmax;
    this.#dots = whole
      ? undefined
      : new BatchDots(store.training, share, softmax === undefined ? { loss: loss as KernelLoss } : { softmax, outputs }, row);
    this.#tree = new SlotTree(coverOf(share.chunkBegin, share.chunkEnd, layout.chunks), layout.chunks);
  }

  /** Length of the vector that is reduced, for k weight vectors. */
  lengthOf(vectors: number): number {
    return vectors * this.#vectorLength(this.#store.training.layout.columns);
  }

  /** Row scalars, and so many columns of every output. */
  #vectorLength(columns: number): number {
    return this.#scalars + this.#outputs * columns;
  }

  /** Whether all columns are here, so that `parts` and `sums` answer at once. */
  get isWhole(): boolean {
    return this.#dots === undefined;
  }

  /** This rank's nodes, good until the next call; a promise where columns are split. */
  parts(batch: Batch, at: readonly Vector[]): Part[] | Promise<Part[]> {
    this.#select(batch);
    if (this.#dots !== undefined) return this.#dots.gradients(this.#busy, at).then(() => this.#nodes(at.length));
    this.#gradients(at);
    return this.#nodes(at.length);
  }

  /**
   * The sums of the batch's rows in own chunks, of which all columns must be here: no communication. The arrays hold until the next
   * call.
   */
  sums(batch: Batch, at: readonly Vector[]): GradientSums[] {
    this.#select(batch);
    this.#gradients(at);
    const { columns } = this.#store.training.layout;
    const answers: GradientSums[] = [];
    for (let k = 0; k < at.length; k += 1) {
      const length = this.#vectorLength(columns);
      const values = this.#tree.root(this.#busy, length, k) ?? new Float64Array(length);
      let root = this.#roots[k];
      if (root?.values !== values) {
        root = { values, columns: values.subarray(this.#scalars), ...this.#others(values, 0) };
        this.#roots[k] = root;
      }
      const { columns: sums, others } = root;
      answers.push(
        others === undefined
          ? { loss: values[0], intercept: values[1], columns: sums }
          : { loss: values[0], intercept: values[1], columns: sums, others },
      );
    }
    return answers;
  }

  /** Sums of the intercepts after the first, of a vector that begins at `at`. */
  #others(values: Float64Array, at: number): { others?: Float64Array } {
    return this.#outputs === 1 ? {} : { others: values.subarray(at + 2, at + this.#scalars) };
  }

  /**
   * Takes plain steps at once; false where columns are split, data stand in several memories, or there are several outputs: then
   * nothing is changed.
   */
  descend(steps: PlainSteps): boolean {
    if (!this.isWhole || this.#workplaces.length > 1 || this.#loss === 'softmax') return false;
    const { layout } = this.#store.training;
    const { batch, count } = steps;
    this.#clear();
    const desk = this.#begin(0, count * (Math.ceil(batch.size / panelRows(layout.dtype)) + 1));
    this.#descent ??= new BatchDescent(this.#loss, layout, desk);
    this.#descent.begin(count);
    let chunks = 0;
    for (let i = 0; i < count; i += 1) {
      const before = desk.count;
      desk.clearChunks();
      this.#list({ ...batch, index: batch.index + i }, desk);
      this.#descent.put(i, desk.count - before, steps);
      chunks = Math.max(chunks, desk.chunks.length);
    }
    this.#descent.run(steps, chunks);
    return true;
  }

  /** From the root of the reduction. */
  answer(values: Float64Array, vectors: number): GradientSums[] {
    const { columns } = this.#store.training.layout;
    return Array.from({ length: vectors }, (_, k) => {
      const length = this.#vectorLength(columns);
      const at = k * length;
      const sums = values.subarray(at + this.#scalars, at + length);
      return { loss: values[at], intercept: values[at + 1], columns: sums, ...this.#others(values, at) };
    });
  }

  #select(batch: Batch): void {
    this.#clear();
    this.#list(batch, undefined);
  }

  #clear(): void {
    while (this.#busy.length > 0) this.#busy.pop();
  }

  /** Lists the own panels of a batch, segment by segment; on this desk behind what is there. */
  #list(batch: Batch, begun: BatchDesk | undefined): void {
    const { training } = this.#store;
    const { layout } = training;
    const { count, numbers, begins, ends } = this.order.select(batch, this.#panels);
    const P = panelRows(layout.dtype);
    const perChunk = layout.chunkRows / P;
    const stride = panelStrideOf(training);
    const last = this.#share.chunkEnd * perChunk;
    let desk = begun;
    for (let i = firstAtLeast(numbers, count, this.#share.chunkBegin * perChunk); i < count && numbers[i] < last; ) {
      const chunk = Math.floor(numbers[i] / perChunk);
      const place = training.chunks[chunk];
      if (desk?.segment !== place.segment) desk = this.#begin(place.segment, count);
      desk.chunks.push(chunk);
      const { list } = desk;
      const x = addressOf(training, place, this.#columns.begin);
      const end = (chunk + 1) * perChunk;
      for (; i < count && numbers[i] < end; i += 1) {
        const panel = numbers[i] - chunk * perChunk;
        const rowAt = panel * P * 8;
        const entry = desk.count * LIST_WORDS;
        list[entry + LIST.x] = x + panel * stride;
        list[entry + LIST.y] = place.y + rowAt;
        list[entry + LIST.v] = place.v + rowAt;
        list[entry + LIST.offset] = place.offset === 0 ? 0 : place.offset + rowAt;
        list[entry + LIST.panel] = panel;
        list[entry + LIST.begin] = begins[i];
        list[entry + LIST.end] = ends[i];
        list[entry + LIST.chunk] = chunk;
        desk.count += 1;
      }
    }
  }

  #begin(segment: number, panels: number): BatchDesk {
    let desk = this.#desks[segment];
    if (desk === undefined) {
      const { count } = this.#columns;
      desk = new BatchDesk(segment, this.#workplaces[segment], this.#store.training.layout.dtype, count, this.#vectorLength(count));
      this.#desks[segment] = desk;
    }
    desk.clear(panels);
    this.#busy.push(desk);
    return desk;
  }

  #gradients(at: readonly Vector[]): void {
    const { columns, blockColumns } = this.#store.training.layout;
    const loss = this.#loss;
    if (loss === 'softmax') {
      for (const desk of this.#busy)
        for (const [k, vector] of at.entries()) {
          const weights = Array.from({ length: this.#outputs }, (_, c) => desk.put(k * this.#outputs + c, vector.weights, c * columns));
          this.#softmax?.whole(desk, vector, weights, desk.out(k));
        }
      return;
    }
    for (const desk of this.#busy) {
      const { kernels } = desk.workplace;
      for (let k = 0; k < at.length; k += 1) {
        const w = desk.put(k, at[k].weights, 0);
        const b = at[k].intercept;
        const { listAddress, count, lines, accumulators } = desk;
        kernels.gradientList(loss, listAddress, count, columns, blockColumns, w, b, lines, accumulators, desk.out(k));
      }
    }
  }

  /** The nodes of the reduction, cut into the coordinates that this rank owns. */
  #nodes(vectors: number): Part[] {
    const { columns } = this.#store.training.layout;
    const { begin: from, count: own } = this.#columns;
    const parts: Part[] = [];
    for (let k = 0; k < vectors; k += 1) {
      const scalars = this.#scalars;
      const at = k * this.#vectorLength(columns);
      for (const { node, values } of this.#tree.nodes(this.#busy, this.#vectorLength(own), k)) {
        if (own === columns) parts.push({ node, begin: at, end: at + this.#vectorLength(columns), values });
        else {
          if (this.#share.blockBegin === 0) parts.push({ node, begin: at, end: at + scalars, values: values?.subarray(0, scalars) });
          for (let c = 0; c < this.#outputs; c += 1) {
            const begin = at + scalars + c * columns + from;
            parts.push({ node, begin, end: begin + own, values: values?.subarray(scalars + c * own, scalars + (c + 1) * own) });
          }
        }
      }
    }
    return parts;
  }
}

/** Index of the first of `count` ascending numbers that is at least `least`. */
function firstAtLeast(numbers: Float64Array, count: number, least: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (numbers[middle] < least) low = middle + 1;
    else high = middle;
  }
  return low;
}
