import { readdir } from 'node:fs/promises';
import { crc32c, crcText } from '../../crc32c.ts';
import { ParagradError } from '../../errors.ts';
import { layoutOf } from '../../partition/layout.ts';
import { isAddress, openSource, readText, within } from '../source/location.ts';
import { shown } from '../source/shown.ts';
import type { Source } from '../source/source.ts';
import { damaged, missingFile, mixed, newer, notADataset } from './failures.ts';
import {
  type ChunkEntry,
  FORMAT,
  FORMAT_VERSION,
  headOfShard,
  isIntact,
  MANIFEST,
  type Manifest,
  piecesOfShard,
  planShard,
  type SetName,
  type ShardPlan,
  type TensorName,
} from './format.ts';

/** A manifest is a line per chunk: this is one of millions. */
const MOST_MANIFEST_BYTES = 512 * 1024 * 1024;
/** What is a table, and no folder. */
const TABLE = /\.(csv|tsv|txt|json|jsonl|ndjson|parquet|pq|gz)$/iu;

/** A dataset folder whose manifest has been read and checked; its shards have not been looked at. */
export interface Dataset {
  readonly folder: string;
  readonly manifest: Manifest;
  /** In the order of the manifest. */
  readonly shards: readonly ShardPlan[];
}

/**
 * Whether a location is a folder that is meant as a dataset: whole or not; at an address: whether it has a manifest.
 *
 * @throws PARAGRAD_REMOTE
 */
export async function isDataset(path: string): Promise<boolean> {
  if (isAddress(path)) {
    if (TABLE.test(new URL(path).pathname)) return false;
    return openSource(within(path, MANIFEST)).then(
      (source) => source.close().then(() => true),
      (error: unknown) => {
        if (isMissing(error)) return false;
        throw error;
      },
    );
  }
  const files = await readdir(path).catch(() => []);
  return files.some((file) => file === MANIFEST || /^shard-\d+\.safetensors$/u.test(file));
}

/**
 * Reads and checks a dataset's manifest.
 *
 * @throws PARAGRAD_DATASET_FOLDER when the folder is no dataset; PARAGRAD_DATASET_VERSION when a later version wrote it, or
 * other `numericsVersion`; PARAGRAD_DATASET_FILE when the manifest was changed or cut off
 */
export async function openDataset(folder: string, numericsVersion: number): Promise<Dataset> {
  const path = shown(within(folder, MANIFEST));
  const text = await readText(within(folder, MANIFEST), MOST_MANIFEST_BYTES).catch((cause: unknown) => {
    if (cause instanceof ParagradError && !isMissing(cause)) throw cause;
    throw notADataset(shown(folder), `it has no ${MANIFEST} (was prepare ended before it was done?)`, cause);
  });
  let manifest: Manifest;
  try {
    manifest = JSON.parse(text) as Manifest;
  } catch (cause) {
    throw damaged(path, 'is not JSON', cause);
  }
  if (manifest?.format !== FORMAT) throw notADataset(shown(folder), `${path} is not the manifest of one`);
  if (manifest.formatVersion !== FORMAT_VERSION) throw newer(path, 'format version', manifest.formatVersion, FORMAT_VERSION);
  if (manifest.numericsVersion !== numericsVersion) throw newer(path, 'numericsVersion', manifest.numericsVersion, numericsVersion);
  if (!isIntact(text, manifest.id)) throw damaged(path, 'was changed or cut off: its id does not fit its content');
  return { folder, manifest, shards: plansOf(manifest, path) };
}

/** The shards as their layouts say; the manifest's table must be the same. */
function plansOf(manifest: Manifest, path: string): ShardPlan[] {
  try {
    const { layouts, weighted, offsets } = manifest;
    const next = { training: 0, validation: 0 };
    for (const layout of Object.values(layouts))
      if (JSON.stringify(layoutOf(layout)) !== JSON.stringify(layout)) throw new Error('a layout contradicts itself');
    const plans = manifest.shards.map(({ set, file, bytes, chunks }, i) => {
      const begin = next[set];
      next[set] += chunks.length;
      const plan = planShard(i, set, layouts[set], begin, next[set], { weight: weighted, offset: offsets });
      const pieces = piecesOfShard(plan);
      const same = chunks.every((chunk, k) => fits(chunk, pieces[k] ?? {}));
      if (plan.file !== file || plan.bytes !== bytes || !same) throw new Error(`shard ${i} contradicts the layouts`);
      return plan;
    });
    for (const set of ['training', 'validation'] as const)
      if (next[set] !== layouts[set].chunks) throw new Error(`${set} chunks are missing`);
    return plans;
  } catch (cause) {
    throw damaged(path, `contradicts itself (${cause instanceof Error ? cause.message : String(cause)})`, cause);
  }
}

function fits(entry: ChunkEntry, pieces: Partial<Record<TensorName, readonly [number, number]>>): boolean {
  return (Object.entries(pieces) as [TensorName, readonly [number, number]][]).every(
    ([name, [offset, bytes]]) => entry[name]?.[0] === offset && entry[name][1] === bytes,
  );
}

/** Memory that a chunk's pieces are read into; each as long as the piece, or longer. */
export type Into = Readonly<Partial<Record<TensorName, Uint8Array>>>;

/** Opens shards one at a time, and checks that they belong to the dataset. */
export class ShardReader {
  readonly shard: ShardPlan;
  readonly #path: string;
  readonly #entries: readonly ChunkEntry[];
  readonly #file: Source;

  private constructor(dataset: Dataset, index: number, file: Source) {
    this.shard = dataset.shards[index] as ShardPlan;
    this.#path = shown(within(dataset.folder, this.shard.file));
    this.#entries = dataset.manifest.shards[index]?.chunks ?? [];
    this.#file = file;
  }

  /**
   * @throws PARAGRAD_DATASET_FILE when the shard is missing, cut off or damaged; PARAGRAD_DATASET_MIXED when it belongs to
   * another dataset
   */
  static async open(dataset: Dataset, index: number): Promise<ShardReader> {
    const path = within(dataset.folder, (dataset.shards[index] as ShardPlan).file);
    const file = await openSource(path).catch((error: NodeJS.ErrnoException) => {
      if (error instanceof ParagradError && !isMissing(error)) throw error;
      throw missingFile(shown(path), error);
    });
    const reader = new ShardReader(dataset, index, file);
    try {
      await reader.#checkHead(dataset.manifest.id);
      return reader;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async #checkHead(id: string): Promise<void> {
    const { size } = this.#file;
    const { bytes } = this.shard;
    const wanted = headOfShard(this.shard, id);
    const head = new Uint8Array(wanted.length);
    await this.#read(head, 0);
    const other = /"dataset":"([0-9a-f]{64})"/u.exec(new TextDecoder().decode(head))?.[1];
    if (other !== undefined && other !== id) throw mixed(this.#path, other, id);
    if (size !== bytes)
      throw damaged(this.#path, `has ${size} bytes where the manifest says ${bytes}${size < bytes ? ': it was cut off' : ''}`);
    if (Buffer.compare(head, wanted) !== 0) throw damaged(this.#path, 'has a damaged head');
  }

  /** Reads a chunk's tensors, as many as `into` has, each with one positioned read, and checks them. @throws PARAGRAD_DATASET_FILE */
  async readChunk(chunk: number, into: Into): Promise<void> {
    const entry = this.#entries[chunk - this.shard.chunkBegin];
    for (const [name, memory] of Object.entries(into) as [TensorName, Uint8Array][]) {
      const [offset, bytes, wanted] = entry?.[name] ?? [0, 0, '00000000'];
      const target = memory.subarray(0, bytes);
      await this.#read(target, offset);
      const found = crcText(crc32c(target));
      if (found !== wanted)
        throw damaged(
          this.#path,
          `is damaged: ${name} of ${this.shard.set} chunk ${chunk} (bytes ${offset} to ${offset + bytes}) has checksum ${found} where the manifest says ${wanted}`,
        );
    }
  }

  async #read(into: Uint8Array, at: number): Promise<void> {
    if (at + into.length > this.#file.size) throw damaged(this.#path, 'was cut off');
    await this.#file.read(into, at).catch((cause: unknown) => {
      if (cause instanceof ParagradError) throw cause;
      throw damaged(this.#path, `cannot be read (${cause instanceof Error ? cause.message : String(cause)})`, cause);
    });
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** Chunks that are read at the same time: while some wait for the disk, the checksum of another is computed. */
const AT_ONCE = 4;

/**
 * Visits all chunks of a dataset, or those of `ranges`, shard by shard; chunks of a shard several at a time, in no particular order.
 *
 * @throws what `ShardReader` does; the signal's reason when aborted
 */
export async function visitChunks(
  dataset: Dataset,
  visit: (reader: ShardReader, set: SetName, chunk: number) => Promise<void>,
  signal?: AbortSignal,
  ranges?: Readonly<Record<SetName, { readonly chunkBegin: number; readonly chunkEnd: number }>>,
  atOnce = AT_ONCE,
): Promise<void> {
  const wanted = dataset.shards.flatMap(({ set, ...shard }, index) => {
    const chunkBegin = Math.max(shard.chunkBegin, ranges?.[set].chunkBegin ?? 0);
    const chunkEnd = Math.min(shard.chunkEnd, ranges?.[set].chunkEnd ?? shard.chunkEnd);
    return chunkBegin < chunkEnd ? [{ index, set, chunkBegin, chunkEnd }] : [];
  });
  // All heads first: a missing or foreign shard is found before hours are spent on the others.
  for (const { index } of wanted) await (await ShardReader.open(dataset, index)).close();
  for (const { index, set, chunkBegin, chunkEnd } of wanted) {
    const reader = await ShardReader.open(dataset, index);
    let next = chunkBegin;
    const work = async (): Promise<void> => {
      while (next < chunkEnd) {
        signal?.throwIfAborted();
        const chunk = next;
        next += 1;
        await visit(reader, set, chunk);
      }
    };
    try {
      // All of them end before the file is closed.
      const done = await Promise.allSettled(Array.from({ length: atOnce }, work));
      for (const each of done) if (each.status === 'rejected') throw each.reason;
    } finally {
      await reader.close();
    }
  }
}

/** Numbers of 64-bit integers, whose values are below 2^53. */
export function numbersOf(bytes: Uint8Array): Float64Array {
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float64Array.from(
    { length: bytes.length / 8 },
    (_, i) => words.getUint32(8 * i, true) + words.getUint32(8 * i + 4, true) * 2 ** 32,
  );
}

/** There is no such thing. */
function isMissing(error: unknown): boolean {
  const { code } = error as { code?: string };
  return code === 'PARAGRAD_FILE' || code === 'ENOENT';
}
