import type { Collective, Part } from '../communicate/collective.ts';
import { addressOf, type ChunkPlace, type DataStore, panelStrideOf } from '../data/store.ts';
import { ACCUMULATOR_BYTES, type KernelLoss, LIST, LIST_WORDS } from '../kernels/kernels.ts';
import { type Batch, BatchOrder, type BatchPanels, emptyBatch, type PanelRange } from '../partition/batch.ts';
import { bytesPerValue, CACHE_LINE_BYTES, columnOfBlock, type Layout, panelRows } from '../partition/layout.ts';
import type { Share } from '../partition/plan.ts';
import { coverOf } from '../partition/tree.ts';
import type { GradientSums, Vector } from '../update/pass.ts';
import { BatchDots } from './batch-dots.ts';
import { SlotTree } from './slot-tree.ts';
import type { Workplace } from './workplace.ts';

/** Row scalars ahead of the columns: Σv·loss, Σv·d. */
const SCALARS = 2;

/** The entries of a batch that lie in one segment. */
interface Run {
  readonly segment: number;
  readonly count: number;
  /** Chunks of them, ascending. */
  readonly chunks: readonly number[];
}

/**
 * The gradient of a mini-batch: sums of this rank's own chunks and columns, as tree nodes. Panels are chosen by `BatchOrder`, so
 * every rank knows the rows of all, and chunks without a row in the batch are missing. With a range of panels (a worker's own) the
 * batches are those of that range alone. Made for small batches: memory is kept from one to the next.
 */
export class BatchCells {
  readonly order: BatchOrder;
  readonly #store: DataStore;
  readonly #share: Share;
  readonly #loss: KernelLoss;
  readonly #workplaces: readonly Workplace[];
  readonly #dots: BatchDots | undefined;
  readonly #panels: BatchPanels = emptyBatch();
  readonly #tree: SlotTree;
  readonly #columns: { readonly begin: number; readonly count: number };
  readonly #lists = new Map<number, Uint32Array<SharedArrayBuffer>>();
  readonly #weights = new Map<string, { readonly address: number; readonly values: Float32Array | Float64Array }>();

  /** `seed`: of the run. `range`: of panels, default all. `row`: the ranks that share the chunks, read where columns are split. */
  constructor(
    store: DataStore,
    share: Share,
    loss: KernelLoss,
    workplaces: readonly Workplace[],
    row: Collective,
    seed: number,
    range?: PanelRange,
  ) {
    const { layout } = store.training;
    this.order = new BatchOrder(layout, seed, range);
    this.#store = store;
    this.#share = share;
    this.#loss = loss;
    this.#workplaces = workplaces;
    const begin = columnOfBlock(layout, share.blockBegin);
    this.#columns = { begin, count: columnOfBlock(layout, share.blockEnd) - begin };
    const whole = this.#columns.count === layout.columns && share.blockBegin === 0;
    this.#dots = whole ? undefined : new BatchDots(store.training, share, loss, row, workplaces);
    this.#tree = new SlotTree(coverOf(share.chunkBegin, share.chunkEnd, layout.chunks), layout.chunks, workplaces);
  }

  /** Length of the vector that is reduced, for k weight vectors. */
  lengthOf(vectors: number): number {
    return vectors * (SCALARS + this.#store.training.layout.columns);
  }

  /** Whether all columns are here, so that `parts` answers at once. */
  get isWhole(): boolean {
    return this.#dots === undefined;
  }

  /** This rank's nodes, good until the next call; a promise where columns are split. */
  parts(batch: Batch, at: readonly Vector[]): Part[] | Promise<Part[]> {
    const runs = this.#select(batch);
    if (this.#dots === undefined) {
      this.#gradients(runs, at);
      return this.#nodes(runs, at.length);
    }
    const outs = (segment: number, chunks: number): number[] => at.map((_, k) => this.#out(segment, k, chunks));
    const weights = (segment: number): number[] => at.map(({ weights: w }, k) => this.#weightsAt(segment, k, w));
    return this.#dots.gradients(this.#lists, runs, at, weights, outs).then(() => this.#nodes(runs, at.length));
  }

  /**
   * The sums of a batch of which every chunk and column is this rank's own: no communication. The arrays hold until the next call.
   */
  sums(batch: Batch, at: readonly Vector[]): GradientSums[] {
    const runs = this.#select(batch);
    this.#gradients(runs, at);
    const { columns } = this.#store.training.layout;
    return at.map((_, k) => {
      const outs = runs.map(({ segment, chunks }) => this.#out(segment, k, chunks.length));
      const sums = this.#tree.root(runs, outs, SCALARS + columns, k);
      return sumsAt(sums ?? new Float64Array(SCALARS + columns), 0, columns);
    });
  }

  /** From the root of the reduction. */
  answer(values: Float64Array, vectors: number): GradientSums[] {
    const { columns } = this.#store.training.layout;
    return Array.from({ length: vectors }, (_, k) => sumsAt(values, k * (SCALARS + columns), columns));
  }

  /** Lists the own panels of a batch, segment by segment. */
  #select(batch: Batch): Run[] {
    const { training } = this.#store;
    const { layout } = training;
    const { count, numbers, begins, ends } = this.order.select(batch, this.#panels);
    const P = panelRows(layout.dtype);
    const perChunk = layout.chunkRows / P;
    const stride = panelStrideOf(training);
    const last = this.#share.chunkEnd * perChunk;
    const runs: { segment: number; count: number; chunks: number[] }[] = [];
    let run: (typeof runs)[number] | undefined;
    let list: Uint32Array = new Uint32Array(0);
    let chunk = -1;
    let place: ChunkPlace = { segment: -1, x: 0, y: 0, v: 0, offset: 0 };
    let x = 0;
    for (let i = firstAtLeast(numbers, count, this.#share.chunkBegin * perChunk); i < count && numbers[i] < last; i += 1) {
      const number = numbers[i];
      const next = Math.floor(number / perChunk);
      if (next !== chunk) {
        chunk = next;
        place = training.chunks[chunk];
        x = addressOf(training, place, this.#columns.begin);
        if (run === undefined || run.segment !== place.segment) {
          run = { segment: place.segment, count: 0, chunks: [] };
          runs.push(run);
          list = this.#listOf(place.segment, count);
        }
        run.chunks.push(chunk);
      }
      const panel = number - chunk * perChunk;
      const rowAt = panel * P * 8;
      const entry = (run as { count: number }).count * LIST_WORDS;
      list[entry + LIST.x] = x + panel * stride;
      list[entry + LIST.y] = place.y + rowAt;
      list[entry + LIST.v] = place.v + rowAt;
      list[entry + LIST.offset] = place.offset === 0 ? 0 : place.offset + rowAt;
      list[entry + LIST.panel] = panel;
      list[entry + LIST.begin] = begins[i];
      list[entry + LIST.end] = ends[i];
      list[entry + LIST.chunk] = chunk;
      (run as { count: number }).count += 1;
    }
    return runs;
  }

  #gradients(runs: readonly Run[], at: readonly Vector[]): void {
    const { columns, blockColumns } = this.#store.training.layout;
    for (const { segment, count, chunks } of runs) {
      const { kernels, scratch } = this.#workplaces[segment];
      const list = this.#listOf(segment, count).byteOffset;
      const lines = scratch.at('batch rows', 4 * CACHE_LINE_BYTES);
      const accumulators = this.#accumulators(segment, columns);
      for (let k = 0; k < at.length; k += 1) {
        const w = this.#weightsAt(segment, k, at[k].weights);
        const out = this.#out(segment, k, chunks.length);
        kernels.gradientList(this.#loss, list, count, columns, blockColumns, w, at[k].intercept, lines, accumulators, out);
      }
    }
  }

  /** Accumulators that are +0: kernels leave them so. */
  #accumulators(segment: number, columns: number): number {
    return this.#workplaces[segment].scratch.at('batch accumulators', columns * ACCUMULATOR_BYTES + CACHE_LINE_BYTES);
  }

  /** Where the sums of a segment's chunks go, for vector k: scalars and own columns, chunk after chunk. */
  #out(segment: number, k: number, chunks: number): number {
    return this.#workplaces[segment].scratch.at(`batch sums ${k}`, chunks * (SCALARS + this.#columns.count) * 8 + CACHE_LINE_BYTES);
  }

  #listOf(segment: number, count: number): Uint32Array<SharedArrayBuffer> {
    const known = this.#lists.get(segment);
    if (known !== undefined && known.length >= count * LIST_WORDS) return known;
    const { scratch } = this.#workplaces[segment];
    const room = 2 * count + 16;
    const address = scratch.at('batch list', room * LIST_WORDS * 4);
    const list = new Uint32Array(scratch.memory.buffer, address, room * LIST_WORDS);
    this.#lists.set(segment, list);
    return list;
  }

  /** Own weights in T, in a segment. */
  #weightsAt(segment: number, k: number, weights: Float64Array): number {
    const { begin, count } = this.#columns;
    const key = `${segment}/${k}`;
    let known = this.#weights.get(key);
    if (known === undefined) {
      known = weightsIn(this.#store.training.layout, this.#workplaces[segment], k, count);
      this.#weights.set(key, known);
    }
    const { values } = known;
    for (let j = 0; j < count; j += 1) values[j] = weights[begin + j];
    return known.address;
  }

  /** The nodes of the reduction, cut into the coordinates that this rank owns. */
  #nodes(runs: readonly Run[], vectors: number): Part[] {
    const { columns } = this.#store.training.layout;
    const { begin: from, count: own } = this.#columns;
    const parts: Part[] = [];
    for (let k = 0; k < vectors; k += 1) {
      const at = k * (SCALARS + columns);
      const outs = runs.map(({ segment, chunks }) => this.#out(segment, k, chunks.length));
      for (const { node, values } of this.#tree.nodes(runs, outs, SCALARS + own, k)) {
        if (own === columns) parts.push({ node, begin: at, end: at + SCALARS + columns, values });
        else {
          if (this.#share.blockBegin === 0) parts.push({ node, begin: at, end: at + SCALARS, values: values?.subarray(0, SCALARS) });
          const begin = at + SCALARS + from;
          parts.push({ node, begin, end: begin + own, values: values?.subarray(SCALARS) });
        }
      }
    }
    return parts;
  }
}

function weightsIn(
  layout: Layout,
  { scratch }: Workplace,
  k: number,
  count: number,
): { address: number; values: Float32Array | Float64Array } {
  const address = scratch.at(`batch weights ${k}`, count * bytesPerValue(layout.dtype) + CACHE_LINE_BYTES);
  const { buffer } = scratch.memory;
  return { address, values: layout.dtype === 'f32' ? new Float32Array(buffer, address, count) : new Float64Array(buffer, address, count) };
}

function sumsAt(values: Float64Array, at: number, columns: number): GradientSums {
  return { loss: values[at], intercept: values[at + 1], columns: values.subarray(at + SCALARS, at + SCALARS + columns) };
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
