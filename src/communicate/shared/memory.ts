import { availableParallelism } from 'node:os';
import { assert } from '../../errors.ts';
import { barrierWords, giveUpBarrier } from './barrier.ts';

/**
 * What the ranks of a group share: one SharedArrayBuffer.
 *
 * ```
 * barrier │ rank 0: header, slab │ header, slab │ rank 1: header, slab │ header, slab │ …
 *           even turns             odd turns
 * ```
 * A *turn* is: every rank writes its own slab, all pass the barrier, every rank reads all slabs. Turns alternate between
 * two slabs, so that one barrier per turn is enough: a rank that writes turn t + 2 has passed the barrier of turn t + 1,
 * and so has everyone, after reading turn t.
 */
export interface SharedHandle {
  readonly buffer: SharedArrayBuffer;
  readonly size: number;
  /** Restarts of the group so far. */
  readonly generation: number;
  /** Number of the group's first operation: not 0 where a group continues another one's count. */
  readonly step: number;
  readonly slabBytes: number;
  readonly spinUs: number;
  readonly timeoutMs: number;
}

export interface SharedOptions {
  /** Ranks of the group. */
  readonly size: number;
  readonly generation?: number;
  readonly step?: number;
  /** Workers of the whole run, where a group is only some of them: with more than `cores`, nobody spins. */
  readonly workers?: number;
  /** Cores that the run may use. */
  readonly cores?: number;
  /** How much a rank can hand over in one turn; what is larger takes several. */
  readonly slabBytes?: number;
  /** How long to spin before sleeping, in microseconds. */
  readonly spinUs?: number;
  readonly timeoutMs?: number;
}

export const HEADER_BYTES = 128;
/** Two ranks' slabs of a turn fit into a second-level cache of 1 MiB. */
export const SLAB_BYTES = 256 * 1024;
const MIN_SLAB_BYTES = 1024;
/**
 * A sleeper takes 50 to 150 µs to be back on its core, and is then the one that others wait for. Random batches give ranks unequal
 * shares: of 256 rows × 1,000 columns nearly all waits are shorter than this, and sleeping through them made epochs up to twice as
 * long. Four times as much spinning gave no more, and takes the core from whoever needs it.
 */
export const SPIN_US = 250;
export const TIMEOUT_MS = 120_000;
const LINE_BYTES = 64;

function barrierBytes(size: number): number {
  return barrierWords(size) * Int32Array.BYTES_PER_ELEMENT;
}

/** Byte at which rank `rank`'s header of the even (0) or odd (1) turns lies; its slab follows. */
function slabAt(handle: SharedHandle, rank: number, parity: number): number {
  return barrierBytes(handle.size) + (rank * 2 + parity) * (HEADER_BYTES + handle.slabBytes);
}

/** Makes what a group shares. The handle goes to every worker, by `workerData` or a message. */
export function createSharedCollective(options: SharedOptions): SharedHandle {
  const { size, workers = size, cores = availableParallelism() } = options;
  assert(Number.isSafeInteger(size) && size >= 1, 'size of a group out of range');
  const slabBytes = Math.ceil(Math.max(MIN_SLAB_BYTES, options.slabBytes ?? SLAB_BYTES) / LINE_BYTES) * LINE_BYTES;
  const bytes = barrierBytes(size) + (size === 1 ? 0 : size * 2 * (HEADER_BYTES + slabBytes));
  return {
    buffer: new SharedArrayBuffer(bytes),
    size,
    generation: options.generation ?? 0,
    step: options.step ?? 0,
    slabBytes,
    spinUs: workers > cores ? 0 : (options.spinUs ?? SPIN_US),
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
  };
}

/** The watcher's word that rank `rank` is gone: every rank that waits for it, or will, throws PARAGRAD_PEER_LOST. */
export function reportLost(handle: SharedHandle, rank: number): void {
  giveUpBarrier(barrierOf(handle), rank);
}

export function barrierOf(handle: SharedHandle): Int32Array {
  return new Int32Array(handle.buffer, 0, barrierWords(handle.size));
}

/** Views of one slab. */
export interface Slab {
  readonly header: Float64Array;
  readonly bytes: Uint8Array;
  readonly f32: Float32Array;
  readonly f64: Float64Array;
}

/** The two slabs of every rank. */
export function slabsOf(handle: SharedHandle): readonly [even: Slab, odd: Slab][] {
  const view = (rank: number, parity: number): Slab => {
    const at = slabAt(handle, rank, parity);
    const { buffer, slabBytes } = handle;
    return {
      header: new Float64Array(buffer, at, HEADER_BYTES / 8),
      bytes: new Uint8Array(buffer, at + HEADER_BYTES, slabBytes),
      f32: new Float32Array(buffer, at + HEADER_BYTES, slabBytes / 4),
      f64: new Float64Array(buffer, at + HEADER_BYTES, slabBytes / 8),
    };
  };
  return Array.from({ length: handle.size }, (_, rank): [Slab, Slab] => [view(rank, 0), view(rank, 1)]);
}
