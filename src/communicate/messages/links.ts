import { ParagradError } from '../../errors.ts';
import type { Channel, Message, MessageHeader } from '../channel.ts';
import { brokenChannel, outOfStep, peerLost, timedOut } from '../failures.ts';
import { errorBody, readError } from './body.ts';

/** What a body is. */
export const KIND = { parts: 1, sums: 2, gather: 3, broadcast: 4, barrier: 5, refusal: 6, failure: 7, ring: 8, backup: 9 } as const;
export type Kind = (typeof KIND)[keyof typeof KIND];
const KIND_NAMES = [
  'nothing',
  'allReduce',
  'allReduce, sums',
  'allGather',
  'broadcast',
  'barrier',
  'allReduce, refused',
  'failure',
  'allReduce, ring',
  'allReduce, of a backup',
];

const FAREWELL_MS = 1000;
/** Longest wait of a timer. */
const LONGEST_MS = 2 ** 31 - 1;
/** Bodies of parts from this size on are kept for the next operation: new memory costs more than adding. */
const KEPT_BYTES = 64 * 1024;

/** What somebody else may have been faster with. */
const LATE: ReadonlySet<number> = new Set([KIND.parts, KIND.backup, KIND.refusal]);

/** What one peer sent: a body, or why it refuses to go on with this operation. */
export type Answer = { readonly body: Uint8Array } | { readonly refusal: ParagradError };

/**
 * A rank's channels to all others, with the checks of every message: generation, step, kind, sequence. Everything that is
 * sent and received by an operation passes through here.
 */
export class Links {
  readonly peers: readonly number[];
  readonly #channels: readonly (Channel | undefined)[];
  readonly generation: number;
  readonly timeoutMs: number;
  /** Next sequence number from each peer. */
  readonly #expected: number[];
  /** Memory for the next large parts from each peer. */
  readonly #spare: (ArrayBuffer | undefined)[];
  /** The next message of a peer, where it was waited for before it was due; and the same, once it is here. */
  readonly #ahead: (Promise<Message> | undefined)[];
  readonly #arrived: ({ readonly message?: Message } | undefined)[];
  #wake: (() => void) | undefined;
  /** Nodes of operations that are over are dropped: somebody else was first. */
  dropsLate = false;
  #sums: { readonly step: number; readonly of: (peer: number) => Uint8Array } | undefined;
  bytesSent = 0;
  messagesSent = 0;
  waitMs = 0;

  /** `isNeighbour`: whom this rank speaks to; the others are told of an end by those in between. */
  constructor(
    rank: number,
    channels: readonly (Channel | undefined)[],
    generation: number,
    timeoutMs: number,
    isNeighbour: (peer: number) => boolean = () => true,
  ) {
    this.#channels = channels;
    this.generation = generation;
    this.timeoutMs = timeoutMs;
    this.#expected = channels.map(() => 0);
    this.#spare = channels.map(() => undefined);
    this.#ahead = channels.map(() => undefined);
    this.#arrived = channels.map(() => undefined);
    for (const [peer, channel] of channels.entries()) channel?.placeBodies?.((header, bytes) => this.#place(peer, header, bytes));
    this.peers = channels.map((_, peer) => peer).filter((peer) => peer !== rank && isNeighbour(peer));
  }

  /** Where the sums of this step that come from a peer are written at once, where the channel can. They come after all parts are read. */
  expectSums(step: number, of: (peer: number) => Uint8Array): void {
    this.#sums = { step, of };
  }

  /** The operation is over: what comes late must not be written into the caller's vector. */
  settle(): void {
    this.#sums = undefined;
  }

  /** The values of a peer's parts are not needed any more. */
  release(peer: number, body: Uint8Array): void {
    if (body.length >= KEPT_BYTES && body.byteOffset === 0) this.#spare[peer] = body.buffer as ArrayBuffer;
  }

  #place(peer: number, { kind, generation, step }: MessageHeader, bytes: number): Uint8Array | undefined {
    if (generation !== this.generation) return undefined;
    if (kind === KIND.sums) return this.#sums?.step === step ? this.#sums.of(peer) : undefined;
    if (kind !== KIND.parts || bytes < KEPT_BYTES) return undefined;
    const spare = this.#spare[peer];
    this.#spare[peer] = undefined;
    return spare !== undefined && spare.byteLength >= bytes && spare.byteLength <= 2 * bytes ? new Uint8Array(spare, 0, bytes) : undefined;
  }

  /** Sends a message; `bytes` of it count as values. */
  async send(peer: number, kind: Kind, step: number, pieces: readonly Uint8Array[], bytes: number): Promise<void> {
    this.bytesSent += bytes;
    this.messagesSent += 1;
    await (this.#channels[peer] as Channel).send({ kind, generation: this.generation, step }, pieces);
  }

  /** Sends the same to all. */
  async sendAll(kind: Kind, step: number, pieces: readonly Uint8Array[], bytes: number): Promise<void> {
    await Promise.all(this.peers.map((peer) => this.send(peer, kind, step, pieces, bytes)));
  }

  /**
   * One message of this kind from each of `peers`, by peer. `deadlines`: how many it may take, where who is waited for waits for
   * others itself.
   *
   * @throws PARAGRAD_TIMEOUT naming all that are late, and at once PARAGRAD_PEER_LOST, PARAGRAD_GENERATION,
   * PARAGRAD_CHANNEL, or the failure that a peer reports.
   */
  async receive(peers: readonly number[], kind: Kind, step: number, deadlines = 1): Promise<Map<number, Answer>> {
    const timeoutMs = Math.min(deadlines * this.timeoutMs, LONGEST_MS);
    const begin = performance.now();
    const late: number[] = [];
    const answers = new Map<number, Answer>();
    await Promise.all(
      peers.map(async (peer) => {
        const answer = await this.#receive(peer, kind, step, timeoutMs);
        if (answer === undefined) late.push(peer);
        else answers.set(peer, answer);
      }),
    );
    this.waitMs += performance.now() - begin;
    if (late.length > 0)
      throw timedOut(
        late.sort((a, b) => a - b),
        step,
        timeoutMs,
      );
    return answers;
  }

  /** Begins to wait for the next message of a peer, and leaves it where it is. */
  #peek(peer: number): void {
    if (this.#ahead[peer] !== undefined) return;
    const ahead = (this.#channels[peer] as Channel).receive(LONGEST_MS);
    this.#ahead[peer] = ahead;
    const isHere = (what: { message?: Message }): void => {
      this.#arrived[peer] = what;
      this.#wake?.();
    };
    ahead.then(
      (message) => isHere({ message }),
      () => isHere({}),
    );
  }

  /** Whether this is the next message of a peer, and is here, after a turn of the event loop. */
  async arrives(peer: number, step: number, kind: Kind): Promise<boolean> {
    this.#peek(peer);
    await new Promise(setImmediate);
    const message = this.#arrived[peer]?.message;
    return message !== undefined && message.step === step && message.kind === kind;
  }

  /**
   * The first message of any of `peers`, those that `isWanted` before others; undefined: none came within the deadline.
   *
   * @throws PARAGRAD_PEER_LOST, PARAGRAD_CHANNEL; the failure that a peer reports
   */
  async first(
    step: number,
    peers: readonly number[],
    isWanted: (peer: number) => boolean,
  ): Promise<(Message & { readonly peer: number }) | undefined> {
    const begin = performance.now();
    const ordered = [...peers.filter(isWanted), ...peers.filter((peer) => !isWanted(peer))];
    for (const peer of ordered) this.#peek(peer);
    const isHere = (peer: number): boolean => this.#arrived[peer] !== undefined;
    if (!ordered.some(isHere)) await this.#anything();
    const peer = ordered.find(isHere);
    this.waitMs += performance.now() - begin;
    if (peer === undefined) return undefined;
    const message = await this.#next(peer, LONGEST_MS).catch((error: unknown) => {
      throw lostOr(error, peer, step);
    });
    this.#check(peer, message);
    return { ...message, peer };
  }

  /** Until a message that was waited for is here, or the deadline. One promise for all: a peer may be silent for a whole run. */
  async #anything(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = setTimeout(resolve, Math.min(this.timeoutMs, LONGEST_MS));
    });
    this.#wake = undefined;
    clearTimeout(timer);
  }

  /** The next message of a peer. */
  async #next(peer: number, timeoutMs: number): Promise<Message> {
    const ahead = this.#ahead[peer];
    if (ahead === undefined) return (this.#channels[peer] as Channel).receive(timeoutMs);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(timedOut([peer], 0, timeoutMs)), timeoutMs);
    });
    try {
      const message = await Promise.race([ahead, late]);
      this.#ahead[peer] = undefined;
      this.#arrived[peer] = undefined;
      return message;
    } finally {
      clearTimeout(timer);
    }
  }

  /** @throws PARAGRAD_CHANNEL; the failure that a peer reports */
  #check(peer: number, message: Message): void {
    const expected = this.#expected[peer] as number;
    if (message.sequence !== expected) throw brokenChannel(peer, `message ${message.sequence} came where ${expected} was due`);
    this.#expected[peer] = expected + 1;
    if (message.kind === KIND.failure) throw readError(message.body);
  }

  async #receive(peer: number, kind: Kind, step: number, timeoutMs: number): Promise<Answer | undefined> {
    let message: Message;
    do {
      try {
        message = await this.#next(peer, timeoutMs);
      } catch (error) {
        if (error instanceof ParagradError && error.code === 'PARAGRAD_TIMEOUT') return undefined;
        throw lostOr(error, peer, step);
      }
      this.#check(peer, message);
    } while (this.dropsLate && message.step < step && LATE.has(message.kind));
    const refusable = kind === KIND.parts || kind === KIND.sums || kind === KIND.ring;
    const isRefusal = refusable && message.kind === KIND.refusal;
    if (message.generation !== this.generation || message.step !== step || (message.kind !== kind && !isRefusal)) {
      const say = (k: number): string => KIND_NAMES[k] ?? `kind ${k}`;
      const own = { generation: this.generation, step, operation: say(kind) };
      throw outOfStep(peer, { generation: message.generation, step: message.step, operation: say(message.kind) }, own);
    }
    return isRefusal ? { refusal: readError(message.body) } : { body: message.body };
  }

  /**
   * Tells the others why this rank gives up, so that they need not wait for their own deadline, and closes. A peer that takes
   * nothing, perhaps the reason for giving up, is not waited for.
   */
  async fail(error: unknown, step: number): Promise<void> {
    const told = error instanceof ParagradError ? error : new ParagradError('PARAGRAD_INTERNAL', String(error));
    let timer: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, FAREWELL_MS);
    });
    const sent = Promise.allSettled(this.peers.map((peer) => this.send(peer, KIND.failure, step, [errorBody(told)], 0)));
    await Promise.race([sent, enough]);
    clearTimeout(timer);
    await this.close();
  }

  async close(): Promise<void> {
    await Promise.all(this.#channels.map(async (channel) => channel?.close()));
  }
}

/** The loss of a peer, with its rank. */
function lostOr(error: unknown, peer: number, step: number): unknown {
  return error instanceof ParagradError && error.code === 'PARAGRAD_PEER_LOST' ? peerLost([peer], step) : error;
}

/** A peer's body. @throws its refusal */
export function bodyOf(answers: Map<number, Answer>, peer: number): Uint8Array {
  const answer = answers.get(peer) as Answer;
  if ('refusal' in answer) throw answer.refusal;
  return answer.body;
}

/** Sends to `to`, and gets from `from`. In each stage of an operation who is waited for has waited before: so many deadlines. */
export async function swap(
  links: Links,
  to: readonly number[],
  from: readonly number[],
  kind: Kind,
  stage: number,
  step: number,
  send: (peer: number) => Promise<void>,
): Promise<Map<number, Answer>> {
  const [answers] = await Promise.all([links.receive(from, kind, step, stage), ...to.map(send)]);
  return answers;
}
