import { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { FrameDecoder } from '../frames/decoder.ts';
import { badFrame } from '../frames/failures.ts';
import type { Frame } from '../frames/frame.ts';
import type { FrameLimits } from '../frames/header.ts';

/** Frames up to this size are copied together, and go out with all others of the same turn of the event loop. */
const SMALL_BYTES = 32 * 1024;
/** Small frames that wait for the system; beyond, `write` waits too. */
const WAITING_BYTES = 1024 * 1024;
/**
 * Large bodies are encrypted in slices: Node.js would copy all that waits into one piece, and again into its encrypted form,
 * before the first byte goes out.
 */
const TLS_SLICE_BYTES = 256 * 1024;
/** Frames that may come while a greeting is not answered: more are a flood. */
const EARLY_FRAMES = 4;
/** The buffer that a connection is read into where no large body is due, which is read into its own memory. */
const READ_BYTES = 256 * 1024;

/** How a socket is read without copies, in the form that sockets take it: `onread`. Bytes are thrown away until there is a wire. */
export class Reader {
  wire: Wire | undefined;
  #buffer: Uint8Array | undefined;
  /** Where the next bytes go. */
  readonly buffer = (): Uint8Array => {
    const target = this.wire?.target;
    if (target !== undefined) return target;
    this.#buffer ??= new Uint8Array(READ_BYTES);
    return this.#buffer;
  };
  readonly callback = (count: number, into: Uint8Array): boolean => {
    this.wire?.took(into, count, into !== this.#buffer);
    return true;
  };
}

/**
 * A socket that a server accepted and that nobody reads yet, to be read by a reader. Node.js has no public way to ask a server
 * for it, so where its inside is not as expected the socket is given back as it was.
 */
export function readBy(accepted: Socket, reader: Reader): { readonly socket: Socket; readonly reads: boolean } {
  const inside = accepted as unknown as { _handle?: object | null };
  const handle = inside._handle;
  if (handle === undefined || handle === null || accepted instanceof TLSSocket) return { socket: accepted, reads: true };
  const options = { handle, onread: reader, readable: true, writable: true };
  const socket = new Socket(options as ConstructorParameters<typeof Socket>[0]);
  inside._handle = null;
  return { socket, reads: false };
}

export interface WireEvents {
  frame(frame: Frame): void;
  /** Called once, when nothing more will come: `error` when it was a bad frame or a failing connection. */
  end(error: Error | undefined): void;
}

/** Frames on a connected socket, in both directions. */
export class Wire {
  readonly socket: Socket;
  readonly #decoder: FrameDecoder;
  #events: WireEvents | undefined;
  readonly #early: Frame[] = [];
  #ended: { readonly error: Error | undefined } | undefined;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #sliceBytes = Number.POSITIVE_INFINITY;
  /** Whom to tell when a write is not done; each forgets itself. */
  readonly #waiting = new Set<(error?: Error) => void>();

  /** `reads`: the socket was made without a reader, so its data are read here. */
  constructor(socket: Socket, limits: FrameLimits, reads: boolean) {
    this.socket = socket;
    this.#decoder = new FrameDecoder(limits, (frame) => {
      if (this.#events !== undefined) this.#events.frame(frame);
      else if (this.#early.length < EARLY_FRAMES || this.#decoder.limits.bodyBytes > 0) this.#early.push(frame);
      else throw badFrame('frames came before the greeting was answered');
    });
    if (socket instanceof TLSSocket) {
      this.#sliceBytes = TLS_SLICE_BYTES;
      Object.assign(socket, { _writev: null });
    }
    if (reads) socket.on('data', (bytes: Buffer) => this.feed(bytes));
    socket.setNoDelay(true);
    socket.on('end', () => this.#finish(undefined));
    socket.on('error', (error) => this.#finish(error));
    socket.on('close', () => {
      this.#finish(undefined);
      for (const done of this.#waiting) done(new Error('the connection was closed'));
    });
  }

  /** Who hears of frames from now on; those that came before are told at once. */
  listen(events: WireEvents | undefined): void {
    this.#events = events;
    // Who hears of a frame may stop to listen.
    while (events !== undefined && this.#events === events && this.#early.length > 0) events.frame(this.#early.shift() as Frame);
    if (events !== undefined && this.#events === events && this.#ended !== undefined) events.end(this.#ended.error);
  }

  set limits(limits: FrameLimits) {
    this.#decoder.limits = limits;
  }

  /** Where bodies are to be put (FrameDecoder.place). */
  set place(place: FrameDecoder['place']) {
    this.#decoder.place = place;
  }

  get target(): Uint8Array | undefined {
    return this.#ended === undefined ? this.#decoder.target : undefined;
  }

  /** `count` bytes came: into the decoder's target, or into a buffer. */
  took(into: Uint8Array, count: number, isTarget: boolean): void {
    if (isTarget) this.#read(() => this.#decoder.filled(count));
    else this.feed(into.subarray(0, count));
  }

  /** Bytes that came. After a bad frame nothing more is read, and who listens closes the connection. */
  feed(bytes: Uint8Array): void {
    this.#read(() => this.#decoder.push(bytes));
  }

  #read(take: () => void): void {
    if (this.#ended !== undefined) return;
    try {
      take();
    } catch (error) {
      const isHeard = this.#events !== undefined;
      this.#finish(error as Error);
      if (!isHeard) this.socket.destroy();
    }
  }

  #finish(cause: Error | undefined): void {
    if (this.#ended !== undefined) return;
    let error = cause;
    try {
      if (error === undefined) this.#decoder.end();
    } catch (inside) {
      error = inside as Error;
    }
    this.#ended = { error };
    this.#events?.end(error);
  }

  /**
   * Sends a frame. Resolves when its bytes may be changed; rejects when the connection ends first, or with `late()` after
   * `timeoutMs`, which ends the connection: half of the frame may be out.
   */
  write(head: Uint8Array, pieces: readonly Uint8Array[], timeoutMs: number, late: () => Error): Promise<void> {
    let bytes = head.length;
    for (const piece of pieces) bytes += piece.length;
    if (bytes <= SMALL_BYTES) return this.#writeSmall(head, pieces, bytes, timeoutMs, late);
    this.flush();
    return this.#waitFor(timeoutMs, late, (done) => {
      this.socket.cork();
      this.socket.write(head);
      let left = bytes - head.length;
      for (const piece of pieces)
        for (let at = 0; at < piece.length; at += this.#sliceBytes) {
          const slice = piece.subarray(at, at + this.#sliceBytes);
          left -= slice.length;
          this.socket.write(slice, left === 0 ? done : undefined);
        }
      this.socket.uncork();
    });
  }

  #writeSmall(head: Uint8Array, pieces: readonly Uint8Array[], bytes: number, timeoutMs: number, late: () => Error): Promise<void> {
    const frame = Buffer.allocUnsafe(bytes);
    frame.set(head);
    let at = head.length;
    for (const piece of pieces) {
      frame.set(piece, at);
      at += piece.length;
    }
    if (this.#pending.length === 0) queueMicrotask(() => this.flush());
    this.#pending.push(frame);
    this.#pendingBytes += bytes;
    if (this.#pendingBytes + this.socket.writableLength <= WAITING_BYTES) return Promise.resolve();
    return this.#waitFor(timeoutMs, late, (done) => this.flush(done));
  }

  /** Hands what was gathered to the system. */
  flush(done?: (error?: Error | null) => void): void {
    const pending = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    if (pending.length === 0 || this.socket.destroyed || this.socket.writableEnded) done?.();
    else this.socket.write(pending.length === 1 ? (pending[0] as Uint8Array) : Buffer.concat(pending), done);
  }

  #waitFor(timeoutMs: number, late: () => Error, run: (done: (error?: Error | null) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error?: Error | null): void => {
        clearTimeout(timer);
        this.#waiting.delete(settle);
        if (error) reject(error);
        else resolve();
      };
      const timer = setTimeout(() => {
        settle(late());
        this.socket.destroy();
      }, timeoutMs);
      this.#waiting.add(settle);
      run(settle);
    });
  }

  /** Sends what waits and closes both directions; what still comes is thrown away. Resolves when closed, or after `lingerMs` anyway. */
  async end(lingerMs: number): Promise<void> {
    this.listen(undefined);
    this.#ended ??= { error: undefined };
    if (this.socket.closed) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.socket.destroy(), lingerMs);
      this.socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      if (this.socket.destroyed) return;
      this.flush();
      this.socket.end();
      this.socket.resume();
    });
  }
}
