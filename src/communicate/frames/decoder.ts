import { crc32c } from '../../crc32c.ts';
import { badFrame, notAFrame } from './failures.ts';
import type { Frame } from './frame.ts';
import { beginsFrame, type FrameHeader, type FrameLimits, HEADER_BYTES, readHeader } from './header.ts';

/** Less of a body than this is not worth a read of its own. */
const TARGET_BYTES = 16 * 1024;

/**
 * Frames out of a stream of bytes that comes in any pieces. Holds at most one frame, within the limits; after an error it
 * takes nothing more.
 */
export class FrameDecoder {
  limits: FrameLimits;
  /** Where a body is to be put: an array of exactly its length; undefined: a new one. Asked when its header has come. */
  place: ((header: FrameHeader) => Uint8Array | undefined) | undefined;
  readonly #onFrame: (frame: Frame) => void;
  readonly #head = new Uint8Array(HEADER_BYTES);
  #headFilled = 0;
  #header: FrameHeader | undefined;
  #meta = new Uint8Array(0);
  #metaFilled = 0;
  #body: Uint8Array = new Uint8Array(0);
  #bodyFilled = 0;
  #failure: unknown;

  /** `onFrame` is called in order, during `push`; it may set `limits` for what comes after. */
  constructor(limits: FrameLimits, onFrame: (frame: Frame) => void) {
    this.limits = limits;
    this.#onFrame = onFrame;
  }

  /**
   * Takes the next bytes of the stream; copies what it keeps.
   *
   * @throws PARAGRAD_FRAME when they are no frame, also at every later call
   */
  push(bytes: Uint8Array): void {
    this.#guarded(() => {
      let at = 0;
      while (at < bytes.length) at = this.#take(bytes, at);
    });
  }

  #guarded(run: () => void): void {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      run();
    } catch (error) {
      this.#failure = error;
      this.#meta = new Uint8Array(0);
      this.#body = this.#meta;
      throw error;
    }
  }

  /**
   * Where the next bytes of the stream may be written by who reads them, so that a large body is not copied: the rest of it.
   * undefined while something else is due. `filled` tells how many came.
   */
  get target(): Uint8Array | undefined {
    if (this.#header === undefined || this.#failure !== undefined || this.#metaFilled < this.#header.metaBytes) return undefined;
    return this.#header.bodyBytes - this.#bodyFilled >= TARGET_BYTES ? this.#body.subarray(this.#bodyFilled) : undefined;
  }

  /** So many bytes were written to the begin of `target`. @throws PARAGRAD_FRAME */
  filled(count: number): void {
    this.#bodyFilled += count;
    if (this.#bodyFilled === this.#header?.bodyBytes) this.#guarded(() => this.#done());
  }

  /** The stream has ended. @throws PARAGRAD_FRAME when it did so inside a frame */
  end(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#headFilled > 0) throw badFrame('the stream ended in the middle of a frame');
  }

  /** Copies what fits into the part that is due; returns where to go on. */
  #take(bytes: Uint8Array, from: number): number {
    let at = from;
    if (this.#header === undefined) {
      const count = Math.min(HEADER_BYTES - this.#headFilled, bytes.length - at);
      this.#head.set(bytes.subarray(at, at + count), this.#headFilled);
      this.#headFilled += count;
      at += count;
      if (this.#headFilled < HEADER_BYTES) {
        // Whoever is no rank is found out by the first bytes, and need not send 48.
        if (!beginsFrame(this.#head, this.#headFilled)) throw notAFrame();
        return at;
      }
      this.#header = readHeader(this.#head, 0, this.limits);
      this.#meta = new Uint8Array(this.#header.metaBytes);
      const { bodyBytes } = this.#header;
      const placed = bodyBytes === 0 ? undefined : this.place?.(this.#header);
      this.#body = placed?.length === bodyBytes ? placed : allocated(bodyBytes);
      this.#metaFilled = 0;
      this.#bodyFilled = 0;
    }
    const { metaBytes, bodyBytes } = this.#header;
    const meta = Math.min(metaBytes - this.#metaFilled, bytes.length - at);
    if (meta > 0) {
      this.#meta.set(bytes.subarray(at, at + meta), this.#metaFilled);
      this.#metaFilled += meta;
      at += meta;
    }
    if (this.#metaFilled < metaBytes) return at;
    const body = Math.min(bodyBytes - this.#bodyFilled, bytes.length - at);
    if (body > 0) {
      this.#body.set(bytes.subarray(at, at + body), this.#bodyFilled);
      this.#bodyFilled += body;
      at += body;
    }
    if (this.#bodyFilled === bodyBytes) this.#done();
    return at;
  }

  #done(): void {
    const header = this.#header as FrameHeader;
    if (crc32c(this.#meta) !== header.metaCrc) throw badFrame('the meta of a frame does not match its checksum');
    const frame = { ...header, meta: this.#meta, body: this.#body };
    this.#header = undefined;
    this.#headFilled = 0;
    this.#onFrame(frame);
  }
}

function allocated(bytes: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(bytes);
  } catch {
    throw badFrame(`there is no memory for a body of ${bytes} bytes`);
  }
}
