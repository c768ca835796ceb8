import type { Collective, Part } from '../communicate/collective.ts';
import type { StoredSet } from '../data/store.ts';
import { panelStrideOf } from '../data/store.ts';
import { ACCUMULATOR_BYTES, foldLanes, type KernelLoss, LANES, LIST, LIST_WORDS, type PanelRun } from '../kernels/kernels.ts';
import { bytesPerValue, CACHE_LINE_BYTES, columnOfBlock, groupOfPanel, type Layout, panelRows } from '../partition/layout.ts';
import type { Share } from '../partition/plan.ts';
import { coverOf, leavesOf, type NodeId } from '../partition/tree.ts';
import type { Vector } from '../update/pass.ts';
import type { Workplace } from './workplace.ts';

type Dots = Float32Array<ArrayBufferLike> | Float64Array<ArrayBufferLike>;

/** Listed panels of a segment, and how many chunks they are of. */
interface ListedRun {
  readonly segment: number;
  readonly count: number;
  readonly chunks: readonly number[];
}

/** A panel of a list, with addresses in its segment. */
interface Listed {
  readonly segment: number;
  readonly word: (field: keyof typeof LIST) => number;
}

/** The gradient of a mini-batch where columns are split: partial dots of listed panels, exchanged in a worker row, then own columns. */
export class BatchDots {
  readonly #layout: Layout;
  readonly #stride: number;
  readonly #share: Share;
  readonly #loss: KernelLoss;
  readonly #row: Collective;
  readonly #workplaces: readonly Workplace[];
  readonly #columns: { readonly begin: number; readonly end: number };

  constructor(set: StoredSet, share: Share, loss: KernelLoss, row: Collective, workplaces: readonly Workplace[]) {
    this.#layout = set.layout;
    this.#stride = panelStrideOf(set);
    this.#share = share;
    this.#loss = loss;
    this.#row = row;
    this.#workplaces = workplaces;
    this.#columns = { begin: columnOfBlock(set.layout, share.blockBegin), end: columnOfBlock(set.layout, share.blockEnd) };
  }

  /** Sums of every listed chunk, per vector: 2 + own columns each. `weights`: addresses by segment; `outs`: where a segment's sums go. */
  async gradients(
    lists: ReadonlyMap<number, Uint32Array>,
    runs: readonly ListedRun[],
    at: readonly Vector[],
    weights: (segment: number) => number[],
    outs: (segment: number, chunks: number) => number[],
  ): Promise<void> {
    const panels = listed(lists, runs);
    // All ranks of a worker row have the same chunks, so that all of them or none come here.
    if (panels.length === 0) return;
    const rows = panels.length * panelRows(this.#layout.dtype);
    const bySegment = new Map(runs.map(({ segment }) => [segment, weights(segment)]));
    const parts = coverOf(this.#share.blockBegin, this.#share.blockEnd, this.#layout.blocks).map((node) =>
      this.#partial(node, panels, bySegment, at.length, rows),
    );
    const dots = await this.#exchange(parts, at.length * rows);
    let first = 0;
    for (const { segment, count, chunks } of runs) {
      for (const [k, out] of outs(segment, chunks.length).entries())
        this.#sums(
          panels.slice(first, first + count),
          dots.subarray(k * rows + first * panelRows(this.#layout.dtype)),
          at[k].intercept,
          out,
        );
      first += count;
    }
  }

  /** Dots with the columns of one node of the tree over blocks: vectors × panels × P. */
  #partial(node: NodeId, panels: readonly Listed[], weights: ReadonlyMap<number, number[]>, vectors: number, rows: number): Part<never> {
    const layout = this.#layout;
    const blocks = leavesOf(node, layout.blocks);
    const begin = columnOfBlock(layout, blocks.begin);
    const columns = columnOfBlock(layout, blocks.end) - begin;
    const skip = begin - this.#columns.begin;
    const values = newDots(layout, vectors * rows);
    const P = panelRows(layout.dtype);
    for (const [i, { segment, word }] of panels.entries()) {
      const { kernels, scratch } = this.#workplaces[segment];
      const out = scratch.at('batch rows', 4 * CACHE_LINE_BYTES);
      const run = { ...this.#run(word('x') + skip * CACHE_LINE_BYTES, word('panel')), columns };
      for (let k = 0; k < vectors; k += 1) {
        kernels.dots(run, ((weights.get(segment) as number[])[k] as number) + skip * bytesPerValue(layout.dtype), out);
        values.set(viewDots(layout, scratch.memory.buffer, out, P), k * rows + i * P);
      }
    }
    return { node, begin: 0, end: vectors * rows, values } as unknown as Part<never>;
  }

  async #exchange(parts: readonly Part<never>[], length: number): Promise<Dots> {
    const into = newDots(this.#layout, length);
    const shape = { length, leaves: this.#layout.blocks };
    if (into instanceof Float32Array) await this.#row.allReduce(shape, parts as readonly Part<Float32Array>[], into);
    else await this.#row.allReduce(shape, parts as readonly Part<Float64Array>[], into);
    return into;
  }

  /** Own columns' sums of a segment's listed panels, chunk after chunk. */
  #sums(panels: readonly Listed[], dots: Dots, b: number, out: number): void {
    const layout = this.#layout;
    const P = panelRows(layout.dtype);
    const own = this.#columns.end - this.#columns.begin;
    for (const [i, { segment, word }] of panels.entries()) {
      const { kernels, scratch } = this.#workplaces[segment];
      const line = scratch.at('batch rows', 4 * CACHE_LINE_BYTES);
      const lanes = line + 2 * CACHE_LINE_BYTES;
      const accumulators = scratch.at('batch accumulators', own * ACCUMULATOR_BYTES + CACHE_LINE_BYTES);
      const before = panels[i - 1]?.word;
      const isFirst = before === undefined || before('chunk') !== word('chunk');
      if (isFirst) {
        scratch.f64(lanes, 2 * LANES).fill(0);
        scratch.f64(out, 2 + own).fill(0);
      } else if (layout.dtype === 'f32' && groupOfPanel(before('panel')) !== groupOfPanel(word('panel')))
        kernels.flush(own, accumulators, out + 16);
      viewDots(layout, scratch.memory.buffer, line, P).set(dots.subarray(i * P, (i + 1) * P));
      const rows = { y: word('y'), v: this.#masked(segment, word('v'), word('begin'), word('end')), offset: word('offset') };
      kernels.derivative(this.#loss, 1, line, b, rows, line + CACHE_LINE_BYTES, lanes);
      kernels.update({ ...this.#run(word('x'), word('panel')), columns: own }, line + CACHE_LINE_BYTES, accumulators, out + 16);
      if (panels[i + 1]?.word('chunk') === word('chunk')) continue;
      kernels.flush(own, accumulators, out + 16);
      const scalars = scratch.f64(lanes, 2 * LANES);
      scratch.f64(out, 2).set([foldLanes(scalars), foldLanes(scalars, LANES)]);
      out += (2 + own) * 8;
    }
  }

  #run(x: number, panel: number): Omit<PanelRun, 'columns'> {
    return { x, panelStride: this.#stride, panels: 1, blockColumns: this.#layout.blockColumns, firstPanel: panel };
  }

  /** Sample weights of a panel, 0 outside [begin, end): an address. */
  #masked(segment: number, v: number, begin: number, end: number): number {
    const P = panelRows(this.#layout.dtype);
    if (end - begin === P) return v;
    const { scratch } = this.#workplaces[segment];
    const at = scratch.at('batch v', P * 8);
    const masked = scratch.f64(at, P);
    masked.set(scratch.f64(v, P));
    masked.fill(0, 0, begin);
    masked.fill(0, end);
    return at;
  }
}

function listed(lists: ReadonlyMap<number, Uint32Array>, runs: readonly ListedRun[]): Listed[] {
  return runs.flatMap(({ segment, count }) => {
    const list = lists.get(segment) as Uint32Array;
    return Array.from({ length: count }, (_, i) => ({
      segment,
      word: (field: keyof typeof LIST) => list[i * LIST_WORDS + LIST[field]],
    }));
  });
}

function newDots(layout: Layout, length: number): Dots {
  return layout.dtype === 'f32' ? new Float32Array(length) : new Float64Array(length);
}

function viewDots(layout: Layout, buffer: SharedArrayBuffer, at: number, length: number): Dots {
  return layout.dtype === 'f32' ? new Float32Array(buffer, at, length) : new Float64Array(buffer, at, length);
}
