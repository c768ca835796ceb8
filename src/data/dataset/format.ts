import { createHash } from 'node:crypto';
import { bytesPerValue, type Layout, panelRows, panelsOfChunk, rowsOfChunk } from '../../partition/layout.ts';
import type { Encoded } from '../encoded.ts';
import { bytesOfTensor, safetensorsHead, type TensorShape } from '../safetensors.ts';

/**
 * A dataset folder (docs/formats.md): `manifest.json`, and shards that hold the chunks of one set each. All of it follows from
 * the encoded data: the same data and options give the same bytes.
 */
export const MANIFEST = 'manifest.json';
export const FORMAT = 'paragrad-dataset';
export const FORMAT_VERSION = 1;
/** Shards are filled up to this size: small enough for a tool that reads a whole one. */
export const SHARD_BYTES = 256 * 1024 ** 2;

export type SetName = 'training' | 'validation';
/** Tensors of a shard, in the order of the file: `row` holds source row numbers. */
export const TENSORS = ['x', 'y', 'weight', 'offset', 'row'] as const;
export type TensorName = (typeof TENSORS)[number];

/** Bytes of a chunk in its shard, and their checksum (8 digits, base 16). */
export type Piece = readonly [offset: number, bytes: number, crc32c: string];

export interface ChunkEntry extends Readonly<Partial<Record<TensorName, Piece>>> {
  readonly rows: number;
}

export interface ShardEntry {
  readonly file: string;
  readonly set: SetName;
  readonly bytes: number;
  /** In the order of the set; shards, too, stand in the order of their sets. */
  readonly chunks: readonly ChunkEntry[];
}

/** What is known of encoded data apart from their values: all but the values goes into the manifest. */
export type Facts = Omit<Encoded, 'store' | 'trainingRows' | 'validationRows' | 'seconds'>;

export interface Manifest extends Facts {
  readonly format: typeof FORMAT;
  readonly formatVersion: typeof FORMAT_VERSION;
  readonly numericsVersion: number;
  /** SHA-256 of the manifest with zeros here. Every shard repeats it, and the manifest holds the checksums of all chunks. */
  readonly id: string;
  /** Options of the encoding that were given or have defaults: training goes on with them. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Whether rows have offsets. */
  readonly offsets: boolean;
  readonly layouts: Readonly<Record<SetName, Layout>>;
  readonly shards: readonly ShardEntry[];
}

/** Chunks [chunkBegin, chunkEnd) of a set in one file, and where everything stands in it. */
export interface ShardPlan {
  readonly file: string;
  readonly set: SetName;
  readonly layout: Layout;
  readonly chunkBegin: number;
  readonly chunkEnd: number;
  readonly tensors: Readonly<Partial<Record<TensorName, TensorShape>>>;
  /** Bytes of the file's head, and of the whole file. */
  readonly headBytes: number;
  readonly bytes: number;
}

/** Which arrays there are beside x and y. */
export interface RowArrays {
  readonly weight: boolean;
  readonly offset: boolean;
}

const NO_ID = '0'.repeat(64);

/** Chunks in the order of their set, and one after the other in the file. */
function* chunksOf({ chunkBegin, chunkEnd }: Pick<ShardPlan, 'chunkBegin' | 'chunkEnd'>): Generator<number> {
  for (let chunk = chunkBegin; chunk < chunkEnd; chunk += 1) yield chunk;
}

/** Which chunks go to which shard: full shards as far as possible, and no shard with chunks of both sets. */
export function planShards(layouts: Readonly<Record<SetName, Layout>>, arrays: RowArrays, shardBytes = SHARD_BYTES): ShardPlan[] {
  const plans: ShardPlan[] = [];
  for (const set of ['training', 'validation'] as const) {
    const layout = layouts[set];
    const perRow = layout.columns * bytesPerValue(layout.dtype) + 8 * (2 + Number(arrays.weight) + Number(arrays.offset));
    const perShard = Math.max(1, Math.floor(shardBytes / (layout.chunkRows * perRow)));
    for (let chunk = 0; chunk < layout.chunks; chunk += perShard)
      plans.push(planShard(plans.length, set, layout, chunk, Math.min(layout.chunks, chunk + perShard), arrays));
  }
  return plans;
}

export function planShard(index: number, set: SetName, layout: Layout, chunkBegin: number, chunkEnd: number, arrays: RowArrays): ShardPlan {
  const P = panelRows(layout.dtype);
  let rows = 0;
  let panels = 0;
  for (const chunk of chunksOf({ chunkBegin, chunkEnd })) {
    rows += rowsOfChunk(layout, chunk);
    panels += panelsOfChunk(layout, chunk);
  }
  const column = { dtype: 'F64', shape: [rows] } as const;
  const tensors = {
    x: { dtype: layout.dtype === 'f32' ? 'F32' : 'F64', shape: [panels, layout.columns, P] } as const,
    y: column,
    ...(arrays.weight ? { weight: column } : {}),
    ...(arrays.offset ? { offset: column } : {}),
    row: { dtype: 'I64', shape: [rows] } as const,
  };
  const plan = { file: `shard-${String(index).padStart(5, '0')}.safetensors`, set, layout, chunkBegin, chunkEnd, tensors };
  // Ids are all of one length, so the head keeps its size.
  const headBytes = headOfShard(plan, NO_ID).length;
  return { ...plan, headBytes, bytes: Object.values(tensors).reduce((sum, tensor) => sum + bytesOfTensor(tensor), headBytes) };
}

/** The beginning of a shard's file. Its metadata say to which dataset it belongs. */
export function headOfShard(shard: Pick<ShardPlan, 'set' | 'chunkBegin' | 'chunkEnd' | 'tensors'>, id: string): Uint8Array {
  const { set, chunkBegin, chunkEnd, tensors } = shard;
  const metadata = {
    format: FORMAT,
    formatVersion: String(FORMAT_VERSION),
    dataset: id,
    set,
    chunkBegin: String(chunkBegin),
    chunkEnd: String(chunkEnd),
  };
  return safetensorsHead(tensors, metadata);
}

/** Where each tensor of each chunk of a shard stands: [offset, bytes]. */
export function piecesOfShard(shard: ShardPlan): Partial<Record<TensorName, readonly [offset: number, bytes: number]>>[] {
  const { layout, tensors, headBytes } = shard;
  const chunks = [...chunksOf(shard)];
  const pieces = chunks.map((): Partial<Record<TensorName, readonly [number, number]>> => ({}));
  const panelBytes = panelRows(layout.dtype) * layout.columns * bytesPerValue(layout.dtype);
  let at = headBytes;
  for (const name of TENSORS) {
    if (tensors[name] === undefined) continue;
    for (const [i, chunk] of chunks.entries()) {
      const bytes = name === 'x' ? panelsOfChunk(layout, chunk) * panelBytes : rowsOfChunk(layout, chunk) * 8;
      Object.assign(pieces[i] as object, { [name]: [at, bytes] });
      at += bytes;
    }
  }
  return pieces;
}

/** The manifest's text, with its id. One line per chunk, so that people can read it. */
export function manifestText(facts: Omit<Manifest, 'id' | 'format' | 'formatVersion'>): { text: string; id: string } {
  const { shards, numericsVersion, ...rest } = facts;
  const head = JSON.stringify({ format: FORMAT, formatVersion: FORMAT_VERSION, numericsVersion, id: NO_ID, ...rest }, null, 2);
  const lines = shards.map(({ chunks, ...shard }) => {
    const own = JSON.stringify(shard).slice(0, -1);
    return `    ${own}, "chunks": [\n${chunks.map((chunk) => `      ${JSON.stringify(chunk)}`).join(',\n')}\n    ]}`;
  });
  const blank = `${head.slice(0, -2)},\n  "shards": [\n${lines.join(',\n')}\n  ]\n}\n`;
  const id = sha256(blank);
  return { text: blank.replace(idLine(NO_ID), idLine(id)), id };
}

/** Whether the text is as `manifestText` made it. */
export function isIntact(text: string, id: string): boolean {
  return sha256(text.replace(idLine(id), idLine(NO_ID))) === id;
}

const idLine = (id: string): string => `"id": "${id}"`;

function sha256(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}
