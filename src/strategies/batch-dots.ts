import type { Collective, Part } from '../communicate/collective.ts';
import type { StoredSet } from '../data/store.ts';
import { panelStrideOf } from '../data/store.ts';
import { foldLanes, type KernelLoss, LANES, LIST, LIST_WORDS, type PanelRun } from '../kernels/kernels.ts';
import { bytesPerValue, CACHE_LINE_BYTES, columnOfBlock, groupOfPanel, type Layout, panelRows } from '../partition/layout.ts';
import type { Share } from '../partition/plan.ts';
import { coverOf, leavesOf, type NodeId } from '../partition/tree.ts';
import type { Vector } from '../update/pass.ts';
import type { BatchDesk } from './batch-desk.ts';
import type { BatchSoftmax, PutDots } from './batch-softmax.ts';

type Dots = Float32Array<ArrayBufferLike> | Float64Array<ArrayBufferLike>;
type DotPart = Part<Float32Array> | Part<Float64Array>;

/** A panel of a list, with addresses in its segment. */
interface Listed {
  readonly desk: BatchDesk;
  readonly word: (field: keyof typeof LIST) => number;
}

/** From the dots of a row to its residuals: by a loss of one output, or by one of several. */
export type FromDots = { readonly loss: KernelLoss } | { readonly softmax: BatchSoftmax; readonly outputs: number };

/** The gradient of a mini-batch where columns are split: partial dots of listed panels, exchanged in a worker row, then own columns. */
export class BatchDots {
  readonly #layout: Layout;
  readonly #stride: number;
  readonly #share: Share;
  readonly #from: FromDots;
  readonly #outputs: number;
  readonly #row: Collective;
  readonly #columns: { readonly begin: number; readonly end: number };

  constructor(set: StoredSet, share: Share, from: FromDots, row: Collective) {
    this.#layout = set.layout;
    this.#stride = panelStrideOf(set);
    this.#share = share;
    this.#from = from;
    this.#outputs = 'loss' in from ? 1 : from.outputs;
    this.#row = row;
    this.#columns = { begin: columnOfBlock(set.layout, share.blockBegin), end: columnOfBlock(set.layout, share.blockEnd) };
  }

  /** Sums of every listed chunk, per vector, where the desks want them: row scalars, then own columns of every output. */
  async gradients(desks: readonly BatchDesk[], at: readonly Vector[]): Promise<void> {
    const panels = desks.flatMap(listed);
    // All ranks of a worker row have the same chunks, so that all of them or none come here.
    if (panels.length === 0) return;
    const P = panelRows(this.#layout.dtype);
    const rows = panels.length * P;
    const vectors = at.length * this.#outputs;
    const weights = new Map(desks.map((desk) => [desk, at.flatMap((vector, k) => this.#put(desk, vector, k))]));
    const parts = coverOf(this.#share.blockBegin, this.#share.blockEnd, this.#layout.blocks).map((node) =>
      this.#partial(node, panels, weights, vectors),
    );
    const dots = await this.#exchange(parts, vectors * rows);
    let first = 0;
    for (const desk of desks) {
      const own = panels.slice(first, first + desk.count);
      for (const [k, vector] of at.entries()) {
        const from = this.#from;
        const dotsOf = (c: number): Dots => dots.subarray((k * this.#outputs + c) * rows + first * P);
        if ('loss' in from) this.#sums(from.loss, own, dotsOf(0), vector.intercept, desk.out(k));
        else from.softmax.sums(desk, vector, desk.out(k), this.#putDots(desk, dotsOf));
      }
      first += desk.count;
    }
  }

  /** Own weights of every output of vector k, in place: their addresses. */
  #put(desk: BatchDesk, { weights }: Vector, k: number): number[] {
    return Array.from({ length: this.#outputs }, (_, c) =>
      desk.put(k * this.#outputs + c, weights, c * this.#layout.columns + this.#columns.begin),
    );
  }

  /** Copies the dots of a listed panel with every output to where the kernels want them. */
  #putDots({ workplace: { scratch } }: BatchDesk, dotsOf: (output: number) => Dots): PutDots {
    const P = panelRows(this.#layout.dtype);
    const all = Array.from({ length: this.#outputs }, (_, c) => dotsOf(c));
    return (i, lines) => {
      for (const [c, dots] of all.entries())
        viewDots(this.#layout, scratch.memory.buffer, lines + c * CACHE_LINE_BYTES, P).set(dots.subarray(i * P, (i + 1) * P));
    };
  }

  /** Dots with the columns of one node of the tree over blocks: vectors × panels × P. */
  #partial(node: NodeId, panels: readonly Listed[], weights: ReadonlyMap<BatchDesk, readonly number[]>, vectors: number): DotPart {
    const layout = this.#layout;
    const blocks = leavesOf(node, layout.blocks);
    const begin = columnOfBlock(layout, blocks.begin);
    const columns = columnOfBlock(layout, blocks.end) - begin;
    const skip = begin - this.#columns.begin;
    const P = panelRows(layout.dtype);
    const values = newDots(layout, vectors * panels.length * P);
    for (const [i, { desk, word }] of panels.entries()) {
      const { kernels, scratch } = desk.workplace;
      const run = { ...this.#run(word('x') + skip * CACHE_LINE_BYTES, word('panel')), columns };
      for (const [k, address] of (weights.get(desk) ?? []).entries()) {
        kernels.dots(run, address + skip * bytesPerValue(layout.dtype), desk.lines);
        values.set(viewDots(layout, scratch.memory.buffer, desk.lines, P), (k * panels.length + i) * P);
      }
    }
    return { node, begin: 0, end: values.length, values } as DotPart;
  }

  async #exchange(parts: readonly DotPart[], length: number): Promise<Dots> {
    const into = newDots(this.#layout, length);
    const shape = { length, leaves: this.#layout.blocks };
    if (into instanceof Float32Array) await this.#row.allReduce(shape, parts as readonly Part<Float32Array>[], into);
    else await this.#row.allReduce(shape, parts as readonly Part<Float64Array>[], into);
    return into;
  }

  /** Own columns' sums of a segment's listed panels, chunk after chunk. */
  #sums(loss: KernelLoss, panels: readonly Listed[], dots: Dots, b: number, out: number): void {
    const layout = this.#layout;
    const P = panelRows(layout.dtype);
    const own = this.#columns.end - this.#columns.begin;
    let to = out;
    for (const [i, { desk, word }] of panels.entries()) {
      const { lines, accumulators } = desk;
      const { kernels, scratch } = desk.workplace;
      const lanes = lines + 2 * CACHE_LINE_BYTES;
      const before = panels[i - 1]?.word;
      if (before === undefined || before('chunk') !== word('chunk')) {
        scratch.f64(lanes, 2 * LANES).fill(0);
        scratch.f64(to, 2 + own).fill(0);
      } else if (layout.dtype === 'f32' && groupOfPanel(before('panel')) !== groupOfPanel(word('panel')))
        kernels.flush(own, accumulators, to + 16);
      viewDots(layout, scratch.memory.buffer, lines, P).set(dots.subarray(i * P, (i + 1) * P));
      const rows = { y: word('y'), v: this.#masked(desk, word('v'), word('begin'), word('end')), offset: word('offset') };
      kernels.derivative(loss, 1, lines, b, rows, lines + CACHE_LINE_BYTES, lanes);
      kernels.update({ ...this.#run(word('x'), word('panel')), columns: own }, lines + CACHE_LINE_BYTES, accumulators, to + 16);
      if (panels[i + 1]?.word('chunk') === word('chunk')) continue;
      kernels.flush(own, accumulators, to + 16);
      const scalars = scratch.f64(lanes, 2 * LANES);
      scratch.f64(to, 2).set([foldLanes(scalars), foldLanes(scalars, LANES)]);
      to += (2 + own) * 8;
    }
  }

  #run(x: number, panel: number): Omit<PanelRun, 'columns'> {
    return { x, panelStride: this.#stride, panels: 1, blockColumns: this.#layout.blockColumns, firstPanel: panel };
  }

  /** Sample weights of a panel, 0 outside [begin, end): an address. */
  #masked({ workplace: { scratch } }: BatchDesk, v: number, begin: number, end: number): number {
    const P = panelRows(this.#layout.dtype);
    if (end - begin === P) return v;
    const at = scratch.at('batch v', P * 8);
    const masked = scratch.f64(at, P);
    masked.set(scratch.f64(v, P));
    masked.fill(0, 0, begin);
    masked.fill(0, end);
    return at;
  }
}

function listed(desk: BatchDesk): Listed[] {
  return Array.from({ length: desk.count }, (_, i) => ({
    desk,
    word: (field: keyof typeof LIST) => desk.list[i * LIST_WORDS + LIST[field]],
  }));
}

function newDots(layout: Layout, length: number): Dots {
  return layout.dtype === 'f32' ? new Float32Array(length) : new Float64Array(length);
}

function viewDots(layout: Layout, buffer: SharedArrayBuffer, at: number, length: number): Dots {
  return layout.dtype === 'f32' ? new Float32Array(buffer, at, length) : new Float64Array(buffer, at, length);
}
