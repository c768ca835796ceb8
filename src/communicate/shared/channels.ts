import { availableParallelism } from 'node:os';
import { assert, ParagradError } from '../../errors.ts';
import type { Message, MessageHeader } from '../channel.ts';
import { peerLost, timedOut } from '../failures.ts';
import type { PolledChannel } from '../inbox.ts';
import { SPIN_US, TIMEOUT_MS } from './memory.ts';

/**
 * Channels between the threads of one process: one slot in shared memory for each direction of each pair, which holds one message.
 * A sender waits while the slot is full; a receiver is rung by a bell that all its channels share.
 *
 * ```
 * given up │ rank 0: lost, bell │ rank 1: … │ slot 0→0: state, header, body │ 0→1 │ …
 * ```
 */
export interface SharedChannelsHandle {
  readonly buffer: SharedArrayBuffer;
  readonly size: number;
  /** Longest body. */
  readonly bodyBytes: number;
  readonly spinUs: number;
  readonly timeoutMs: number;
}

const LINE_BYTES = 64;
const LINE_WORDS = LINE_BYTES / 4;
const GIVEN_UP = 0;
/** Words of a rank's line. */
const LOST = 0;
const BELL = 1;
/** Words of a slot's line. */
const STATE = 0;
const KIND = 1;
const GENERATION = 2;
const STEP = 3;
const SEQUENCE = 4;
const LENGTH = 5;
const EMPTY = 0;
const FULL = 1;
const SPINS_PER_LOOK = 100;

const rankLine = (rank: number): number => (1 + rank) * LINE_WORDS;

function slotAt({ size, bodyBytes }: Pick<SharedChannelsHandle, 'size' | 'bodyBytes'>, from: number, to: number): number {
  return (1 + size) * LINE_BYTES + (from * size + to) * (LINE_BYTES + bodyBytes);
}

/** Makes what the ranks share. `bodyBytes`: of the longest message. */
export function createSharedChannels(size: number, bodyBytes: number, options: { timeoutMs?: number } = {}): SharedChannelsHandle {
  assert(size >= 1 && bodyBytes >= 0, 'shared channels out of range');
  const rounded = Math.ceil(bodyBytes / LINE_BYTES) * LINE_BYTES;
  return {
    buffer: new SharedArrayBuffer(slotAt({ size, bodyBytes: rounded }, size, 0)),
    size,
    bodyBytes: rounded,
    spinUs: size > availableParallelism() ? 0 : SPIN_US,
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
  };
}

/** The watcher's word that a rank is gone: everybody who waits, or will, throws PARAGRAD_PEER_LOST. */
export function reportChannelLost(handle: SharedChannelsHandle, rank: number): void {
  const words = new Int32Array(handle.buffer);
  Atomics.store(words, rankLine(rank) + LOST, 1);
  Atomics.store(words, GIVEN_UP, 1);
  for (let each = 0; each < handle.size; each += 1) {
    Atomics.add(words, rankLine(each) + BELL, 1);
    Atomics.notify(words, rankLine(each) + BELL);
  }
}

/** One rank's end of all its channels: channels[peer], undefined for itself. */
export function joinSharedChannels(handle: SharedChannelsHandle, rank: number): (SharedChannel | undefined)[] {
  return Array.from({ length: handle.size }, (_, peer) => (peer === rank ? undefined : new SharedChannel(handle, rank, peer)));
}

export class SharedChannel implements PolledChannel {
  readonly peer: number;
  readonly #handle: SharedChannelsHandle;
  readonly #words: Int32Array;
  readonly #rank: number;
  readonly #out: number;
  readonly #in: number;
  readonly #outBody: Uint8Array;
  readonly #inBody: Uint8Array;
  #sequence = 0;
  #closed = false;

  constructor(handle: SharedChannelsHandle, rank: number, peer: number) {
    this.#handle = handle;
    this.#words = new Int32Array(handle.buffer);
    this.#rank = rank;
    this.peer = peer;
    const body = (at: number): Uint8Array => new Uint8Array(handle.buffer, at + LINE_BYTES, handle.bodyBytes);
    const [out, into] = [slotAt(handle, rank, peer), slotAt(handle, peer, rank)];
    this.#out = out / 4;
    this.#in = into / 4;
    this.#outBody = body(out);
    this.#inBody = body(into);
  }

  async send(header: Omit<MessageHeader, 'sequence'>, pieces: readonly Uint8Array[]): Promise<void> {
    const words = this.#words;
    this.#check();
    const end = performance.now() + this.#handle.timeoutMs;
    // The receiver rings when it has taken the message before; the bell is read first, so that no ring is missed.
    for (let seen = this.#bell(); Atomics.load(words, this.#out + STATE) === FULL; seen = this.#bell()) {
      this.#check();
      if (performance.now() >= end) throw timedOut([this.peer], header.step, this.#handle.timeoutMs);
      if (Atomics.load(words, this.#out + STATE) === FULL) Atomics.wait(words, rankLine(this.#rank) + BELL, seen, end - performance.now());
    }
    let length = 0;
    for (const piece of pieces) {
      assert(length + piece.length <= this.#handle.bodyBytes, 'a message is longer than its slot');
      this.#outBody.set(piece, length);
      length += piece.length;
    }
    words[this.#out + KIND] = header.kind;
    words[this.#out + GENERATION] = header.generation;
    words[this.#out + STEP] = header.step;
    words[this.#out + SEQUENCE] = this.#sequence;
    words[this.#out + LENGTH] = length;
    this.#sequence += 1;
    Atomics.store(words, this.#out + STATE, FULL);
    this.#ring();
  }

  poll(): Message | undefined {
    const words = this.#words;
    if (Atomics.load(words, this.#in + STATE) !== FULL) {
      this.#check();
      return undefined;
    }
    const message = {
      kind: words[this.#in + KIND],
      generation: words[this.#in + GENERATION],
      step: words[this.#in + STEP],
      sequence: words[this.#in + SEQUENCE],
      body: new Uint8Array(this.#inBody.subarray(0, words[this.#in + LENGTH])),
    };
    Atomics.store(words, this.#in + STATE, EMPTY);
    this.#ring();
    return message;
  }

  async receive(timeoutMs: number): Promise<Message> {
    const end = performance.now() + timeoutMs;
    for (;;) {
      const seen = this.#bell();
      const message = this.poll();
      if (message !== undefined) return message;
      const rest = end - performance.now();
      if (rest <= 0) throw timedOut([this.peer], 0, timeoutMs);
      this.#wait(seen, rest);
    }
  }

  waitForAny(timeoutMs: number): void {
    const seen = this.#bell();
    const { size } = this.#handle;
    if (Atomics.load(this.#words, GIVEN_UP) !== 0) return;
    // Whatever came before the bell was read is there already.
    for (let from = 0; from < size; from += 1)
      if (from !== this.#rank && Atomics.load(this.#words, slotAt(this.#handle, from, this.#rank) / 4 + STATE) === FULL) return;
    this.#wait(seen, timeoutMs);
  }

  #bell(): number {
    return Atomics.load(this.#words, rankLine(this.#rank) + BELL);
  }

  /** Until the own bell has rung since `seen`: spins for a while, then sleeps. */
  #wait(seen: number, timeoutMs: number): void {
    const spinUntil = performance.now() + Math.min(timeoutMs, this.#handle.spinUs / 1000);
    if (this.#handle.spinUs > 0)
      do for (let i = 0; i < SPINS_PER_LOOK; i += 1) if (this.#bell() !== seen) return;
      while (performance.now() < spinUntil);
    Atomics.wait(this.#words, rankLine(this.#rank) + BELL, seen, timeoutMs);
  }

  #ring(): void {
    const bell = rankLine(this.peer) + BELL;
    Atomics.add(this.#words, bell, 1);
    Atomics.notify(this.#words, bell);
  }

  #check(): void {
    if (this.#closed)
      throw new ParagradError('PARAGRAD_CLOSED', `the channel to rank ${this.peer} was closed by this rank`, {
        place: { rank: this.peer },
      });
    if (Atomics.load(this.#words, GIVEN_UP) === 0) return;
    const lost = Array.from({ length: this.#handle.size }, (_, rank) => rank).filter(
      (rank) => Atomics.load(this.#words, rankLine(rank) + LOST) === 1,
    );
    throw peerLost(lost, 0);
  }

  async close(): Promise<void> {
    this.#closed = true;
  }
}
