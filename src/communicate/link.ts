import { ParagradError } from '../errors.ts';
import type { BodyPlace, Channel, Message, MessageHeader } from './channel.ts';
import { peerLost, timedOut } from './failures.ts';
import { HEADER_BYTES } from './frames/header.ts';

/** Time, so that tests can be in command of it. */
export interface LinkClock {
  /** Milliseconds since some moment. */
  now(): number;
  /** Calls `run` at `time`, or a little later; returns what calls it off. */
  at(time: number, run: () => void): () => void;
}

export interface LinkOptions {
  /** From one end to the other, on top of what the channel takes. Default 0. */
  readonly delayMs?: number | undefined;
  /** Of what a rank sends to all others together, and again of what it receives. Default: no limit. */
  readonly bytesPerSecond?: number | undefined;
  readonly clock?: LinkClock;
  /** Bytes that may wait to be sent before `send` waits, too. */
  readonly bufferBytes?: number;
  /** Deadline of a `send`. */
  readonly sendTimeoutMs?: number;
}

const BUFFER_BYTES = 1024 * 1024;
const SEND_TIMEOUT_MS = 120_000;
/** Beyond its delay, for how long `close` waits for what was sent to be through. */
const LINGER_MS = 1000;
/** Bytes that came and were not received; beyond, nothing more is taken from the channel. */
const INBOX_BYTES = 256 * 1024 * 1024;
/** Longest wait of a timer. */
const FOREVER_MS = 2 ** 31 - 1;
/** Timers are coarser than links: the rest of a wait goes by turns of the event loop. */
const TIMER_MS = 2;

const systemClock: LinkClock = {
  now: () => performance.now(),
  at(time, run) {
    let cancel: () => void = () => undefined;
    const wait = (): void => {
      const left = time - performance.now();
      if (left <= 0) run();
      else if (left > TIMER_MS) {
        const timer = setTimeout(wait, Math.min(left - TIMER_MS / 2, FOREVER_MS));
        cancel = () => clearTimeout(timer);
      } else {
        const turn = setImmediate(wait);
        cancel = () => clearImmediate(turn);
      }
    };
    wait();
    return () => cancel();
  },
};

/**
 * A rank's connection to a network that is slower than this machine, to be studied: every message takes the time of its bytes
 * (with header) on the way out, behind those that this rank sent before, to whomever; then the delay; and where several ranks send
 * to one, their messages follow each other by the time of their bytes. What a channel costs by itself is not taken off.
 */
export class Link {
  readonly delayMs: number;
  readonly clock: LinkClock;
  readonly bufferBytes: number;
  readonly sendTimeoutMs: number;
  readonly #msPerByte: number;
  #outFree = Number.NEGATIVE_INFINITY;
  #inFree = Number.NEGATIVE_INFINITY;

  constructor(options: LinkOptions) {
    this.delayMs = options.delayMs ?? 0;
    this.#msPerByte = options.bytesPerSecond === undefined ? 0 : 1000 / options.bytesPerSecond;
    this.clock = options.clock ?? systemClock;
    this.bufferBytes = options.bufferBytes ?? BUFFER_BYTES;
    this.sendTimeoutMs = options.sendTimeoutMs ?? SEND_TIMEOUT_MS;
  }

  /** This rank's end of a channel; the peer wraps its own by its own link. */
  wrap(channel: Channel): Channel {
    return new LinkChannel(this, channel);
  }

  /** When a message that is sent now has left. */
  leaves(bytes: number): number {
    this.#outFree = Math.max(this.clock.now(), this.#outFree) + bytes * this.#msPerByte;
    return this.#outFree;
  }

  /** When a message whose last byte comes now has been received: its bytes come while others' do not. */
  arrives(bytes: number): number {
    this.#inFree = Math.max(this.clock.now(), this.#inFree + bytes * this.#msPerByte);
    return this.#inFree;
  }
}

const MS: Readonly<Record<string, number>> = { us: 1e-3, µs: 1e-3, ms: 1, s: 1000 };
const SCALE: Readonly<Record<string, number>> = { '': 1, k: 1e3, M: 1e6, G: 1e9 };

function wrong(option: string, what: string, text: string): ParagradError {
  return new ParagradError('PARAGRAD_OPTION', `${option} must be ${what}, not '${text}'`, { place: { option } });
}

/** Milliseconds of `2ms`, `500us`, `1s`; at most an hour. @throws PARAGRAD_OPTION */
export function parseLinkDelay(text: string): number {
  const [, value, unit] = /^(\d+(?:\.\d+)?)(us|µs|ms|s)$/u.exec(text) ?? [];
  const delayMs = Number(value) * (MS[unit ?? ''] ?? Number.NaN);
  if (!(delayMs <= 3_600_000)) throw wrong('--link-delay', 'a time such as 2ms, 500us or 1s', text);
  return delayMs;
}

/** Bytes a second of `100Mbit`, `1Gbit`, `12.5MB`; kilo is 1000. @throws PARAGRAD_OPTION */
export function parseLinkRate(text: string): number {
  const [, value, scale, unit] = /^(\d+(?:\.\d+)?)([kMG]?)(bit|B)(?:\/s)?$/u.exec(text) ?? [];
  const bytesPerSecond = (Number(value) * (SCALE[scale ?? ''] as number)) / (unit === 'bit' ? 8 : 1);
  if (!(bytesPerSecond >= 1)) throw wrong('--link-rate', 'bits or bytes a second such as 100Mbit, 1Gbit or 12.5MB', text);
  return bytesPerSecond;
}

interface Sent {
  readonly header: Omit<MessageHeader, 'sequence'>;
  readonly body: Uint8Array;
  readonly at: number;
}

interface Came {
  readonly message: Message;
  readonly at: number;
}

class LinkChannel implements Channel {
  readonly peer: number;
  readonly #link: Link;
  readonly #channel: Channel;
  readonly #out: Sent[] = [];
  /** Messages that had not left when this was last looked at. */
  #leaving: { readonly left: number; readonly bytes: number }[] = [];
  #sending: Promise<void> | undefined;
  readonly #in: Came[] = [];
  #inBytes = 0;
  /** Who waits for something to change. */
  readonly #wakes = new Set<() => void>();
  #lost: unknown;
  #closing: Promise<void> | undefined;

  constructor(link: Link, channel: Channel) {
    this.#link = link;
    this.#channel = channel;
    this.peer = channel.peer;
    void this.#take();
  }

  async send(header: Omit<MessageHeader, 'sequence'>, pieces: readonly Uint8Array[]): Promise<void> {
    if (this.#closing !== undefined) throw this.#closed();
    if (this.#lost !== undefined) {
      // What the peer said before its end comes first: until it is received, this side does not know of the end.
      if (this.#in.length > 0) return;
      throw this.#lost;
    }
    const body = new Uint8Array(pieces.reduce((bytes, piece) => bytes + piece.length, 0));
    let at = 0;
    for (const piece of pieces) {
      body.set(piece, at);
      at += piece.length;
    }
    const { clock, delayMs, bufferBytes, sendTimeoutMs } = this.#link;
    const bytes = HEADER_BYTES + body.length;
    const begin = clock.now();
    const left = this.#link.leaves(bytes);
    this.#out.push({ header, body, at: left + delayMs });
    this.#leaving.push({ left, bytes });
    this.#sending ??= this.#carry();
    while (clock.now() < left && this.#waitingBytes() > bufferBytes) {
      if (this.#closing !== undefined) throw this.#closed();
      if (this.#lost !== undefined) throw this.#lost;
      if (clock.now() >= begin + sendTimeoutMs) {
        this.#stop(peerLost([this.peer], header.step));
        throw timedOut([this.peer], header.step, sendTimeoutMs);
      }
      await this.#until(Math.min(left, begin + sendTimeoutMs));
    }
  }

  #waitingBytes(): number {
    const now = this.#link.clock.now();
    this.#leaving = this.#leaving.filter(({ left }) => left > now);
    return this.#leaving.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Hands messages to the channel when they are due, in order. */
  async #carry(): Promise<void> {
    for (let next = this.#out[0]; next !== undefined && this.#lost === undefined; next = this.#out[0]) {
      if (this.#link.clock.now() < next.at) await this.#until(next.at);
      else {
        try {
          await this.#channel.send(next.header, [next.body]);
          this.#out.shift();
        } catch (error) {
          this.#stop(error);
        }
      }
    }
    this.#sending = undefined;
    this.#wake();
  }

  /** Takes messages from the channel as they come: when they did decides when they are through. */
  async #take(): Promise<void> {
    while (this.#lost === undefined) {
      try {
        const message = await this.#channel.receive(FOREVER_MS);
        const bytes = HEADER_BYTES + message.body.length;
        this.#in.push({ message, at: this.#link.arrives(bytes) });
        this.#inBytes += bytes;
        this.#wake();
      } catch (error) {
        if (error instanceof ParagradError && error.code === 'PARAGRAD_TIMEOUT') continue;
        this.#stop(error);
      }
      while (this.#inBytes > INBOX_BYTES && this.#lost === undefined) await this.#until(Number.POSITIVE_INFINITY);
    }
  }

  async receive(timeoutMs: number): Promise<Message> {
    const { clock } = this.#link;
    const end = clock.now() + timeoutMs;
    for (;;) {
      const next = this.#in[0];
      if (next !== undefined && next.at <= clock.now()) {
        this.#in.shift();
        this.#inBytes -= HEADER_BYTES + next.message.body.length;
        this.#wake();
        return next.message;
      }
      if (this.#closing !== undefined) throw this.#closed();
      if (next === undefined && this.#lost !== undefined) throw this.#lost;
      if (clock.now() >= end) throw timedOut([this.peer], 0, timeoutMs);
      await this.#until(Math.min(end, next?.at ?? end));
    }
  }

  placeBodies(place: BodyPlace): void {
    this.#channel.placeBodies?.(place);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { clock, delayMs } = this.#link;
    const end = clock.now() + delayMs + LINGER_MS;
    // Nobody of this side waits any more.
    queueMicrotask(() => this.#wake());
    while (this.#sending !== undefined && this.#lost === undefined && clock.now() < end) await this.#until(end);
    this.#lost ??= this.#closed();
    this.#wake();
    await this.#channel.close();
  }

  #closed(): ParagradError {
    return new ParagradError('PARAGRAD_CLOSED', `the channel to rank ${this.peer} was closed by this rank`, { place: { rank: this.peer } });
  }

  #stop(error: unknown): void {
    this.#lost ??= error;
    this.#wake();
  }

  #wake(): void {
    const wakes = [...this.#wakes];
    this.#wakes.clear();
    for (const wake of wakes) wake();
  }

  /** Until `time`, or until something has changed. */
  #until(time: number): Promise<void> {
    return new Promise((resolve) => {
      let cancel: () => void = () => undefined;
      const wake = (): void => {
        cancel();
        this.#wakes.delete(wake);
        resolve();
      };
      this.#wakes.add(wake);
      if (time < Number.POSITIVE_INFINITY) cancel = this.#link.clock.at(time, wake);
    });
  }
}
