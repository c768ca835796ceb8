import type { Scratch } from '../data/scratch.ts';
import { addressOf, panelStrideOf, type StoredSet } from '../data/store.ts';
import { ACCUMULATOR_BYTES, LANES } from '../kernels/kernels.ts';
import { bytesPerValue, CACHE_LINE_BYTES, type Layout, panelRows, panelsOfChunk } from '../partition/layout.ts';
import type { Vector } from '../update/pass.ts';
import type { ChunkTree } from './chunk-tree.ts';
import type { DotExchange } from './dot-exchange.ts';
import type { OwnCells } from './own-cells.ts';
import { foldScalars, type PassKernel, type Piece } from './pass-kernels.ts';
import type { Workplace } from './workplace.ts';

/** How a pass goes over a rank's own chunks: memory for it, its kernels chunk after chunk, and each chunk's sums into the tree. */

/** Bytes of x that one call of a kernel takes when several vectors share a reading: it must stay in cache for all of them. */
const PIECE_BYTES = 512 * 1024;

/** What stays the same within a pass, in one segment. */
type Base = Omit<Piece, 'run' | 'rows'>;

/** When a pass gives way, or ends early. */
export interface PassPauses {
  /** Called between chunks: lets an engine in the user's own thread give way to the event loop. */
  readonly pause?: (() => Promise<void> | undefined) | undefined;
  /** Whether the sum of the pass has come while it is computed: somebody else was faster. */
  readonly isReduced?: (() => Promise<boolean>) | undefined;
}

/** Passes over a rank's own cells, by any kernel. */
export class ChunkPasses {
  readonly #cells: OwnCells;
  readonly #workplaces: readonly Workplace[];
  readonly #exchange: DotExchange;
  readonly #pauses: PassPauses;

  constructor(cells: OwnCells, workplaces: readonly Workplace[], exchange: DotExchange, pauses: PassPauses) {
    this.#cells = cells;
    this.#workplaces = workplaces;
    this.#exchange = exchange;
    this.#pauses = pauses;
  }

  /** Pushes every own chunk's sums to the tree. False: the sum came before the end. */
  async compute<A>(kernel: PassKernel<A>, set: StoredSet, tree: ChunkTree): Promise<boolean> {
    if (this.#cells.isWhole(set.layout)) return this.#computeWhole(kernel, set, tree);
    await this.#computeSplit(kernel, set, tree);
    return true;
  }

  /** All columns are here: fused kernels, one reading of x for all vectors. False: the sum came before the end. */
  async #computeWhole<A>(kernel: PassKernel<A>, set: StoredSet, tree: ChunkTree): Promise<boolean> {
    const { layout } = set;
    const prepared = this.#prepare(kernel, layout);
    const stride = layout.columns * CACHE_LINE_BYTES;
    const { begin, end } = this.#cells.chunks(set);
    for (let chunk = begin; chunk < end; chunk += 1) {
      if (this.#pauses.isReduced !== undefined && (await this.#pauses.isReduced())) return false;
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
      await this.#pauses.pause?.();
    }
    return true;
  }

  /** Some columns are here: partial dots are exchanged among the ranks of this worker row, then each updates its own columns. */
  async #computeSplit<A>(kernel: PassKernel<A>, set: StoredSet, tree: ChunkTree): Promise<void> {
    const { layout } = set;
    const prepared = this.#prepare(kernel, layout);
    const { begin: firstColumn } = this.#cells.columns(layout);
    const own = this.#cells.width(layout);
    const { begin, end } = this.#cells.chunks(set);
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
      await this.#pauses.pause?.();
    }
  }

  /** Weights of the pass in T, from this rank's first column, in a segment's scratch. */
  #weights(place: Workplace, layout: Layout, vectors: readonly Vector[]): number[] {
    const { begin, end } = this.#cells.columns(layout);
    return vectors.map(({ weights }, k) => {
      const address = place.scratch.at(`weights ${k}`, (end - begin) * bytesPerValue(layout.dtype) + CACHE_LINE_BYTES);
      const own = weights.subarray(begin, end);
      if (layout.dtype === 'f32') new Float32Array(place.scratch.memory.buffer, address, own.length).set(own);
      else new Float64Array(place.scratch.memory.buffer, address, own.length).set(own);
      return address;
    });
  }

  /** Everything of a piece that stays the same within a pass, per segment. */
  #prepare<A>(kernel: PassKernel<A>, layout: Layout): Base[] {
    const own = this.#cells.width(layout);
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

  #clear<A>(kernel: PassKernel<A>, base: Base, segment: number, columns: number): void {
    const { scratch } = this.#workplaces[segment] as Workplace;
    clear(scratch, base.lanes, kernel.scalars * LANES);
    for (const sums of base.sums) clear(scratch, sums, columns);
  }

  /** A chunk's end: flush, fold, and hand the chunk's sums to the tree. */
  #collect<A>(kernel: PassKernel<A>, base: Base, segment: number, columns: number, tree: ChunkTree): void {
    const { scratch } = this.#workplaces[segment] as Workplace;
    const values = tree.take();
    const scalars = this.#cells.scalars(kernel.scalars);
    if (scalars > 0) foldScalars(scratch.f64(base.lanes, scalars * LANES), scalars, values);
    for (let k = 0; k < kernel.outputs; k += 1) {
      base.kernels.flush(columns, base.accumulators[k] as number, base.sums[k] as number);
      values.set(scratch.f64(base.sums[k] as number, columns), scalars + k * columns);
    }
    tree.push(values);
  }
}

function clear(scratch: Scratch, address: number, length: number): number {
  scratch.f64(address, length).fill(0);
  return address;
}
