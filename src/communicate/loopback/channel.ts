import { ParagradError } from '../../errors.ts';
import type { Channel, Message, MessageHeader } from '../channel.ts';
import { peerLost, timedOut } from '../failures.ts';
import type { Faults } from './faults.ts';

function closed(peer: number): ParagradError {
  return new ParagradError('PARAGRAD_CLOSED', `the channel to rank ${peer} was closed by this rank`, { place: { rank: peer } });
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const body = new Uint8Array(pieces.reduce((bytes, piece) => bytes + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    body.set(piece, at);
    at += piece.length;
  }
  return body;
}

interface Waiting {
  readonly resolve: (message: Message) => void;
  readonly reject: (error: unknown) => void;
}

/** One end of a channel inside one thread. A message is copied, so that nothing is shared that a socket would not share. */
class LoopbackChannel implements Channel {
  readonly peer: number;
  readonly #rank: number;
  readonly #faults: Faults | undefined;
  /** Resolves when all messages before are delivered, while some are on their way. */
  #way: Promise<void> | undefined;
  #other: LoopbackChannel | undefined;
  readonly #inbox: Message[] = [];
  #waiting: Waiting | undefined;
  #sequence = 0;
  #closed = false;

  constructor(rank: number, peer: number, faults: Faults | undefined) {
    this.#rank = rank;
    this.peer = peer;
    this.#faults = faults;
  }

  connect(other: LoopbackChannel): void {
    this.#other = other;
    other.#other = this;
  }

  async send(header: Omit<MessageHeader, 'sequence'>, pieces: readonly Uint8Array[]): Promise<void> {
    if (this.#closed) throw closed(this.peer);
    const other = this.#other;
    if (other === undefined || this.#isGone()) throw peerLost([this.peer], header.step);
    const { kind, generation, step } = header;
    const message = { kind, generation, step, sequence: this.#sequence, body: joined(pieces) };
    this.#sequence += 1;
    this.#carry(other, message);
  }

  /** The one place that every message passes through on its way. */
  #carry(other: LoopbackChannel, message: Message): void {
    const { copies, delayMs } = this.#faults?.fateOf(this.#rank, this.peer, message) ?? { copies: 1, delayMs: 0 };
    const arrive = (): void => {
      for (let i = 0; i < copies; i += 1) other.#deliver(i === 0 ? message : { ...message, body: message.body.slice() });
    };
    if (delayMs === 0 && this.#way === undefined) {
      arrive();
      return;
    }
    const before = this.#way ?? Promise.resolve();
    const due = new Promise<void>((resolve) => {
      setTimeout(resolve, delayMs);
    });
    const way = Promise.all([before, due]).then(() => {
      arrive();
      if (this.#way === way) this.#way = undefined;
    });
    this.#way = way;
  }

  #deliver(message: Message): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) this.#inbox.push(message);
    else waiting.resolve(message);
  }

  async receive(timeoutMs: number): Promise<Message> {
    const message = this.#inbox.shift();
    if (message !== undefined) return message;
    if (this.#closed) throw closed(this.peer);
    if (this.#isGone()) throw peerLost([this.peer], 0);
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

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#stop(closed(this.peer));
    const other = this.#other;
    if (other !== undefined && other.#isGone()) other.#stop(peerLost([other.peer], 0));
  }

  /** Whether the other end is closed, as far as one can know here. */
  #isGone(): boolean {
    return this.#other === undefined || (this.#other.#closed && !this.#faults?.isCut(this.#rank, this.peer));
  }

  #stop(error: ParagradError): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.reject(error);
  }
}

/** Channels between `size` ranks: channels[rank][peer], undefined where rank = peer. `faults`: what goes wrong on them. */
export function createLoopbackChannels(size: number, faults?: Faults): (Channel | undefined)[][] {
  const ends = Array.from({ length: size }, (_, rank) =>
    Array.from({ length: size }, (__, peer) => (rank === peer ? undefined : new LoopbackChannel(rank, peer, faults))),
  );
  for (let rank = 0; rank < size; rank += 1)
    for (let peer = 0; peer < rank; peer += 1) ends[rank]?.[peer]?.connect(ends[peer]?.[rank] as LoopbackChannel);
  return ends;
}
