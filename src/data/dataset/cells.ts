import { crc32c } from '../../crc32c.ts';
import { bytesPerValue, type Layout, panelRows, panelsOfChunk, rowsOfChunk } from '../../partition/layout.ts';
import { type ClassWeights, weighClasses } from '../class-weights.ts';
import { allocateParts, type ColumnRange, type DataStore, type StoredPart, viewsOf } from '../store.ts';
import type { SetName } from './format.ts';
import { copyColumns } from './part.ts';
import { type Dataset, ShardReader } from './read.ts';

/** What a receiver of cells must know of their dataset first. */
export interface CellFacts {
  readonly layouts: Readonly<Record<SetName, Layout>>;
  readonly offsets: boolean;
  readonly weighted: boolean;
}

/** One chunk of some columns, as it travels: bytes of the tensors, in the order of the disk; a checksum of each. */
export interface Cells {
  readonly x: Uint8Array;
  readonly y: Uint8Array;
  readonly weight: Uint8Array | undefined;
  readonly offset: Uint8Array | undefined;
  readonly crc: readonly number[];
}

/** Which cells. */
export interface CellRange {
  readonly set: SetName;
  readonly chunk: number;
  readonly columns: ColumnRange;
}

const piecesOf = ({ x, y, weight, offset }: Omit<Cells, 'crc'>): Uint8Array[] =>
  [x, y, weight, offset].filter((each) => each !== undefined);

/** Whether cells are what was sent. */
export function areIntact(cells: Cells): boolean {
  const pieces = piecesOf(cells);
  return pieces.length === cells.crc.length && pieces.every((piece, i) => crc32c(piece) === cells.crc[i]);
}

/** Reads cells of a dataset one after the other, in the memory of two chunks; the shard that was read last stays open. */
export class CellReader {
  readonly #dataset: Dataset;
  #open: { readonly index: number; readonly reader: ShardReader } | undefined;
  #buffer = new Uint8Array(0);

  constructor(dataset: Dataset) {
    this.#dataset = dataset;
  }

  get facts(): CellFacts {
    const { layouts, offsets, weighted } = this.#dataset.manifest;
    return { layouts, offsets, weighted };
  }

  /**
   * The cells of a range; x holds until the next call.
   *
   * @throws PARAGRAD_DATASET_FILE, PARAGRAD_DATASET_MIXED; RangeError for what the dataset does not have
   */
  async read({ set, chunk, columns }: CellRange): Promise<Cells> {
    const { layouts, offsets, weighted } = this.#dataset.manifest;
    const layout = layouts[set];
    const { begin, end } = columns;
    if (!(chunk >= 0 && chunk < layout.chunks && begin >= 0 && begin <= end && end <= layout.columns))
      throw new RangeError(`the dataset has no ${set} chunk ${chunk} of columns ${begin} to ${end}`);
    const reader = await this.#reader(set, chunk);
    const rows = rowsOfChunk(layout, chunk);
    const whole = this.#take(xBytes(layout, chunk, layout.columns));
    const y = new Uint8Array(rows * 8);
    const weight = weighted ? new Uint8Array(rows * 8) : undefined;
    const offset = offsets ? new Uint8Array(rows * 8) : undefined;
    await reader.readChunk(chunk, {
      x: whole,
      y,
      ...(weight === undefined ? {} : { weight }),
      ...(offset === undefined ? {} : { offset }),
    });
    let x = whole;
    if (begin > 0 || end < layout.columns) {
      x = new Uint8Array(xBytes(layout, chunk, end - begin));
      copyColumns(layout, panelsOfChunk(layout, chunk), columns, whole, x);
    }
    return { x, y, weight, offset, crc: piecesOf({ x, y, weight, offset }).map((piece) => crc32c(piece)) };
  }

  #take(bytes: number): Uint8Array {
    if (this.#buffer.length < bytes) this.#buffer = new Uint8Array(bytes);
    return this.#buffer.subarray(0, bytes);
  }

  async #reader(set: SetName, chunk: number): Promise<ShardReader> {
    const index = this.#dataset.shards.findIndex((shard) => shard.set === set && chunk >= shard.chunkBegin && chunk < shard.chunkEnd);
    if (this.#open?.index !== index) {
      await this.close();
      this.#open = { index, reader: await ShardReader.open(this.#dataset, index) };
    }
    return this.#open.reader;
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.reader.close();
  }
}

function xBytes(layout: Layout, chunk: number, columns: number): number {
  return panelsOfChunk(layout, chunk) * panelRows(layout.dtype) * columns * bytesPerValue(layout.dtype);
}

/** Chunks that are asked for at a time: while one travels, the next is read. */
const AT_ONCE = 2;

/**
 * Fills memory with the cells of a part, chunk by chunk, from whoever has them: the same bytes as `loadParts`.
 *
 * @throws what `ask` does
 */
export async function receiveParts(
  { layouts, offsets }: CellFacts,
  parts: Readonly<Record<SetName, StoredPart>>,
  ask: (range: CellRange) => Promise<Cells>,
  options: { readonly factors?: ClassWeights | undefined; readonly onChunk?: (() => void) | undefined } = {},
): Promise<DataStore> {
  const store = allocateParts(layouts.training, layouts.validation, parts, { offsets });
  const wanted = (['training', 'validation'] as const).flatMap((set) => {
    const { chunkBegin, chunkEnd, columns } = parts[set];
    return Array.from({ length: chunkEnd - chunkBegin }, (_, i): CellRange => ({ set, chunk: chunkBegin + i, columns }));
  });
  const bytesOf = (array: Float32Array | Float64Array): Uint8Array => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  const fill = async (range: CellRange): Promise<void> => {
    const { x, y, weight, offset } = await ask(range);
    const views = viewsOf(store, store[range.set], range.chunk);
    bytesOf(views.x).set(x);
    bytesOf(views.y).set(y);
    if (weight === undefined) views.v.fill(1, 0, views.rows);
    else bytesOf(views.v).set(weight);
    if (offset !== undefined && views.offset !== undefined) bytesOf(views.offset).set(offset);
    if (options.factors !== undefined && range.set === 'training') weighClasses(options.factors, views.rows, views.y, views.v);
    options.onChunk?.();
  };
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < wanted.length) {
      const range = wanted[next] as CellRange;
      next += 1;
      await fill(range);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return store;
}
