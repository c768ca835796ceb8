import { ParagradError } from '../../errors.ts';
import type { BodyPlace, Channel, Message, MessageHeader } from '../channel.ts';
import { peerLost, timedOut } from '../failures.ts';
import { badFrame } from '../frames/failures.ts';
import { type Frame, frameHead } from '../frames/frame.ts';
import { MESSAGE_LIMITS, TYPE } from '../frames/header.ts';
import type { Wire } from './wire.ts';

export interface ChannelOptions {
  /** Deadline of a send: of a peer that does not read. */
  readonly sendTimeoutMs?: number;
}

const SEND_TIMEOUT_MS = 120_000;
/** For how long `close` waits for what was sent to go out: a peer that does not read must not hold up an end. */
const LINGER_MS = 1000;
/** Bytes that came and were not received yet; beyond, the peer has to wait. */
const INBOX_BYTES = 256 * 1024 * 1024;

function closed(peer: number): ParagradError {
  return new ParagradError('PARAGRAD_CLOSED', `the channel to rank ${peer} was closed by this rank`, { place: { rank: peer } });
}

interface Waiting {
  readonly resolve: (message: Message) => void;
  readonly reject: (error: unknown) => void;
}

/** One end of a channel on a connection whose sides have greeted each other. */
export class StreamChannel implements Channel {
  readonly peer: number;
  readonly #wire: Wire;
  readonly #sendTimeoutMs: number;
  readonly #inbox: Message[] = [];
  #inboxBytes = 0;
  #paused = false;
  #waiting: Waiting | undefined;
  #sequence = 0;
  /** Why nothing more will come. */
  #failure: ParagradError | undefined;
  #closing: Promise<void> | undefined;

  constructor(peer: number, wire: Wire, options: ChannelOptions = {}) {
    this.peer = peer;
    this.#wire = wire;
    this.#sendTimeoutMs = options.sendTimeoutMs ?? SEND_TIMEOUT_MS;
    wire.limits = MESSAGE_LIMITS;
    wire.socket.setKeepAlive(true, 10_000);
    wire.listen({ frame: (frame) => this.#deliver(frame), end: (error) => this.#end(error) });
  }

  async send(header: Omit<MessageHeader, 'sequence'>, pieces: readonly Uint8Array[]): Promise<void> {
    if (this.#closing !== undefined) throw closed(this.peer);
    if (this.#failure !== undefined) throw this.#failure;
    const { kind, generation, step } = header;
    const bodyBytes = pieces.reduce((bytes, piece) => bytes + piece.length, 0);
    const head = frameHead({ type: TYPE.message, kind, generation, step, sequence: this.#sequence, bodyBytes });
    this.#sequence += 1;
    try {
      await this.#wire.write(head, pieces, this.#sendTimeoutMs, () => timedOut([this.peer], step, this.#sendTimeoutMs));
    } catch (error) {
      if (error instanceof ParagradError) {
        // Half of the message may be out, so this was the last one.
        this.#stop(peerLost([this.peer], step));
        throw error;
      }
      throw this.#closing === undefined ? (this.#failure ?? peerLost([this.peer], step)) : closed(this.peer);
    }
  }

  /** Internet addresses of this end and of the other, where it is TCP. */
  get ends(): { readonly own: string | undefined; readonly peer: string | undefined } {
    const { localAddress, remoteAddress } = this.#wire.socket;
    const plain = (address: string | undefined): string | undefined => address?.replace(/^::ffff:(?=\d+\.)/u, '');
    return { own: plain(localAddress), peer: plain(remoteAddress) };
  }

  #end(error: Error | undefined): void {
    if (!(error instanceof ParagradError)) {
      this.#stop(peerLost([this.peer], 0));
      return;
    }
    this.#stop(badFrame(error.message.replace(/^frame: /, ''), this.peer));
    this.#wire.socket.destroy();
  }

  #deliver(frame: Frame): void {
    if (frame.type !== TYPE.message || frame.metaBytes > 0) {
      this.#end(badFrame('a greeting came where a message was due'));
      return;
    }
    const { kind, generation, step, sequence, body } = frame;
    const message = { kind, generation, step, sequence, body };
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) {
      waiting.resolve(message);
      return;
    }
    this.#inbox.push(message);
    this.#inboxBytes += body.length;
    if (this.#inboxBytes <= INBOX_BYTES || this.#paused) return;
    this.#paused = true;
    this.#wire.socket.pause();
  }

  async receive(timeoutMs: number): Promise<Message> {
    if (this.#closing !== undefined && this.#inbox.length === 0) throw closed(this.peer);
    const message = this.#inbox.shift();
    if (message !== undefined) {
      this.#inboxBytes -= message.body.length;
      if (this.#paused && this.#inboxBytes <= INBOX_BYTES) {
        this.#paused = false;
        this.#wire.socket.resume();
      }
      return message;
    }
    if (this.#failure !== undefined) throw this.#failure;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<Message>((resolve, reject) => {
        this.#waiting = { resolve, reject };
        timer = setTimeout(() => {
          this.#waiting = undefined;
          reject(timedOut([this.peer], 0, timeoutMs));
        }, timeoutMs);
      });
    } finally {
      clearTimeout(timer);
    }
  }

  placeBodies(place: BodyPlace): void {
    this.#wire.place = (header) => (header.type === TYPE.message ? place(header, header.bodyBytes) : undefined);
  }

  #stop(failure: ParagradError): void {
    this.#failure ??= failure;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.reject(failure);
  }

  close(): Promise<void> {
    if (this.#closing === undefined) {
      this.#closing = this.#wire.end(LINGER_MS);
      this.#stop(closed(this.peer));
    }
    return this.#closing;
  }
}
