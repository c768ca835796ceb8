import { crc32c } from '../../crc32c.ts';
import { badFrame, notAFrame, otherVersion } from './failures.ts';

/**
 * A frame: a header of 48 bytes, `metaBytes` of JSON, `bodyBytes` of raw bytes. Numbers are little-endian.
 *
 * ```
 *  0 u32 magic "PGRD"   4 u16 version       6 u8 type          7 u8 kind
 *  8 u32 generation    12 u32 meta length  16 u64 step        24 u64 sequence
 * 32 u64 body length   40 u32 CRC-32C of the meta             44 u32 CRC-32C of bytes 0 … 43
 * ```
 * Every bit of header and meta is covered by a checksum. Bodies are not: TLS authenticates them, a unix socket is memory.
 */
export const HEADER_BYTES = 48;
/** Version of frames and of what hellos say. Ranks speak to each other only when theirs are equal. */
export const PROTOCOL_VERSION = 1;
const MAGIC = 0x44524750;
const CRC_AT = 44;

/** What a frame is for: a message of a channel, or one of the three of a greeting. */
export const TYPE = { message: 1, hello: 2, welcome: 3, refusal: 4 } as const;
export type FrameType = (typeof TYPE)[keyof typeof TYPE];

export interface FrameHeader {
  readonly type: FrameType;
  readonly kind: number;
  readonly generation: number;
  readonly step: number;
  readonly sequence: number;
  readonly metaBytes: number;
  readonly metaCrc: number;
  readonly bodyBytes: number;
}

/** What a side is ready to receive; checked before anything is allocated. */
export interface FrameLimits {
  readonly metaBytes: number;
  readonly bodyBytes: number;
}

/** A frame larger than this cannot be meant: its length was damaged, or its sender is no rank. */
export const MESSAGE_LIMITS: FrameLimits = { metaBytes: 16 * 1024, bodyBytes: 2 ** 32 };
export const GREETING_LIMITS: FrameLimits = { metaBytes: 4096, bodyBytes: 0 };

const HIGH = 2 ** 32;

function setU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % HIGH, true);
  view.setUint32(at + 4, Math.floor(value / HIGH), true);
}

/** NaN above 2⁵³ − 1, where a double is no longer exact. */
function getU64(view: DataView, at: number): number {
  const high = view.getUint32(at + 4, true);
  return high < 2 ** 21 ? high * HIGH + view.getUint32(at, true) : Number.NaN;
}

function viewOf(bytes: Uint8Array, at: number): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset + at, HEADER_BYTES);
}

/** Writes a header at `at`. */
export function writeHeader(bytes: Uint8Array, at: number, header: FrameHeader): void {
  const view = viewOf(bytes, at);
  view.setUint32(0, MAGIC, true);
  view.setUint16(4, PROTOCOL_VERSION, true);
  view.setUint8(6, header.type);
  view.setUint8(7, header.kind);
  view.setUint32(8, header.generation, true);
  view.setUint32(12, header.metaBytes, true);
  setU64(view, 16, header.step);
  setU64(view, 24, header.sequence);
  setU64(view, 32, header.bodyBytes);
  view.setUint32(40, header.metaCrc, true);
  view.setUint32(CRC_AT, crc32c(bytes.subarray(at, at + CRC_AT)), true);
}

/** Whether the first `count` bytes of a stream can be the beginning of a frame. */
export function beginsFrame(bytes: Uint8Array, count: number): boolean {
  for (let i = 0; i < Math.min(4, count); i += 1) if (bytes[i] !== ((MAGIC >>> (8 * i)) & 255)) return false;
  return true;
}

/**
 * Reads and checks a header.
 *
 * @throws PARAGRAD_FRAME when it is foreign, damaged, or larger than the limits; PARAGRAD_HELLO when it is of another version
 */
export function readHeader(bytes: Uint8Array, at: number, limits: FrameLimits): FrameHeader {
  const view = viewOf(bytes, at);
  if (view.getUint32(0, true) !== MAGIC) throw notAFrame();
  if (view.getUint32(CRC_AT, true) !== crc32c(bytes.subarray(at, at + CRC_AT)))
    throw badFrame('the header of a frame does not match its checksum');
  const version = view.getUint16(4, true);
  if (version !== PROTOCOL_VERSION) throw otherVersion(version, PROTOCOL_VERSION);
  const type = view.getUint8(6);
  if (type < TYPE.message || type > TYPE.refusal) throw badFrame(`a frame is of the unknown type ${type}`);
  const header: FrameHeader = {
    type: type as FrameType,
    kind: view.getUint8(7),
    generation: view.getUint32(8, true),
    step: getU64(view, 16),
    sequence: getU64(view, 24),
    metaBytes: view.getUint32(12, true),
    metaCrc: view.getUint32(40, true),
    bodyBytes: getU64(view, 32),
  };
  if (Number.isNaN(header.step) || Number.isNaN(header.sequence)) throw badFrame('a frame counts beyond 2^53');
  if (header.metaBytes > limits.metaBytes) throw badFrame(`${header.metaBytes} bytes of meta came, at most ${limits.metaBytes} are read`);
  if (!(header.bodyBytes <= limits.bodyBytes))
    throw badFrame(`a body of ${header.bodyBytes} bytes came, at most ${limits.bodyBytes} are read`);
  return header;
}
