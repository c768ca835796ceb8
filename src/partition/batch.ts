import { assert } from '../errors.ts';
import { type Permutation, permutation } from '../random.ts';
import { type Layout, panelRows, panelsOf } from './layout.ts';

/**
 * Mini-batches (docs/numerics.md §7), a function of the data's shape and the seed alone: an epoch is a permutation of the full
 * panels of a range, a partial panel comes last; batch t is the rows at positions [t·size, (t+1)·size) of that order. So each
 * row comes once per epoch, and a batch has the same rows for every number of workers.
 */
export interface Batch {
  /** From 0: decides the order. */
  readonly epoch: number;
  /** Number in its epoch, from 0. */
  readonly index: number;
  /** Rows of every batch but an epoch's last. */
  readonly size: number;
}

/** Panels [begin, end) of a set that a worker draws its batches from. */
export interface PanelRange {
  readonly begin: number;
  readonly end: number;
}

/** The panels of a batch, ascending; of panel `numbers[i]` the rows [begins[i], ends[i]) take part. */
export interface BatchPanels {
  count: number;
  numbers: Float64Array;
  begins: Uint8Array;
  ends: Uint8Array;
}

export function emptyBatch(): BatchPanels {
  return { count: 0, numbers: new Float64Array(16), begins: new Uint8Array(16), ends: new Uint8Array(16) };
}

/** Up to this many panels are sorted as they come. */
const INSERTION = 48;
const SEEDS = 2 ** 53;

/** The order of rows of a range of panels, epoch by epoch. Keeps the permutation of the last epoch. */
export class BatchOrder {
  /** Rows of an epoch. */
  readonly rows: number;
  readonly #first: number;
  readonly #full: number;
  readonly #panelRows: number;
  readonly #seed: number;
  #epoch = -1;
  #order: Permutation | undefined;
  /** The last panel that was looked up: small batches share it. */
  #position = -1;
  #panel = -1;

  /** All panels of the set, or those of `range`; a range's first panel is added to the seed (mod 2⁵³). */
  constructor(layout: Layout, seed: number, range: PanelRange = { begin: 0, end: panelsOf(layout) }) {
    assert(range.begin >= 0 && range.begin <= range.end && range.end <= panelsOf(layout), 'range of panels out of range');
    this.#panelRows = panelRows(layout.dtype);
    this.#first = range.begin;
    this.rows = Math.max(0, Math.min(range.end * this.#panelRows, layout.rows) - range.begin * this.#panelRows);
    this.#full = Math.floor(this.rows / this.#panelRows);
    this.#seed = range.begin < SEEDS - seed ? seed + range.begin : range.begin - (SEEDS - seed);
  }

  /** Batches of an epoch. */
  batches(size: number): number {
    return Math.ceil(this.rows / size);
  }

  /** Rows of a batch, those that weigh 0 included. */
  rowsOf({ index, size }: Batch): number {
    return Math.max(0, Math.min(size, this.rows - index * size));
  }

  /** The panels of a batch, written to `into`. */
  select(batch: Batch, into: BatchPanels): BatchPanels {
    const P = this.#panelRows;
    const begin = batch.index * batch.size;
    const end = begin + this.rowsOf(batch);
    const from = Math.floor(begin / P);
    const count = end > begin ? Math.ceil(end / P) - from : 0;
    if (into.numbers.length < count) Object.assign(into, sized(2 * count));
    into.count = count;
    if (count === 0) return into;
    const { numbers, begins, ends } = into;
    const order = this.#orderOf(batch.epoch);
    for (let i = 0; i < count; i += 1) numbers[i] = this.#panelAt(order, from + i);
    const [first, last] = [numbers[0], numbers[count - 1]];
    if (count > 1) sort(numbers, count);
    // Borders cut the first and the last panel only.
    for (let i = 0; i < count; i += 1) {
      begins[i] = numbers[i] === first ? begin - from * P : 0;
      ends[i] = numbers[i] === last ? end - (from + count - 1) * P : P;
    }
    return into;
  }

  #panelAt(order: Permutation, position: number): number {
    if (this.#position !== position) {
      this.#position = position;
      this.#panel = this.#first + (position < this.#full ? order.at(position) : position);
    }
    return this.#panel;
  }

  #orderOf(epoch: number): Permutation {
    if (this.#order === undefined || this.#epoch !== epoch) {
      this.#order = permutation(this.#seed, 'epoch', epoch, this.#full);
      this.#epoch = epoch;
      this.#position = -1;
    }
    return this.#order;
  }
}

function sized(count: number): Omit<BatchPanels, 'count'> {
  return { numbers: new Float64Array(count), begins: new Uint8Array(count), ends: new Uint8Array(count) };
}

function sort(values: Float64Array, count: number): void {
  if (count > INSERTION) {
    values.subarray(0, count).sort();
    return;
  }
  for (let i = 1; i < count; i += 1) {
    const value = values[i] as number;
    let at = i;
    for (; at > 0 && (values[at - 1] as number) > value; at -= 1) values[at] = values[at - 1] as number;
    values[at] = value;
  }
}
