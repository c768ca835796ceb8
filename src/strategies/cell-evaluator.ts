import { CONTROL, type Collective, type ControlWord, type Part } from '../communicate/collective.ts';
import { Scratch } from '../data/scratch.ts';
import { addressOf, type DataStore, panelStrideOf, type StoredSet } from '../data/store.ts';
import { assert } from '../errors.ts';
import { ACCUMULATOR_BYTES, type Kernels, LANES, type Loss } from '../kernels/kernels.ts';
import { bytesPerValue, CACHE_LINE_BYTES, columnOfBlock, type Layout, panelRows, panelsOfChunk } from '../partition/layout.ts';
import type { Partition, Share } from '../partition/plan.ts';
import type { Pass, PlainSteps, Sums, SumsOf, Vector } from '../update/pass.ts';
import { BatchCells } from './batch-cells.ts';
import { ChunkTree } from './chunk-tree.ts';
import { DotExchange } from './dot-exchange.ts';
import type { Evaluator } from './evaluator.ts';
import { GramCells } from './gram-cells.ts';
import { foldScalars, type PassKernel, type Piece, passKernelOf } from './pass-kernels.ts';
import { softmaxPassOf } from './softmax-passes.ts';
import { TotalsCells } from './totals-cells.ts';
import type { Workplace } from './workplace.ts';

export interface CellEvaluatorOptions {
  readonly store: DataStore;
  readonly partition: Partition;
  readonly rank: number;
  readonly loss: Loss;
  /** Softmax: how many. */
  readonly classes?: number | undefined;
  readonly kernels: (memory: WebAssembly.Memory) => Kernels;
  /** All ranks. */
  readonly world: Collective;
  /** The ranks that share this rank's chunks, by column; only read where columns are split. */
  readonly row: Collective;
  /** Of mini-batches; default 0. */
  readonly seed?: number | undefined;
  /** Called between chunks: lets an engine in the user's own thread give way to the event loop. */
  readonly pause?: () => Promise<void> | undefined;
  /** Whether the sum of the pass has come while it is computed: somebody else was faster. */
  readonly isReduced?: (() => Promise<boolean>) | undefined;
  /** Sees this rank's own parts of every reduction before they are moved. */
  readonly onParts?: (pass: Pass, parts: readonly Part[]) => void;
}

/** Bytes of x that one call of a kernel takes when several vectors share a reading: it must stay in cache for all of them. */
const PIECE_BYTES = 512 * 1024;

/** Trees whose vectors are kept for the next pass of the same length. */
const MAX_TREES = 6;

/**
 * The replicated evaluator: computes the sums of this rank's own cells (chunks × column blocks), moves them as tree nodes,
 * and has the root on every rank. The same loop for every engine whose workers stay alive; the same bits for every split.
 */
export class CellEvaluator implements Evaluator {
  readonly #options: CellEvaluatorOptions;
  readonly #share: Share;
  readonly #workplaces: readonly Workplace[];
  readonly #trees = new Map<string, ChunkTree>();
  readonly #exchange: DotExchange;
  readonly #totals: TotalsCells;
  readonly #gram: GramCells;
  #batches: BatchCells | undefined;
  #lastControl: ControlWord = CONTROL.go;

  constructor(options: CellEvaluatorOptions) {
    this.#options = options;
    const share = options.partition.shares[options.rank];
    assert(share !== undefined, 'rank without a share');
    this.#share = share;
    this.#workplaces = options.store.segments.map((memory) => ({ kernels: options.kernels(memory), scratch: new Scratch(memory) }));
    this.#exchange = new DotExchange(share, options.row, this.#workplaces);
    const { loss, classes } = options;
    this.#totals = new TotalsCells(share, this.#workplaces, classes);
    this.#gram = new GramCells(options.store, share, { loss, classes: classes ?? 1 }, options.row, this.#workplaces);
  }

  get lastControl(): ControlWord {
    return this.#lastControl;
  }

  async evaluate<P extends Pass>(pass: P, control: ControlWord = CONTROL.go): Promise<SumsOf<P['kind']>> {
    return (await this.#evaluate(pass, control)) as SumsOf<P['kind']>;
  }

  evaluateNow(pass: Pass, control: ControlWord): Sums | undefined {
    if (pass.kind !== 'gradient' || pass.batch === undefined || this.#options.world.size > 1) return undefined;
    const cells = this.#batchCells();
    if (!cells.isWhole) return undefined;
    this.#lastControl = control;
    return { kind: 'gradient', sums: cells.sums(pass.batch, pass.at) };
  }

  descendNow(steps: PlainSteps, control: ControlWord): boolean {
    if (this.#options.world.size > 1 || !this.#batchCells().descend(steps)) return false;
    this.#lastControl = control;
    return true;
  }

  #batchCells(): BatchCells {
    const { store, row, loss, seed } = this.#options;
    assert(loss !== 'softmax', 'mini-batches of a loss with several outputs');
    this.#batches ??= new BatchCells(store, this.#share, loss, this.#workplaces, row, seed ?? 0);
    return this.#batches;
  }

  async #evaluate(pass: Pass, control: ControlWord): Promise<SumsOf<Pass['kind']>> {
    if (pass.kind === 'gradient' && pass.batch !== undefined) {
      const cells = this.#batchCells();
      const parts = await cells.parts(pass.batch, pass.at);
      const vectors = pass.at.length;
      const values = await this.#allReduce(pass, this.#options.store.training.layout.chunks, cells.lengthOf(vectors), parts, control);
      return cells.answer(values, vectors);
    }
    if (pass.kind === 'totals') {
      const set = pass.set === 'validation' ? this.#options.store.validation : this.#options.store.training;
      const tree = this.#tree(set, this.#totals.length(set.layout));
      const { begin, end } = this.#chunks(set);
      this.#totals.compute(set, typeof pass.set === 'string' ? undefined : pass.set, begin, end, tree);
      const values = await this.#reduce(pass, set, tree.finish(), { scalars: this.#totals.scalars, outputs: 1 }, control);
      return this.#totals.answer(values);
    }
    if (pass.kind === 'gram') {
      const { training } = this.#options.store;
      const parts = await this.#gram.compute(pass, this.#options.pause);
      const { chunks } = training.layout;
      const columns = pass.columns?.length ?? training.layout.columns;
      const values = await this.#allReduce(pass, chunks, this.#gram.lengthOf(columns), parts, control);
      return this.#gram.answer(values, columns);
    }
    const { loss, classes } = this.#options;
    const kernel = loss === 'softmax' ? softmaxPassOf(pass, classes ?? 1) : passKernelOf(pass, loss);
    const set = this.#options.store[kernel.set];
    const tree = this.#tree(set, this.#ownScalars(kernel.scalars) + kernel.outputs * this.#ownColumns(set.layout));
    let isComplete = true;
    if (this.#ownColumns(set.layout) === set.layout.columns && this.#share.blockBegin === 0)
      isComplete = await this.#computeWhole(kernel, set, tree);
    else await this.#computeSplit(kernel, set, tree);
    const values = await this.#reduce(pass, set, isComplete ? tree.finish() : [], kernel, control);
    return kernel.answer(values, set.layout.columns);
  }

  /** Row scalars come from the owner of the chunk's block 0. */
  #ownScalars(scalars: number): number {
    return this.#share.blockBegin === 0 ? scalars : 0;
  }

  #columns(layout: Layout): { begin: number; end: number } {
    return { begin: columnOfBlock(layout, this.#share.blockBegin), end: columnOfBlock(layout, this.#share.blockEnd) };
  }

  #ownColumns(layout: Layout): number {
    const { begin, end } = this.#columns(layout);
    return end - begin;
  }

  /** Chunks of a set that this rank owns. The validation set is cut in the same proportions as the training set. */
  #chunks(set: StoredSet): { begin: number; end: number } {
    return chunksOf(this.#options.store, set, this.#share, this.#options.partition);
  }

  #tree(set: StoredSet, length: number): ChunkTree {
    const key = `${set === this.#options.store.training}/${length}`;
    let tree = this.#trees.get(key);
    if (tree === undefined) {
      const { begin, end } = this.#chunks(set);
      tree = new ChunkTree(begin, end, set.layout.chunks, length);
      // Passes over many vectors come in many lengths: those used last are kept.
      const [oldest] = this.#trees.keys();
      if (this.#trees.size >= MAX_TREES && oldest !== undefined) this.#trees.delete(oldest);
      this.#trees.set(key, tree);
    }
    tree.start();
    return tree;
  }

  /** Weights of the pass in T, from this rank's first column, in a segment's scratch. */
  #weights(place: Workplace, layout: Layout, vectors: readonly Vector[]): number[] {
    const { begin, end } = this.#columns(layout);
    return vectors.map(({ weights }, k) => {
      const address = place.scratch.at(`weights ${k}`, (end - begin) * bytesPerValue(layout.dtype) + CACHE_LINE_BYTES);
      const own = weights.subarray(begin, end);
      if (layout.dtype === 'f32') new Float32Array(place.scratch.memory.buffer, address, own.length).set(own);
      else new Float64Array(place.scratch.memory.buffer, address, own.length).set(own);
      return address;
    });
  }

  /** Everything of a piece that stays the same within a pass, per segment. */
  #prepare<A>(kernel: PassKernel<A>, layout: Layout): Omit<Piece, 'run' | 'rows'>[] {
    const own = this.#ownColumns(layout);
    const panels = layout.chunkRows / panelRows(layout.dtype);
    const { room } = kernel;
    const bytes = room?.bytes(Math.min(panels, room.panels(layout.columns * CACHE_LINE_BYTES))) ?? 3 * panels * CACHE_LINE_BYTES;
    return this.#workplaces.map((place) => {
      const { scratch } = place;
      const outputs = Array.from({ length: kernel.outputs }, (_, k) => k);
      const steps = scratch.at('steps', 8 * (kernel.steps?.length ?? 0) + 8);
      if (kernel.steps !== undefined) scratch.f64(steps, kernel.steps.length).set(kernel.steps);
      return {
        kernels: place.kernels,
        weights: this.#weights(place, layout, kernel.vectors),
        scratch: scratch.at('rows', bytes),
        steps,
        lanes: scratch.at('lanes', kernel.scalars * LANES * 8 + 64),
        accumulators: outputs.map((k) => clear(scratch, scratch.at(`accumulators ${k}`, own * ACCUMULATOR_BYTES + 64), own * 2)),
        sums: outputs.map((k) => scratch.at(`sums ${k}`, own * 8 + 64)),
      };
    });
  }

  /** All columns are here: fused kernels, one reading of x for all vectors. False: the sum came before the end. */
  async #computeWhole<A>(kernel: PassKernel<A>, set: StoredSet, tree: ChunkTree): Promise<boolean> {
    const { layout } = set;
    const prepared = this.#prepare(kernel, layout);
    const stride = layout.columns * CACHE_LINE_BYTES;
    const { begin, end } = this.#chunks(set);
    for (let chunk = begin; chunk < end; chunk += 1) {
      if (this.#options.isReduced !== undefined && (await this.#options.isReduced())) return false;
      const place = set.chunks[chunk] as StoredSet['chunks'][number];
      const base = prepared[place.segment] as (typeof prepared)[number];
      this.#clear(kernel, base, place.segment, layout.columns);
      const panels = panelsOfChunk(layout, chunk);
      const shared = kernel.room?.panels(stride) ?? Math.max(1, Math.floor(PIECE_BYTES / Math.max(1, stride)));
      const step = kernel.vectors.length === 1 ? panels : shared;
      for (let first = 0; first < panels; first += step) {
        const rowAt = first * panelRows(layout.dtype) * 8;
        kernel.whole({
          ...base,
          run: {
            x: place.x + first * stride,
            panelStride: stride,
            panels: Math.min(step, panels - first),
            columns: layout.columns,
            blockColumns: layout.blockColumns,
            firstPanel: first,
          },
          rows: { y: place.y + rowAt, v: place.v + rowAt, offset: place.offset === 0 ? 0 : place.offset + rowAt },
        });
      }
      this.#collect(kernel, base, place.segment, layout.columns, tree);
      await this.#options.pause?.();
    }
    return true;
  }

  /** Some columns are here: partial dots are exchanged among the ranks of this worker row, then each updates its own columns. */
  async #computeSplit<A>(kernel: PassKernel<A>, set: StoredSet, tree: ChunkTree): Promise<void> {
    const { layout } = set;
    const prepared = this.#prepare(kernel, layout);
    const { begin: firstColumn } = this.#columns(layout);
    const own = this.#ownColumns(layout);
    const { begin, end } = this.#chunks(set);
    const weights = prepared.map((piece) => piece.weights);
    for await (const { chunk, dots } of this.#exchange.dots(set, begin, end, weights, kernel.vectors.length)) {
      const place = set.chunks[chunk] as StoredSet['chunks'][number];
      const base = prepared[place.segment] as (typeof prepared)[number];
      const panels = panelsOfChunk(layout, chunk);
      this.#clear(kernel, base, place.segment, own);
      const run = {
        x: addressOf(set, place, firstColumn),
        panelStride: panelStrideOf(set),
        panels,
        columns: own,
        blockColumns: layout.blockColumns,
        firstPanel: 0,
      };
      const { scratch } = this.#workplaces[place.segment] as Workplace;
      const r = Array.from({ length: kernel.outputs }, (_, k) => scratch.at(`residuals ${k}`, panels * CACHE_LINE_BYTES));
      kernel.rows({ ...base, run, rows: place }, dots, r);
      for (let k = 0; k < kernel.outputs; k += 1)
        base.kernels.update(run, r[k] as number, base.accumulators[k] as number, base.sums[k] as number);
      this.#collect(kernel, base, place.segment, own, tree);
      await this.#options.pause?.();
    }
  }

  #clear<A>(kernel: PassKernel<A>, base: Omit<Piece, 'run' | 'rows'>, segment: number, columns: number): void {
    const { scratch } = this.#workplaces[segment] as Workplace;
    clear(scratch, base.lanes, kernel.scalars * LANES);
    for (const sums of base.sums) clear(scratch, sums, columns);
  }

  /** A chunk's end: flush, fold, and hand the chunk's sums to the tree. */
  #collect<A>(kernel: PassKernel<A>, base: Omit<Piece, 'run' | 'rows'>, segment: number, columns: number, tree: ChunkTree): void {
    const { scratch } = this.#workplaces[segment] as Workplace;
    const values = tree.take();
    const scalars = this.#ownScalars(kernel.scalars);
    if (scalars > 0) foldScalars(scratch.f64(base.lanes, scalars * LANES), scalars, values);
    for (let k = 0; k < kernel.outputs; k += 1) {
      base.kernels.flush(columns, base.accumulators[k] as number, base.sums[k] as number);
      values.set(scratch.f64(base.sums[k] as number, columns), scalars + k * columns);
    }
    tree.push(values);
  }

  /** This rank's nodes, cut into the coordinates that it owns: the scalars, and a range of columns of every output. */
  async #reduce(
    pass: Pass,
    set: StoredSet,
    nodes: ReturnType<ChunkTree['finish']>,
    shape: { scalars: number; outputs: number },
    control: ControlWord,
  ): Promise<Float64Array> {
    const { columns, chunks } = set.layout;
    const own = this.#columns(set.layout);
    const width = own.end - own.begin;
    const scalars = this.#ownScalars(shape.scalars);
    const parts: Part[] = [];
    for (const { node, values } of nodes) {
      if (width === columns && scalars === shape.scalars) {
        parts.push({ node, begin: 0, end: scalars + shape.outputs * columns, values });
        continue;
      }
      if (scalars > 0) parts.push({ node, begin: 0, end: scalars, values: values?.subarray(0, scalars) });
      for (let k = 0; k < shape.outputs; k += 1) {
        const begin = shape.scalars + k * columns + own.begin;
        parts.push({ node, begin, end: begin + width, values: values?.subarray(scalars + k * width, scalars + (k + 1) * width) });
      }
    }
    const gradientFrom = pass.kind === 'gradient' ? shape.scalars : undefined;
    return this.#allReduce(pass, chunks, shape.scalars + shape.outputs * columns, parts, control, gradientFrom);
  }

  async #allReduce(
    pass: Pass,
    leaves: number,
    length: number,
    parts: readonly Part[],
    control: ControlWord,
    gradientFrom?: number,
  ): Promise<Float64Array> {
    this.#options.onParts?.(pass, parts);
    const into = new Float64Array(length);
    this.#lastControl = await this.#options.world.allReduce({ length, leaves, gradientFrom }, parts, into, control);
    return into;
  }
}

function clear(scratch: Scratch, address: number, length: number): number {
  scratch.f64(address, length).fill(0);
  return address;
}

/** Chunks of a set owned by a rank: its share of the training set's, the same fraction of the validation set's. */
export function chunksOf(store: DataStore, set: StoredSet, share: Share, partition: Partition): { begin: number; end: number } {
  if (set === store.training) return { begin: share.chunkBegin, end: share.chunkEnd };
  const { rows, columns } = partition.grid;
  // A rank behind the workers (a server) owns nothing.
  if (share.rank >= partition.workers) return { begin: set.layout.chunks, end: set.layout.chunks };
  const row = Math.floor(share.rank / columns);
  return { begin: Math.floor((set.layout.chunks * row) / rows), end: Math.floor((set.layout.chunks * (row + 1)) / rows) };
}
