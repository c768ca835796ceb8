import { addressOf, panelStrideOf, type StoredSet } from '../data/store.ts';
import { ACCUMULATOR_BYTES, LANES } from '../kernels/kernels.ts';
import { CACHE_LINE_BYTES, columnOfBlock, groupOfPanel, type Layout, panelRows, panelsOfChunk } from '../partition/layout.ts';
import type { Share } from '../partition/plan.ts';
import { sampledPanels } from '../partition/sample.ts';
import type { PanelSample, TotalsSums } from '../update/pass.ts';
import type { ChunkTree } from './chunk-tree.ts';
import { foldScalars } from './pass-kernels.ts';
import type { Workplace } from './workplace.ts';

const SCALARS = 3;

/** Σv, Σv·y, Σv·offset, of each of several classes Σv, and Σv·x of a set, or of a sample of its panels: sums with r = T(v), no dots needed. */
export class TotalsCells {
  /** Row scalars ahead of the columns. */
  readonly scalars: number;
  readonly #classes: number;
  readonly #share: Share;
  readonly #workplaces: readonly Workplace[];

  constructor(share: Share, workplaces: readonly Workplace[], classes = 0) {
    this.scalars = SCALARS + classes;
    this.#classes = classes;
    this.#share = share;
    this.#workplaces = workplaces;
  }

  /** Length of this rank's vectors: the scalars where it owns block 0, then its columns. */
  length(layout: Layout): number {
    return (this.#share.blockBegin === 0 ? this.scalars : 0) + this.#columns(layout).count;
  }

  #columns(layout: Layout): { begin: number; count: number } {
    const begin = columnOfBlock(layout, this.#share.blockBegin);
    return { begin, count: columnOfBlock(layout, this.#share.blockEnd) - begin };
  }

  /** Pushes the sums of chunks [begin, end) to the tree; a chunk without a sampled panel is missing. */
  compute(set: StoredSet, sample: PanelSample | undefined, begin: number, end: number, tree: ChunkTree, readsColumns = true): void {
    for (let chunk = begin; chunk < end; chunk += 1) {
      const panels = panelsOfChunk(set.layout, chunk);
      const sampled = sample === undefined ? undefined : sampledPanels(set.layout, sample.count, chunk);
      if (sampled !== undefined && sampled.length === 0) tree.push(undefined);
      else tree.push(this.#chunk(set, chunk, sampled ?? Array.from({ length: panels }, (_, panel) => panel), tree.take(), readsColumns));
    }
  }

  #chunk(set: StoredSet, chunk: number, panels: readonly number[], values: Float64Array, readsColumns: boolean): Float64Array {
    const { layout } = set;
    const place = set.chunks[chunk] as StoredSet['chunks'][number];
    const { kernels, scratch } = this.#workplaces[place.segment] as Workplace;
    const { begin, count } = this.#columns(layout);
    const lanes = scratch.at('lanes', this.scalars * LANES * 8);
    const r = scratch.at('rows', panels.length * CACHE_LINE_BYTES);
    const accumulators = scratch.at('accumulators 0', count * ACCUMULATOR_BYTES + 64);
    const sums = scratch.at('sums 0', count * 8 + 64);
    scratch.f64(lanes, this.scalars * LANES).fill(0);
    scratch.f64(accumulators, count * 2).fill(0);
    scratch.f64(sums, count).fill(0);
    const panelStride = panelStrideOf(set);
    // Runs of consecutive panels, one call each: the whole chunk, or panels of a sample.
    for (let i = 0; i < panels.length; ) {
      const first = panels[i] as number;
      let end = i + 1;
      while (end < panels.length && panels[end] === first + end - i) end += 1;
      if (layout.dtype === 'f32' && i > 0 && groupOfPanel(first) !== groupOfPanel(panels[i - 1] as number))
        kernels.flush(count, accumulators, sums);
      const rowAt = first * panelRows(layout.dtype) * 8;
      const rows = { y: place.y + rowAt, v: place.v + rowAt, offset: place.offset === 0 ? 0 : place.offset + rowAt };
      kernels.totals(end - i, rows, r, lanes);
      if (this.#classes > 0) kernels.softmax.totals(this.#classes, end - i, rows, lanes + SCALARS * LANES * 8);
      if (readsColumns) {
        const x = addressOf(set, place, begin) + first * panelStride;
        const run = { x, panelStride, panels: end - i, columns: count, blockColumns: layout.blockColumns, firstPanel: first };
        kernels.update(run, r, accumulators, sums);
      }
      i = end;
    }
    kernels.flush(count, accumulators, sums);
    const scalars = this.#share.blockBegin === 0 ? this.scalars : 0;
    if (scalars > 0) foldScalars(scratch.f64(lanes, scalars * LANES), scalars, values);
    values.set(scratch.f64(sums, count), scalars);
    return values;
  }

  answer(values: Float64Array): TotalsSums {
    return {
      v: values[0] as number,
      vy: values[1] as number,
      vOffset: values[2] as number,
      columns: values.slice(this.scalars),
      ...(this.#classes > 0 ? { classes: values.slice(SCALARS, this.scalars) } : {}),
    };
  }
}
