import type { Collective, Part } from '../communicate/collective.ts';
import { addressOf, panelStrideOf, type StoredSet } from '../data/store.ts';
import { bytesPerValue, CACHE_LINE_BYTES, columnOfBlock, type Layout, panelRows, panelsOfChunk } from '../partition/layout.ts';
import type { Share } from '../partition/plan.ts';
import { coverOf, leavesOf } from '../partition/tree.ts';
import type { Workplace } from './workplace.ts';

/** Bytes of x, per rank, that are dotted before their partial dots are exchanged: still in cache when their updates come. */
const BATCH_BYTES = 1024 * 1024;

type Dots = Float32Array<ArrayBufferLike> | Float64Array<ArrayBufferLike>;
type DotPart = Part<Float32Array> | Part<Float64Array>;

interface Batch {
  readonly begin: number;
  readonly end: number;
  readonly rows: number;
  /** Resolves to the whole dots: vectors × rows. */
  readonly dots: Promise<Dots>;
}

/**
 * The first round of a pass over a column split: partial dots of own blocks, as subtree nodes over block numbers in T, are
 * all-reduced among the ranks of a worker row (docs/numerics.md §3). The exchange of a batch overlaps with the computing of
 * the next.
 */
export class DotExchange {
  readonly #share: Share;
  readonly #row: Collective;
  readonly #workplaces: readonly Workplace[];
  /** Arrays of two batches in turn: one is computed while the other is on its way. */
  readonly #arrays = new Map<string, Dots>();
  #turn = 0;

  constructor(share: Share, row: Collective, workplaces: readonly Workplace[]) {
    this.#share = share;
    this.#row = row;
    this.#workplaces = workplaces;
  }

  /**
   * Whole dots (T, panels × P rows, in the chunk's own segment) of every vector for chunks [begin, end), ascending. Addresses
   * are good until the next one is asked for. `weights`: per segment and vector, the address of the first own weight.
   */
  async *dots(
    set: StoredSet,
    begin: number,
    end: number,
    weights: readonly (readonly number[])[],
    vectors: number,
  ): AsyncGenerator<{ chunk: number; dots: number[] }> {
    let next = this.#start(set, begin, end, weights, vectors);
    while (next !== undefined) {
      const batch: Batch = next;
      next = this.#start(set, batch.end, end, weights, vectors);
      const dots = await batch.dots;
      let row = 0;
      for (let chunk = batch.begin; chunk < batch.end; chunk += 1) {
        const rows = panelsOfChunk(set.layout, chunk) * panelRows(set.layout.dtype);
        yield { chunk, dots: this.#restore(set, chunk, dots, batch.rows, row, rows, vectors) };
        row += rows;
      }
    }
  }

  /** Computes a batch's partial dots and starts their exchange. */
  #start(set: StoredSet, begin: number, limit: number, weights: readonly (readonly number[])[], vectors: number): Batch | undefined {
    if (begin >= limit) return undefined;
    const { layout } = set;
    const { end, rows } = nextBatch(layout, begin, limit, this.#row.size);
    this.#turn = 1 - this.#turn;
    const parts = coverOf(this.#share.blockBegin, this.#share.blockEnd, layout.blocks).map((node): DotPart => {
      const values = this.#array(`${node.level}/${node.index}`, layout, vectors * rows);
      const blocks = leavesOf(node, layout.blocks);
      const columns = { begin: columnOfBlock(layout, blocks.begin), end: columnOfBlock(layout, blocks.end) };
      let row = 0;
      for (let chunk = begin; chunk < end; chunk += 1) {
        this.#partial(set, chunk, columns, weights, vectors, values, rows, row);
        row += panelsOfChunk(layout, chunk) * panelRows(layout.dtype);
      }
      return { node, begin: 0, end: vectors * rows, values } as DotPart;
    });
    return { begin, end, rows, dots: this.#reduce(layout, vectors * rows, parts) };
  }

  async #reduce(layout: Layout, length: number, parts: readonly DotPart[]): Promise<Dots> {
    const into = this.#array('sum', layout, length);
    if (into instanceof Float32Array)
      await this.#row.allReduce({ length, leaves: layout.blocks }, parts as readonly Part<Float32Array>[], into);
    else await this.#row.allReduce({ length, leaves: layout.blocks }, parts as readonly Part<Float64Array>[], into);
    return into;
  }

  /** An array that nobody uses any more, since its batch was the one before the last. */
  #array(name: string, layout: Layout, length: number): Dots {
    const key = `${name} ${this.#turn}`;
    let array = this.#arrays.get(key);
    if (array === undefined || array.length < length || array.BYTES_PER_ELEMENT !== bytesPerValue(layout.dtype)) {
      array = newDots(layout, length);
      this.#arrays.set(key, array);
    }
    return array.subarray(0, length);
  }

  /** Dots of one tree node of blocks, for one chunk and every vector, into `values`. */
  #partial(
    set: StoredSet,
    chunk: number,
    columns: { begin: number; end: number },
    weights: readonly (readonly number[])[],
    vectors: number,
    values: Dots,
    stride: number,
    row: number,
  ): void {
    const { layout } = set;
    const place = set.chunks[chunk] as StoredSet['chunks'][number];
    const { kernels, scratch } = this.#workplaces[place.segment] as Workplace;
    const panels = panelsOfChunk(layout, chunk);
    const out = scratch.at('partial dots', panels * CACHE_LINE_BYTES);
    const run = {
      x: addressOf(set, place, columns.begin),
      panelStride: panelStrideOf(set),
      panels,
      columns: columns.end - columns.begin,
      blockColumns: layout.blockColumns,
      firstPanel: 0,
    };
    const skip = (columns.begin - columnOfBlock(layout, this.#share.blockBegin)) * bytesPerValue(layout.dtype);
    for (let k = 0; k < vectors; k += 1) {
      kernels.dots(run, ((weights[place.segment] as readonly number[])[k] as number) + skip, out);
      values.set(viewDots(layout, scratch.memory.buffer, out, panels * panelRows(layout.dtype)), k * stride + row);
    }
  }

  /** Puts a chunk's whole dots where the kernels can read them. */
  #restore(set: StoredSet, chunk: number, dots: Dots, stride: number, row: number, rows: number, vectors: number): number[] {
    const place = set.chunks[chunk] as StoredSet['chunks'][number];
    const { scratch } = this.#workplaces[place.segment] as Workplace;
    return Array.from({ length: vectors }, (_, k) => {
      const address = scratch.at(`dots ${k}`, rows * bytesPerValue(set.layout.dtype));
      viewDots(set.layout, scratch.memory.buffer, address, rows).set(dots.subarray(k * stride + row, k * stride + row + rows));
      return address;
    });
  }
}

/**
 * The chunks that are exchanged together, from `begin`, and their rows, padded. A function of what all `members` of a worker row know
 * alike, not of the own columns: they must exchange the same batches.
 */
function nextBatch(layout: Layout, begin: number, limit: number, members: number): { readonly end: number; readonly rows: number } {
  const rowBytes = Math.ceil(layout.columns / members) * bytesPerValue(layout.dtype);
  let end = begin;
  let rows = 0;
  do {
    rows += panelsOfChunk(layout, end) * panelRows(layout.dtype);
    end += 1;
  } while (end < limit && (rows + layout.chunkRows) * rowBytes <= BATCH_BYTES);
  return { end, rows };
}

/** All batches of chunks [begin, limit). */
export function batchesOf(
  layout: Layout,
  begin: number,
  limit: number,
  members: number,
): { readonly end: number; readonly rows: number }[] {
  const batches: { readonly end: number; readonly rows: number }[] = [];
  for (let at = begin; at < limit; at = (batches.at(-1) as { end: number }).end) batches.push(nextBatch(layout, at, limit, members));
  return batches;
}

function newDots(layout: Layout, length: number): Dots {
  return layout.dtype === 'f32' ? new Float32Array(length) : new Float64Array(length);
}

function viewDots(layout: Layout, buffer: SharedArrayBuffer, at: number, length: number): Dots {
  return layout.dtype === 'f32' ? new Float32Array(buffer, at, length) : new Float64Array(buffer, at, length);
}
