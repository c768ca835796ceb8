import { ACCUMULATOR_BYTES, LIST_SCRATCH_BYTES, LIST_WORDS } from '../kernels/kernels.ts';
import { bytesPerValue, CACHE_LINE_BYTES, type Dtype } from '../partition/layout.ts';
import type { Workplace } from './workplace.ts';

/** Weights in T where the kernels read them. */
interface Weights {
  readonly address: number;
  readonly values: Float32Array | Float64Array;
}

interface Out {
  readonly address: number;
  /** Chunks that there is room for. */
  readonly room: number;
  /** The first chunk's sums: a view, which holds when the memory grows. */
  readonly first: Float64Array;
}

/**
 * What a mini-batch needs in one segment, kept from one batch to the next, since a batch of few rows takes less time than looking
 * things up by name: the list of panels and, for every weight vector, its weights and the sums of chunks.
 */
export class BatchDesk {
  readonly segment: number;
  readonly workplace: Workplace;
  /** Panels of the batch at hand: entries of LIST_WORDS words. */
  list = new Uint32Array(0);
  listAddress = 0;
  count = 0;
  /** Chunks of them, ascending. */
  readonly chunks: number[] = [];
  /** Scratch of the kernels. */
  readonly lines: number;
  /** +0 between calls: kernels leave them so. */
  readonly accumulators: number;
  readonly #dtype: Dtype;
  readonly #columns: number;
  readonly #length: number;
  readonly #weights: Weights[] = [];
  readonly #outs: Out[] = [];

  /** `columns`: own ones. `length`: f64 of a chunk's sums. */
  constructor(segment: number, workplace: Workplace, dtype: Dtype, columns: number, length: number) {
    this.segment = segment;
    this.workplace = workplace;
    this.#dtype = dtype;
    this.#columns = columns;
    this.#length = length;
    this.lines = workplace.scratch.at('batch rows', LIST_SCRATCH_BYTES);
    this.accumulators = workplace.scratch.at('batch accumulators', columns * ACCUMULATOR_BYTES + CACHE_LINE_BYTES);
  }

  /** Begins a batch of at most so many panels. */
  clear(panels: number): void {
    this.count = 0;
    this.clearChunks();
    if (this.list.length >= panels * LIST_WORDS) return;
    const { scratch } = this.workplace;
    const length = (2 * panels + 16) * LIST_WORDS;
    this.listAddress = scratch.at('batch list', length * 4);
    this.list = new Uint32Array(scratch.memory.buffer, this.listAddress, length) as Uint32Array<never>;
  }

  /** Begins another batch behind those that are listed. */
  clearChunks(): void {
    // A length of 0 would give the array's memory back, to be had again at once.
    while (this.chunks.length > 0) this.chunks.pop();
  }

  /** Puts own weights of vector k, from `begin` on, in place: their address. */
  put(k: number, weights: Float64Array, begin: number): number {
    this.#weights[k] ??= this.#newWeights(k);
    const { address, values } = this.#weights[k];
    for (let j = 0; j < values.length; j += 1) values[j] = weights[begin + j];
    return address;
  }

  #newWeights(k: number): Weights {
    const { scratch } = this.workplace;
    const address = scratch.at(`batch weights ${k}`, this.#columns * bytesPerValue(this.#dtype) + CACHE_LINE_BYTES);
    const { buffer } = scratch.memory;
    const values =
      this.#dtype === 'f32' ? new Float32Array(buffer, address, this.#columns) : new Float64Array(buffer, address, this.#columns);
    return { address, values };
  }

  /** Where the sums of the listed chunks go, or of so many, for vector k, chunk after chunk. */
  out(k: number, chunks = this.chunks.length): number {
    const known = this.#outs[k];
    if (known !== undefined && known.room >= chunks) return known.address;
    const { scratch } = this.workplace;
    const room = 2 * chunks + 2;
    const length = this.#length;
    const address = scratch.at(`batch sums ${k}`, room * length * 8 + CACHE_LINE_BYTES);
    this.#outs[k] = { address, room, first: scratch.f64(address, length) };
    return address;
  }

  /** The vector at `out(k)`. */
  first(k: number): Float64Array {
    return this.#outs[k].first;
  }
}
