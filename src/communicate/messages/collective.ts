import { assert, ParagradError } from '../../errors.ts';
import type { Channel } from '../channel.ts';
import type { Collective, ControlWord, Elements, Part, ReduceShape, Traffic } from '../collective.ts';
import { brokenChannel, isSurvivable } from '../failures.ts';
import { checkValues, FIELDS_PER_PART, type Geometry, GeometryBook } from '../geometry.ts';
import { Reducer, sourcesFor } from '../reduce.ts';
import { checkShapes, ScheduleCache, SMALL_BYTES, segmentBegin } from '../schedule.ts';
import { bytesOf, cutParts, elementsOf, errorBody, partsBody, type ReceivedParts, readParts } from './body.ts';
import { type Answer, KIND, Links } from './links.ts';

export interface MessageOptions {
  readonly generation?: number;
  /** Number of the group's first operation. */
  readonly step?: number;
  /** Deadline of every single wait. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 120_000;

/**
 * Collectives over channels, for P ranks.
 *
 * All-reduce, up to SMALL_BYTES: every rank sends its nodes to all and adds everything by itself. One latency, P − 1
 * messages and (P − 1) × its nodes' bytes from each rank. Above: direct reduce-scatter and all-gather: each rank adds one
 * segment of the vector; it sends every other rank the nodes of that one's segment, and then the sums of its own segment
 * to all. Two latencies, 2 (P − 1) messages, its nodes' bytes outside its segment + (P − 1) × its segment's bytes.
 * Broadcast: P − 1 messages from the root. All-gather and barrier: P − 1 from each rank.
 */
class MessageCollective implements Collective {
  readonly rank: number;
  readonly size: number;
  readonly generation: number;
  readonly #links: Links;
  readonly #books: readonly GeometryBook[];
  readonly #schedules = new ScheduleCache();
  readonly #reducer = new Reducer();
  #started: number;
  #step: number;
  #last: Promise<unknown> = Promise.resolve();
  #failure: unknown;

  constructor(rank: number, channels: readonly (Channel | undefined)[], options: MessageOptions) {
    this.rank = rank;
    this.size = channels.length;
    this.generation = options.generation ?? 0;
    this.#step = options.step ?? 0;
    this.#started = this.#step;
    this.#links = new Links(rank, channels, this.generation, options.timeoutMs ?? TIMEOUT_MS);
    this.#books = channels.map(() => new GeometryBook());
  }

  get step(): number {
    return this.#step;
  }

  allReduce<E extends Elements>(shape: ReduceShape, parts: readonly Part<E>[], into: E, control: ControlWord = 0): Promise<ControlWord> {
    return this.#operation((step) => this.#reduce(step, shape, parts, into, control));
  }

  allGather(bytes: Uint8Array): Promise<Uint8Array[]> {
    return this.#operation(async (step) => {
      const { peers } = this.#links;
      const [, answers] = await Promise.all([
        this.#links.sendAll(KIND.gather, step, [bytes], bytes.length),
        this.#links.receive(peers, KIND.gather, step),
      ]);
      return Array.from({ length: this.size }, (_, rank) => (rank === this.rank ? bytes.slice() : bodyOf(answers, rank)));
    });
  }

  broadcast(bytes: Uint8Array | undefined, root: number): Promise<Uint8Array> {
    assert(root >= 0 && root < this.size, 'broadcast from a root outside the group');
    return this.#operation(async (step) => {
      if (this.rank !== root) return bodyOf(await this.#links.receive([root], KIND.broadcast, step), root);
      assert(bytes !== undefined, 'broadcast without bytes');
      await this.#links.sendAll(KIND.broadcast, step, [bytes], bytes.length);
      return bytes.slice();
    });
  }

  barrier(): Promise<void> {
    return this.#operation(async (step) => {
      await Promise.all([this.#links.sendAll(KIND.barrier, step, [], 0), this.#links.receive(this.#links.peers, KIND.barrier, step)]);
    });
  }

  traffic(): Traffic {
    const { bytesSent, messagesSent, waitMs } = this.#links;
    return { bytesSent, messagesSent, waitMs };
  }

  async close(): Promise<void> {
    await this.#links.close();
  }

  /** One operation after the other, in the order of the calls. */
  #operation<R>(run: (step: number) => Promise<R>): Promise<R> {
    const step = this.#started;
    this.#started += 1;
    const done = this.#last.then(async () => {
      if (this.#failure !== undefined) throw this.#failure;
      try {
        return await run(step);
      } catch (error) {
        if (!isSurvivable(error)) {
          this.#failure = error;
          await this.#links.fail(error, step);
        }
        throw error;
      } finally {
        this.#step += 1;
      }
    });
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #reduce(
    step: number,
    shape: ReduceShape,
    parts: readonly Part<Elements>[],
    into: Elements,
    control: ControlWord,
  ): Promise<ControlWord> {
    const { length } = shape;
    const isSmall = length * into.BYTES_PER_ELEMENT <= SMALL_BYTES;
    const beginOf = (rank: number): number => (isSmall ? 0 : segmentBegin(length, rank, this.size));
    const endOf = (rank: number): number => (isSmall ? length : segmentBegin(length, rank + 1, this.size));
    const cut = (rank: number): ReceivedParts => cutParts(shape, into.BYTES_PER_ELEMENT, parts, control, beginOf(rank), endOf(rank));
    const received = await this.#exchangeParts(
      step,
      caught(() => checkValues(this.rank, shape, parts, into)),
      cut,
    );
    // What was refused until here was refused by all; a tree of one segment is wrong for its owner only, who must tell.
    const refusal = caught(() => this.#add(received, beginOf(this.rank), endOf(this.rank), into));
    if (!isSmall) await this.#exchangeSums(step, length, into, refusal);
    if (refusal !== undefined) throw refusal;
    return (received[0] as ReceivedParts).control;
  }

  /** Sends every rank its cut of the parts, or all of them why there are none; returns what came, by rank. */
  async #exchangeParts(step: number, refusal: ParagradError | undefined, cut: (rank: number) => ReceivedParts): Promise<ReceivedParts[]> {
    const { peers } = this.#links;
    const sent = peers.map((peer) => {
      if (refusal !== undefined) return this.#links.send(peer, KIND.refusal, step, [errorBody(refusal)], 0);
      const { pieces, valueBytes } = partsBody(cut(peer));
      return this.#links.send(peer, KIND.parts, step, pieces, valueBytes);
    });
    const [answers] = await Promise.all([this.#links.receive(peers, KIND.parts, step), ...sent]);
    if (refusal !== undefined) throw refusal;
    const bodies = new Map(peers.map((peer) => [peer, bodyOf(answers, peer)]));
    const received = Array.from({ length: this.size }, (_, rank) => {
      const body = bodies.get(rank);
      const read = body === undefined ? cut(rank) : readParts(body);
      if (read === undefined) throw brokenChannel(rank, 'parts of an all-reduce are malformed');
      return read;
    });
    checkShapes(received.map(({ geometry }) => geometry));
    return received;
  }

  #add(received: readonly ReceivedParts[], begin: number, end: number, into: Elements): void {
    const geometries = received.map(({ geometry }, rank) => (this.#books[rank] as GeometryBook).intern(geometry));
    const schedule = this.#schedules.get(geometries, begin, end);
    const sources = sourcesFor(schedule);
    for (const [rank, { values }] of received.entries()) {
      const { fields } = geometries[rank] as Geometry;
      for (const [i, array] of values.entries()) {
        const part = (schedule.firstPart[rank] as number) + i;
        sources.arrays[part] = array;
        sources.offsets[part] = -(fields[i * FIELDS_PER_PART + 2] as number);
      }
    }
    this.#reducer.reduce(schedule, sources, begin, end, into, 0);
  }

  /** Brings the sums of every segment to every rank. @throws the refusal of the first rank that refused, or returns when it is this one's. */
  async #exchangeSums(step: number, length: number, into: Elements, refusal: ParagradError | undefined): Promise<void> {
    const beginOf = (rank: number): number => segmentBegin(length, rank, this.size);
    const own = into.subarray(beginOf(this.rank), beginOf(this.rank + 1)) as Elements;
    const { peers } = this.#links;
    const sent =
      refusal === undefined
        ? this.#links.sendAll(KIND.sums, step, [bytesOf(own)], own.byteLength)
        : this.#links.sendAll(KIND.refusal, step, [errorBody(refusal)], 0);
    const [answers] = await Promise.all([this.#links.receive(peers, KIND.sums, step), sent]);
    if (refusal !== undefined) return;
    for (const [peer, body] of peers.map((p) => [p, bodyOf(answers, p)] as const)) {
      const count = beginOf(peer + 1) - beginOf(peer);
      const bytes = count * into.BYTES_PER_ELEMENT;
      if (body.length !== bytes) throw brokenChannel(peer, `${body.length} bytes of sums came, not ${bytes}`);
      into.set(elementsOf(body, 0, count, into.BYTES_PER_ELEMENT), beginOf(peer));
    }
  }
}

/** The PARAGRAD_TREE that `run` throws, if it does. */
function caught(run: () => void): ParagradError | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof ParagradError && isSurvivable(error)) return error;
    throw error;
  }
}

/** A peer's body. @throws its refusal */
function bodyOf(answers: Map<number, Answer>, peer: number): Uint8Array {
  const answer = answers.get(peer) as Answer;
  if ('refusal' in answer) throw answer.refusal;
  return answer.body;
}

/** Rank `rank`'s end of a group whose other ranks are reached by `channels`, by rank (undefined for itself). */
export function createMessageCollective(
  rank: number,
  channels: readonly (Channel | undefined)[],
  options: MessageOptions = {},
): Collective {
  return new MessageCollective(rank, channels, options);
}
