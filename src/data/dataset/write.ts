import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32c, crcText } from '../../crc32c.ts';
import { assert } from '../../errors.ts';
import { bytesPerValue, type Layout, panelRows, panelsOfChunk, rowsOfChunk } from '../../partition/layout.ts';
import type { ChunkSink, OpenChunk } from '../scatter.ts';
import {
  type ChunkEntry,
  headOfShard,
  MANIFEST,
  type Manifest,
  manifestText,
  piecesOfShard,
  planShards,
  type RowArrays,
  type SetName,
  type ShardPlan,
  TENSORS,
  type TensorName,
} from './format.ts';

/** A chunk in ordinary memory. */
interface Buffered extends OpenChunk {
  readonly chunk: number;
  readonly bytes: Readonly<Partial<Record<TensorName, Uint8Array>>>;
}

interface OpenShard {
  readonly shard: ShardPlan;
  readonly pieces: ReturnType<typeof piecesOfShard>;
}

/**
 * Writes the chunks of a dataset into a folder that exists and is empty, as they fill: memory holds two chunks of each set.
 * Write all chunks through `sinks`, then `finish`. After an error, `abandon`; the folder is the caller's to remove.
 */
export class DatasetWriter {
  readonly sinks: Readonly<Record<SetName, ChunkSink>>;
  readonly #folder: string;
  readonly #sets: Readonly<Record<SetName, SetFiles>>;

  constructor(folder: string, layouts: Readonly<Record<SetName, Layout>>, arrays: RowArrays, shardBytes?: number) {
    const shards = planShards(layouts, arrays, shardBytes);
    const files = (set: SetName): SetFiles =>
      new SetFiles(
        folder,
        layouts[set],
        arrays,
        shards.filter((shard) => shard.set === set),
      );
    this.#folder = folder;
    this.#sets = { training: files('training'), validation: files('validation') };
    this.sinks = this.#sets;
  }

  /** Writes the manifest, last of all, and the heads of the shards, which repeat its id. Everything is on the disk then. */
  async finish(facts: Omit<Manifest, 'id' | 'format' | 'formatVersion' | 'shards'>): Promise<Pick<Manifest, 'id' | 'shards'>> {
    const sets = Object.values(this.#sets);
    for (const set of sets) await set.flush();
    const shards = sets.flatMap(({ plans, entries }) =>
      plans.map((plan) => {
        const chunks = entries.slice(plan.chunkBegin, plan.chunkEnd);
        assert(chunks.length === plan.chunkEnd - plan.chunkBegin, 'a chunk was not written');
        return { file: plan.file, set: plan.set, bytes: plan.bytes, chunks };
      }),
    );
    const { text, id } = manifestText({ ...facts, shards });
    for (const plan of sets.flatMap(({ plans }) => plans)) await writeDurably(join(this.#folder, plan.file), 'r+', headOfShard(plan, id));
    await writeDurably(join(this.#folder, MANIFEST), 'wx', new TextEncoder().encode(text));
    return { id, shards };
  }

  /** Closes all files. */
  async abandon(): Promise<void> {
    for (const set of Object.values(this.#sets)) await set.abandon();
  }
}

async function writeDurably(path: string, flags: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, flags);
  try {
    await writeAll(file, bytes, 0);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A write may write less than it was given. */
async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
}

/** The shards of one set. Chunks come in the order of the set. */
class SetFiles implements ChunkSink {
  readonly layout: Layout;
  readonly plans: readonly ShardPlan[];
  readonly entries: ChunkEntry[] = [];
  readonly #folder: string;
  readonly #arrays: RowArrays;
  #current: Buffered | undefined;
  /** While one chunk is written, the next is filled in the other's memory. */
  readonly #memory: SharedArrayBuffer[] = [];
  #writing: Promise<void> = Promise.resolve();
  #file: FileHandle | undefined;
  #shard: OpenShard | undefined;

  constructor(folder: string, layout: Layout, arrays: RowArrays, plans: readonly ShardPlan[]) {
    this.#folder = folder;
    this.layout = layout;
    this.#arrays = arrays;
    this.plans = plans;
  }

  open(chunk: number): OpenChunk {
    if (this.#current?.chunk !== chunk) {
      assert(this.#current === undefined && chunk === this.entries.length, 'chunks of a folder are written in order');
      this.#current = this.#buffer(chunk);
    }
    return this.#current;
  }

  close(chunk: number): Promise<void> {
    const full = this.#current;
    assert(full?.chunk === chunk, 'the chunk is not open');
    this.#current = undefined;
    const { shard, pieces: all } = this.#shardOf(chunk);
    const bytes = { ...full.bytes, row: int64(full.sourceRows) };
    const places = all[chunk - shard.chunkBegin] as Record<TensorName, readonly [number, number]>;
    const names = TENSORS.filter((name) => shard.tensors[name] !== undefined);
    const pieces = names.map((name) => [name, [...places[name], crcText(crc32c(bytes[name] as Uint8Array))]] as const);
    this.entries.push({ rows: full.views.rows, ...Object.fromEntries(pieces) });
    const before = this.#writing;
    this.#writing = before.then(() => this.#write(shard, chunk, places, bytes));
    // A failure is met by whoever waits for it next.
    this.#writing.catch(() => undefined);
    return before;
  }

  #shardOf(chunk: number): OpenShard {
    if (this.#shard !== undefined && chunk < this.#shard.shard.chunkEnd) return this.#shard;
    const shard = this.plans.find(({ chunkEnd }) => chunk < chunkEnd);
    assert(shard, 'chunk out of range');
    this.#shard = { shard, pieces: piecesOfShard(shard) };
    return this.#shard;
  }

  async flush(): Promise<void> {
    await this.#writing;
    assert(this.entries.length === this.layout.chunks, 'a chunk was not written');
  }

  async abandon(): Promise<void> {
    await this.#writing.catch(() => undefined);
    await this.#file?.close().catch(() => undefined);
    this.#file = undefined;
  }

  async #write(
    shard: ShardPlan,
    chunk: number,
    places: Record<TensorName, readonly [number, number]>,
    bytes: Partial<Record<TensorName, Uint8Array>>,
  ): Promise<void> {
    this.#file ??= await open(join(this.#folder, shard.file), 'wx');
    for (const [name, piece] of Object.entries(bytes) as [TensorName, Uint8Array][])
      if (shard.tensors[name] !== undefined) await writeAll(this.#file, piece, places[name][0]);
    if (chunk + 1 < shard.chunkEnd) return;
    await this.#file.sync();
    await this.#file.close();
    this.#file = undefined;
  }

  #buffer(chunk: number): Buffered {
    const { layout } = this;
    const rows = rowsOfChunk(layout, chunk);
    const padded = panelsOfChunk(layout, chunk) * panelRows(layout.dtype);
    const values = padded * layout.columns;
    const xBytes = Math.ceil((values * bytesPerValue(layout.dtype)) / 8) * 8;
    const offset = this.#arrays.offset;
    const needed = xBytes + padded * 8 * (offset ? 3 : 2);
    const slot = chunk % 2;
    if ((this.#memory[slot]?.byteLength ?? 0) < needed) this.#memory[slot] = new SharedArrayBuffer(needed);
    const memory = this.#memory[slot] as SharedArrayBuffer;
    new Uint8Array(memory).fill(0);
    const views = {
      rows,
      x: layout.dtype === 'f32' ? new Float32Array(memory, 0, values) : new Float64Array(memory, 0, values),
      y: new Float64Array(memory, xBytes, padded),
      v: new Float64Array(memory, xBytes + padded * 8, padded),
      offset: offset ? new Float64Array(memory, xBytes + padded * 16, padded) : undefined,
    };
    const column = (array: Float64Array | undefined): Uint8Array | undefined =>
      array === undefined ? undefined : new Uint8Array(array.buffer, array.byteOffset, rows * 8);
    const bytes = {
      x: new Uint8Array(memory, 0, values * bytesPerValue(layout.dtype)),
      y: column(views.y) as Uint8Array,
      weight: column(views.v) as Uint8Array,
      ...(views.offset === undefined ? {} : { offset: column(views.offset) as Uint8Array }),
    };
    return { chunk, views, sourceRows: new Float64Array(rows), bytes };
  }
}

/** Whole numbers as the bytes of 64-bit integers. */
function int64(numbers: Float64Array): Uint8Array {
  const words = new Uint32Array(numbers.length * 2);
  for (let i = 0; i < numbers.length; i += 1) {
    const value = numbers[i] as number;
    words[2 * i] = value % 2 ** 32;
    words[2 * i + 1] = Math.floor(value / 2 ** 32);
  }
  return new Uint8Array(words.buffer);
}
