import { checkMemory, type Encoded, type EncodeProgress } from '../encoded.ts';
import { memoryLimitBytes } from '../limits.ts';
import { allocateStore, viewsOf } from '../store.ts';
import { inconsistent } from './failures.ts';
import type { Facts } from './format.ts';
import { type Dataset, type Into, numbersOf, visitChunks } from './read.ts';

/** What the manifest says of the encoded data. */
export function factsOf({ manifest }: Dataset): Facts {
  const {
    format: _format,
    formatVersion: _version,
    numericsVersion: _numerics,
    id: _id,
    options: _options,
    offsets: _offsets,
    layouts: _layouts,
    shards: _shards,
    ...facts
  } = manifest;
  return facts;
}

const bytesOf = (array: Float32Array | Float64Array, length = array.length): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, length * array.BYTES_PER_ELEMENT);

/**
 * Reads a dataset into memory: chunks go from the disk straight to where kernels read them, and each is checked. The result
 * is what encoding the source would give, to the bit.
 *
 * @throws PARAGRAD_MEMORY before anything is read when it would not fit; PARAGRAD_DATASET_FILE, PARAGRAD_DATASET_MIXED; the
 * signal's reason when aborted
 */
export async function loadDataset(
  dataset: Dataset,
  options: {
    readonly signal?: AbortSignal | undefined;
    readonly onProgress?: ((progress: EncodeProgress) => void) | undefined;
    readonly segmentBytes?: number | undefined;
    /** What the data may take; default: what this process may use. */
    readonly memoryBytes?: number | undefined;
  } = {},
): Promise<Encoded> {
  const began = performance.now();
  const { layouts, offsets, weighted } = dataset.manifest;
  checkMemory(layouts, options.memoryBytes ?? memoryLimitBytes());
  const { segmentBytes } = options;
  const store = allocateStore(layouts.training, layouts.validation, { offsets, ...(segmentBytes === undefined ? {} : { segmentBytes }) });
  const sourceRows = { training: new Float64Array(layouts.training.rows), validation: new Float64Array(layouts.validation.rows) };
  const total = layouts.training.rows + layouts.validation.rows;
  let rows = 0;
  await visitChunks(
    dataset,
    async (reader, set, chunk) => {
      const views = viewsOf(store, store[set], chunk);
      const row = new Uint8Array(views.rows * 8);
      const into: Into = {
        x: bytesOf(views.x),
        y: bytesOf(views.y, views.rows),
        ...(weighted ? { weight: bytesOf(views.v, views.rows) } : {}),
        ...(views.offset === undefined ? {} : { offset: bytesOf(views.offset, views.rows) }),
        row,
      };
      await reader.readChunk(chunk, into);
      if (!weighted) views.v.fill(1, 0, views.rows);
      sourceRows[set].set(numbersOf(row), chunk * layouts[set].chunkRows);
      rows += views.rows;
      options.onProgress?.({ phase: 'encode', rows, total });
    },
    options.signal,
  );
  return {
    ...factsOf(dataset),
    store,
    trainingRows: sourceRows.training,
    validationRows: sourceRows.validation,
    seconds: { read: (performance.now() - began) / 1000, encode: 0 },
  };
}

export interface DatasetCheck {
  readonly shards: number;
  readonly chunks: number;
  readonly bytes: number;
  readonly rows: number;
}

/**
 * Reads a whole dataset in the memory of a few chunks: every checksum, and that every source row is there at most once.
 *
 * @throws PARAGRAD_DATASET_FILE, PARAGRAD_DATASET_MIXED; the signal's reason when aborted
 */
export async function verifyDataset(
  dataset: Dataset,
  options: { readonly signal?: AbortSignal | undefined; readonly onRows?: ((rows: number) => void) | undefined } = {},
): Promise<DatasetCheck> {
  const { manifest, shards } = dataset;
  const seen = new Uint8Array(Math.ceil(manifest.counts.rows / 8));
  let rows = 0;
  let chunks = 0;
  await visitChunks(
    dataset,
    async (reader, _set, chunk) => {
      const entry = manifest.shards[shards.indexOf(reader.shard)]?.chunks[chunk - reader.shard.chunkBegin];
      const memory = (name: 'x' | 'y' | 'weight' | 'offset' | 'row'): Uint8Array => new Uint8Array(entry?.[name]?.[1] ?? 0);
      const row = memory('row');
      const { weighted, offsets } = manifest;
      await reader.readChunk(chunk, {
        x: memory('x'),
        y: memory('y'),
        ...(weighted ? { weight: memory('weight') } : {}),
        ...(offsets ? { offset: memory('offset') } : {}),
        row,
      });
      for (const number of numbersOf(row)) {
        const bit = 1 << (number % 8);
        const at = Math.floor(number / 8);
        if (number >= manifest.counts.rows || ((seen[at] as number) & bit) !== 0)
          throw inconsistent(dataset, `holds source row ${number} twice, or the source did not have it`);
        seen[at] = (seen[at] as number) | bit;
      }
      rows += row.length / 8;
      chunks += 1;
      options.onRows?.(rows);
    },
    options.signal,
  );
  const { training, validation } = manifest.counts;
  if (rows !== training + validation) throw inconsistent(dataset, `holds ${rows} rows where the manifest counts ${training + validation}`);
  return { shards: shards.length, chunks, bytes: shards.reduce((sum, { bytes }) => sum + bytes, 0), rows };
}
