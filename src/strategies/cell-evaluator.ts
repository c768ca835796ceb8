import { CONTROL, type Collective, type ControlWord, type Part } from '../communicate/collective.ts';
import { Scratch } from '../data/scratch.ts';
import type { DataStore, StoredSet } from '../data/store.ts';
import { assert } from '../errors.ts';
import type { Kernels, Loss } from '../kernels/kernels.ts';
import type { Partition, Share } from '../partition/plan.ts';
import type { Pass, PlainSteps, Sums, SumsOf } from '../update/pass.ts';
import { BatchCells } from './batch-cells.ts';
import { ChunkPasses, type PassPauses } from './chunk-passes.ts';
import type { ChunkTree } from './chunk-tree.ts';
import { DotExchange } from './dot-exchange.ts';
import type { Evaluator } from './evaluator.ts';
import { GramCells } from './gram-cells.ts';
import { OwnCells, type PassShape } from './own-cells.ts';
import { passKernelOf } from './pass-kernels.ts';
import { softmaxPassOf } from './softmax-passes.ts';
import { TotalsCells } from './totals-cells.ts';
import type { Workplace } from './workplace.ts';

/**
 * A pass from its order to its sums: who computes the parts of this rank (chunk-passes.ts, batch-cells.ts, totals-cells.ts,
 * gram-cells.ts), and the reduction that makes them the sums of all.
 */

export interface CellEvaluatorOptions extends PassPauses {
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
  /** Bytes of a Gram matrix that are reduced at a time, for each rank of a row (gram-plan.ts): for tests. */
  readonly gramPieceBytes?: number | undefined;
  /** Sees this rank's own parts of every reduction before they are moved. */
  readonly onParts?: (pass: Pass, parts: readonly Part[]) => void;
}

/**
 * The replicated evaluator: computes the sums of this rank's own cells (chunks × column blocks), moves them as tree nodes,
 * and has the root on every rank. The same loop for every engine whose workers stay alive; the same bits for every split.
 */
export class CellEvaluator implements Evaluator {
  readonly #options: CellEvaluatorOptions;
  readonly #share: Share;
  readonly #workplaces: readonly Workplace[];
  readonly #cells: OwnCells;
  readonly #passes: ChunkPasses;
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
    this.#cells = new OwnCells(options.store, options.partition, share);
    const exchange = new DotExchange(share, options.row, this.#workplaces);
    this.#passes = new ChunkPasses(this.#cells, this.#workplaces, exchange, options);
    const { loss, classes } = options;
    this.#totals = new TotalsCells(share, this.#workplaces, classes);
    const place = { share, members: options.partition.grid.columns, pieceBytes: options.gramPieceBytes };
    this.#gram = new GramCells(options.store, place, { loss, classes: classes ?? 1 }, options.row, this.#workplaces);
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
    const { store, row, loss, classes = 1, seed } = this.#options;
    this.#batches ??= new BatchCells(store, this.#share, loss, this.#workplaces, row, seed ?? 0, undefined, classes);
    return this.#batches;
  }

  async #evaluate(pass: Pass, control: ControlWord): Promise<SumsOf<Pass['kind']>> {
    if (pass.kind === 'gradient' && pass.batch !== undefined) {
      const cells = this.#batchCells();
      const parts = await cells.parts(pass.batch, pass.at);
      const vectors = pass.at.length;
      const into = new Float64Array(cells.lengthOf(vectors));
      const values = await this.#allReduce(pass, this.#options.store.training.layout.chunks, parts, into, control);
      return cells.answer(values, vectors);
    }
    if (pass.kind === 'totals') {
      const set = pass.set === 'validation' ? this.#options.store.validation : this.#options.store.training;
      const tree = this.#cells.tree(set, this.#totals.length(set.layout));
      const { begin, end } = this.#cells.chunks(set);
      this.#totals.compute(set, typeof pass.set === 'string' ? undefined : pass.set, begin, end, tree, pass.scalars !== true);
      const values = await this.#reduce(pass, set, tree.finish(), { scalars: this.#totals.scalars, outputs: 1 }, control);
      return this.#totals.answer(values);
    }
    if (pass.kind === 'gram') {
      const { chunks } = this.#options.store.training.layout;
      return this.#gram.sums(pass, this.#options.pause, async (parts, into) => {
        await this.#allReduce(pass, chunks, parts, into, control);
      });
    }
    const { loss, classes } = this.#options;
    const kernel = loss === 'softmax' ? softmaxPassOf(pass, classes ?? 1) : passKernelOf(pass, loss);
    const set = this.#options.store[kernel.set];
    const tree = this.#cells.tree(set, this.#cells.scalars(kernel.scalars) + kernel.outputs * this.#cells.width(set.layout));
    const isComplete = await this.#passes.compute(kernel, set, tree);
    const values = await this.#reduce(pass, set, isComplete ? tree.finish() : [], kernel, control);
    return kernel.answer(values, set.layout.columns);
  }

  /** This rank's nodes on their way, and the root: scalars, then outputs × columns. */
  async #reduce(
    pass: Pass,
    set: StoredSet,
    nodes: ReturnType<ChunkTree['finish']>,
    shape: PassShape,
    control: ControlWord,
  ): Promise<Float64Array> {
    const { columns, chunks } = set.layout;
    const parts = this.#cells.parts(set.layout, nodes, shape);
    const gradientFrom = pass.kind === 'gradient' ? shape.scalars : undefined;
    return this.#allReduce(pass, chunks, parts, new Float64Array(shape.scalars + shape.outputs * columns), control, gradientFrom);
  }

  async #allReduce(
    pass: Pass,
    leaves: number,
    parts: readonly Part[],
    into: Float64Array,
    control: ControlWord,
    gradientFrom?: number,
  ): Promise<Float64Array> {
    this.#options.onParts?.(pass, parts);
    this.#lastControl = await this.#options.world.allReduce({ length: into.length, leaves, gradientFrom }, parts, into, control);
    return into;
  }
}
