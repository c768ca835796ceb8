import { bytesPerValue, columnOfBlock, type Layout, panelRows, panelsOfChunk, rowsOfChunk } from '../../partition/layout.ts';
import type { Partition, Share } from '../../partition/plan.ts';
import { addClassTotals, type ClassTotals, type ClassWeights, noClassTotals, weighClasses } from '../class-weights.ts';
import type { Encoded } from '../encoded.ts';
import { allocateParts, type DataStore, type StoredPart, storedColumns, viewsOf } from '../store.ts';
import type { SetName } from './format.ts';
import { factsOf } from './load.ts';
import { type Dataset, type Into, ShardReader, visitChunks } from './read.ts';

/** The cells of one rank: its chunks of both sets, its columns. The validation set is cut in the proportions of the training set. */
export function partsOf(
  layouts: Readonly<Record<SetName, Layout>>,
  { grid }: Pick<Partition, 'grid'>,
  share: Share,
): Readonly<Record<SetName, StoredPart>> {
  const columns = { begin: columnOfBlock(layouts.training, share.blockBegin), end: columnOfBlock(layouts.training, share.blockEnd) };
  const row = Math.floor(share.rank / grid.columns);
  const border = (part: number): number => Math.floor((layouts.validation.chunks * part) / grid.rows);
  return {
    training: { chunkBegin: share.chunkBegin, chunkEnd: share.chunkEnd, columns },
    validation: { chunkBegin: border(row), chunkEnd: border(row + 1), columns },
  };
}

/** While one waits for the disk, the checksum of the other is computed. */
const CHUNKS_AT_ONCE = 2;

/** Nothing of a set. */
export const NO_PART: StoredPart = { chunkBegin: 0, chunkEnd: 0, columns: { begin: 0, end: 0 } };

/**
 * Reads a part of a dataset into memory: the chunks of the part, and of them the columns of the part. A chunk of which columns are
 * dropped is read as a whole first, since its checksum is of the whole; memory holds a few such chunks beside the part.
 *
 * @throws PARAGRAD_DATASET_FILE, PARAGRAD_DATASET_MIXED; the signal's reason when aborted
 */
export async function loadParts(
  dataset: Dataset,
  parts: Readonly<Record<SetName, StoredPart>>,
  options: {
    readonly signal?: AbortSignal | undefined;
    readonly factors?: ClassWeights | undefined;
    /** After every chunk, with how many have been read. */
    readonly onChunk?: ((chunks: number) => void) | undefined;
    readonly segmentBytes?: number | undefined;
  } = {},
): Promise<DataStore> {
  const { layouts, offsets, weighted } = dataset.manifest;
  const { factors, segmentBytes } = options;
  const store = allocateParts(layouts.training, layouts.validation, parts, {
    offsets,
    ...(segmentBytes === undefined ? {} : { segmentBytes }),
  });
  const buffers = new Buffers();
  let chunks = 0;
  await visitChunks(
    dataset,
    async (reader, name, chunk) => {
      const set = store[name];
      const { layout } = set;
      const views = viewsOf(store, set, chunk);
      const { begin, end } = storedColumns(set);
      const whole = begin === 0 && end === layout.columns;
      const x = whole ? bytesOf(views.x) : buffers.take(wholeBytes(layout, chunk));
      const into: Into = {
        x,
        y: bytesOf(views.y, views.rows),
        ...(weighted ? { weight: bytesOf(views.v, views.rows) } : {}),
        ...(views.offset === undefined ? {} : { offset: bytesOf(views.offset, views.rows) }),
      };
      await reader.readChunk(chunk, into);
      if (!whole) {
        copyColumns(layout, panelsOfChunk(layout, chunk), { begin, end }, x, bytesOf(views.x));
        buffers.give(x);
      }
      if (!weighted) views.v.fill(1, 0, views.rows);
      if (factors !== undefined && name === 'training') weighClasses(factors, views.rows, views.y, views.v);
      chunks += 1;
      options.onChunk?.(chunks);
    },
    options.signal,
    parts,
    // Each holds a whole chunk beside the part.
    CHUNKS_AT_ONCE,
  );
  return store;
}

/** All of a dataset but its rows: what a coordinator needs whose workers read them. */
export function encodedWithoutRows(dataset: Dataset): Encoded {
  const { layouts, offsets } = dataset.manifest;
  const store = allocateParts(layouts.training, layouts.validation, { training: NO_PART, validation: NO_PART }, { offsets });
  const nothing = new Float64Array(0);
  return { ...factsOf(dataset), store, trainingRows: nothing, validationRows: nothing, seconds: { read: 0, encode: 0 } };
}

/** The validation rows alone. @throws what `loadParts` does */
export function loadValidation(dataset: Dataset, signal: AbortSignal | undefined): Promise<DataStore> {
  const { chunks, columns } = dataset.manifest.layouts.validation;
  const validation = { chunkBegin: 0, chunkEnd: chunks, columns: { begin: 0, end: columns } };
  return loadParts(dataset, { training: NO_PART, validation }, { signal });
}

/** Sums of the training rows' sample weights, added in the order of the rows. @throws what `loadParts` does */
export async function classTotalsOf(dataset: Dataset): Promise<ClassTotals> {
  const { layouts, target, weighted } = dataset.manifest;
  const totals = noClassTotals(target);
  for (const [index, { set, chunkBegin, chunkEnd }] of dataset.shards.entries()) {
    if (set !== 'training') continue;
    const reader = await ShardReader.open(dataset, index);
    try {
      for (let chunk = chunkBegin; chunk < chunkEnd; chunk += 1) {
        const rows = rowsOfChunk(layouts.training, chunk);
        const y = new Float64Array(rows);
        const v = new Float64Array(rows).fill(1);
        await reader.readChunk(chunk, { y: bytesOf(y), ...(weighted ? { weight: bytesOf(v) } : {}) });
        addClassTotals(totals, rows, y, v);
      }
    } finally {
      await reader.close();
    }
  }
  return totals;
}

const bytesOf = (array: Float32Array | Float64Array, length = array.length): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, length * array.BYTES_PER_ELEMENT);

function wholeBytes(layout: Layout, chunk: number): number {
  return panelsOfChunk(layout, chunk) * panelRows(layout.dtype) * layout.columns * bytesPerValue(layout.dtype);
}

/** Panel by panel: a panel's columns stand one after the other. */
export function copyColumns(
  layout: Layout,
  panels: number,
  columns: { begin: number; end: number },
  from: Uint8Array,
  to: Uint8Array,
): void {
  const columnBytes = panelRows(layout.dtype) * bytesPerValue(layout.dtype);
  const width = (columns.end - columns.begin) * columnBytes;
  for (let panel = 0; panel < panels; panel += 1) {
    const at = (panel * layout.columns + columns.begin) * columnBytes;
    to.set(from.subarray(at, at + width), panel * width);
  }
}

/** Memory for whole chunks, used again: as many pieces as chunks are read at a time. */
class Buffers {
  readonly #free: Uint8Array[] = [];

  take(bytes: number): Uint8Array {
    const free = this.#free.findIndex((buffer) => buffer.buffer.byteLength >= bytes);
    const [found] = free < 0 ? [] : this.#free.splice(free, 1);
    return new Uint8Array(found?.buffer ?? new ArrayBuffer(bytes), 0, bytes);
  }

  give(buffer: Uint8Array): void {
    this.#free.push(buffer);
  }
}
