import { ACCUMULATOR_BYTES, foldLanes, LANES, LIST, LIST_WORDS } from '../kernels/kernels.ts';
import { CACHE_LINE_BYTES, groupOfPanel, type Layout, panelRows } from '../partition/layout.ts';
import type { Vector } from '../update/pass.ts';
import { outputOf } from '../update/vectors.ts';
import type { BatchDesk } from './batch-desk.ts';

/** Addresses of what the kernels of softmax need in a segment: a line for the dots of every class, which become residuals. */
interface Places {
  readonly lines: number;
  readonly table: number;
  readonly intercepts: number;
  readonly pairs: number;
  readonly lanes: number;
  readonly v: number;
  readonly accumulators: number;
}

/** Puts the dots of listed panel i with the weights of every class at `lines`, a cache line each. */
export type PutDots = (i: number, lines: number) => void;

/**
 * The gradient of a mini-batch for several classes: panel by panel of a list, the dots of all classes, their residuals, and the column
 * sums of each. A chunk has Σv·loss, Σv·d of every class, then the own columns of one class after the other.
 */
export class BatchSoftmax {
  readonly #layout: Layout;
  readonly #stride: number;
  readonly #classes: number;
  /** Own ones. */
  readonly #columns: number;
  readonly #places = new Map<BatchDesk, Places>();

  /** `stride`: bytes from a panel to the next. */
  constructor(layout: Layout, stride: number, classes: number, columns: number) {
    this.#layout = layout;
    this.#stride = stride;
    this.#classes = classes;
    this.#columns = columns;
  }

  /** Sums of every listed chunk, one after the other at `out`, at a vector of which all columns are here: weights in T, by class. */
  whole(desk: BatchDesk, at: Vector, weights: readonly number[], out: number): void {
    const { kernels } = desk.workplace;
    this.sums(desk, at, out, (i, lines) => {
      const run = this.#run(desk, i);
      for (let c = 0; c < this.#classes; c += 1) kernels.dots(run, weights[c], lines + c * CACHE_LINE_BYTES);
    });
  }

  /** The same, where somebody else knows the dots. */
  sums(desk: BatchDesk, at: Vector, out: number, putDots: PutDots): void {
    const { kernels, scratch } = desk.workplace;
    const { list, count } = desk;
    const classes = this.#classes;
    const scalars = 1 + classes;
    const own = this.#columns;
    const places = this.#placesOf(desk);
    const lanes = scratch.f64(places.lanes, scalars * LANES);
    const intercepts = scratch.f64(places.intercepts, classes);
    for (let c = 0; c < classes; c += 1) intercepts[c] = outputOf(at, c).intercept;
    const flush = (to: number): void => {
      for (let c = 0; c < classes; c += 1) kernels.flush(own, this.#accumulators(places, c), to + (scalars + c * own) * 8);
    };
    let to = out;
    for (let i = 0; i < count; i += 1) {
      const entry = i * LIST_WORDS;
      const before = entry - LIST_WORDS;
      if (i === 0 || list[before + LIST.chunk] !== list[entry + LIST.chunk]) {
        lanes.fill(0);
        scratch.f64(to, scalars + classes * own).fill(0);
      } else if (this.#layout.dtype === 'f32' && groupOfPanel(list[before + LIST.panel]) !== groupOfPanel(list[entry + LIST.panel]))
        flush(to);
      putDots(i, places.lines);
      const rows = { y: list[entry + LIST.y], v: this.#masked(desk, entry, places.v), offset: list[entry + LIST.offset] };
      kernels.softmax.derivative(classes, 1, places.table, places.intercepts, rows, places.table, places.pairs, places.lanes);
      const run = this.#run(desk, i);
      for (let c = 0; c < classes; c += 1)
        kernels.update(run, places.lines + c * CACHE_LINE_BYTES, this.#accumulators(places, c), to + (scalars + c * own) * 8);
      if (i + 1 < count && list[entry + LIST_WORDS + LIST.chunk] === list[entry + LIST.chunk]) continue;
      flush(to);
      const sums = scratch.f64(to, scalars);
      for (let s = 0; s < scalars; s += 1) sums[s] = foldLanes(lanes, s * LANES);
      to += (scalars + classes * own) * 8;
    }
  }

  #accumulators({ accumulators }: Places, c: number): number {
    return accumulators + c * this.#accumulatorBytes();
  }

  #accumulatorBytes(): number {
    return Math.ceil((this.#columns * ACCUMULATOR_BYTES) / CACHE_LINE_BYTES + 1) * CACHE_LINE_BYTES;
  }

  #run({ list }: BatchDesk, i: number) {
    const entry = i * LIST_WORDS;
    return {
      x: list[entry + LIST.x],
      panelStride: this.#stride,
      panels: 1,
      columns: this.#columns,
      blockColumns: this.#layout.blockColumns,
      firstPanel: list[entry + LIST.panel],
    };
  }

  /** Sample weights of a panel, 0 for rows outside of the batch: an address. */
  #masked({ list, workplace: { scratch } }: BatchDesk, entry: number, to: number): number {
    const P = panelRows(this.#layout.dtype);
    const [v, begin, end] = [list[entry + LIST.v], list[entry + LIST.begin], list[entry + LIST.end]];
    if (end - begin === P) return v;
    const masked = scratch.f64(to, P);
    masked.set(scratch.f64(v, P));
    masked.fill(0, 0, begin);
    masked.fill(0, end);
    return to;
  }

  #placesOf(desk: BatchDesk): Places {
    const known = this.#places.get(desk);
    if (known !== undefined) return known;
    const { scratch } = desk.workplace;
    const classes = this.#classes;
    const place = (name: string, bytes: number): number => scratch.at(`batch classes ${name}`, bytes + CACHE_LINE_BYTES);
    const places: Places = {
      lines: place('lines', classes * CACHE_LINE_BYTES),
      table: place('table', classes * 4),
      intercepts: place('intercepts', classes * 8),
      pairs: place('pairs', classes * 16),
      lanes: place('lanes', (1 + classes) * LANES * 8),
      v: place('v', panelRows(this.#layout.dtype) * 8),
      accumulators: place('accumulators', classes * this.#accumulatorBytes()),
    };
    const table = new Uint32Array(scratch.memory.buffer, places.table, classes);
    for (let c = 0; c < classes; c += 1) table[c] = places.lines + c * CACHE_LINE_BYTES;
    scratch.f64(places.accumulators, (classes * this.#accumulatorBytes()) / 8).fill(0);
    this.#places.set(desk, places);
    return places;
  }
}
