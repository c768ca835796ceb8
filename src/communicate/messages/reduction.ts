import { ParagradError } from '../../errors.ts';
import type { ControlWord, Elements, Part, ReduceShape } from '../collective.ts';
import { brokenChannel, isSurvivable } from '../failures.ts';
import { type Fold, type FoldPlan, foldPlanOf } from '../fold.ts';
import { FIELDS_PER_PART, type Geometry, GeometryBook } from '../geometry.ts';
import { type Adder, Reducer, type Sources, sourcesFor } from '../reduce.ts';
import { ADD, checkShapes, GeometryCache, type Schedule, ScheduleCache, type Span } from '../schedule.ts';
import { cutParts, elementsOf, errorBody, partsBody, type ReceivedParts, readParts } from './body.ts';
import { type Answer, bodyOf, KIND, type Links } from './links.ts';

/** What all-reduces over messages have in common. */

export interface ReduceCall {
  readonly step: number;
  readonly shape: ReduceShape;
  readonly parts: readonly Part<Elements>[];
  readonly into: Elements;
  readonly control: ControlWord;
}

/**
 * Where an all-reduce is: `all-to-all` (direct, small); `reduce-scatter` and `all-gather` (direct, ring); `shuffle`, `reduce` (on
 * reducers) and `broadcast` (client–server); `idle` when it is over.
 */
export type ReducePhase = 'all-to-all' | 'reduce-scatter' | 'all-gather' | 'shuffle' | 'reduce' | 'broadcast' | 'idle';

export interface Group {
  readonly rank: number;
  readonly size: number;
  readonly links: Links;
  readonly adder: Adder | undefined;
  /** Told when a phase begins. */
  readonly enter: (phase: ReducePhase, step: number) => void;
}

/** 0 … size − 1. */
export function ranksOf(size: number): number[] {
  return Array.from({ length: size }, (_, rank) => rank);
}

/** A rank's parts, cut to the elements [begin, end). */
export function cutOf({ shape, into, parts, control }: ReduceCall, begin: number, end: number): ReceivedParts {
  return cutParts(shape, into.BYTES_PER_ELEMENT, parts, control, begin, end);
}

/** Sends a peer this rank's parts, or why there are none. */
export function sendParts(links: Links, peer: number, step: number, parts: ReceivedParts | ParagradError): Promise<void> {
  if (parts instanceof ParagradError) return links.send(peer, KIND.refusal, step, [errorBody(parts)], 0);
  const { pieces, valueBytes } = partsBody(parts);
  return links.send(peer, KIND.parts, step, pieces, valueBytes);
}

/**
 * The parts of all ranks, by rank, that came as answers or are the own ones.
 *
 * @param ranks whose, ascending; default: all
 * @throws a refusal; PARAGRAD_TREE, PARAGRAD_CHANNEL
 */
export function receivedParts(
  { rank: self, size }: Pick<Group, 'rank' | 'size'>,
  answers: Map<number, Answer>,
  own: ReceivedParts,
  ranks: readonly number[] = ranksOf(size),
): ReceivedParts[] {
  const bodies = ranks.map((rank) => (rank === self ? undefined : bodyOf(answers, rank)));
  return receivedFrom(ranks, (rank, at) => {
    const body = bodies[at];
    const read = body === undefined ? own : readParts(body);
    if (read === undefined) throw brokenChannel(rank, 'parts of an all-reduce are malformed');
    return read;
  });
}

/** The parts of these ranks, which must be of one vector. @throws PARAGRAD_TREE */
export function receivedFrom(ranks: readonly number[], of: (rank: number, at: number) => ReceivedParts): ReceivedParts[] {
  const received = ranks.map(of);
  checkShapes(
    received.map(({ geometry }) => geometry),
    ranks,
  );
  return received;
}

/** The values of parts that came are added: their memory is used again. */
export function releaseParts({ links }: Group, answers: Map<number, Answer>): void {
  for (const [peer, answer] of answers) if ('body' in answer) links.release(peer, answer.body);
}

/** The geometries that ranks had, each one object for all that are equal: keys of what is made of them. */
class GeometryBooks {
  readonly #books: readonly GeometryBook[];

  constructor(count: number) {
    this.#books = Array.from({ length: count }, () => new GeometryBook());
  }

  intern(received: readonly ReceivedParts[]): Geometry[] {
    return received.map(({ geometry }, at) => (this.#books[at] as GeometryBook).intern(geometry));
  }
}

/** Where the values of parts are. */
function sourcesOf(received: readonly ReceivedParts[], { geometries, firstPart }: Pick<Schedule, 'geometries' | 'firstPart'>): Sources {
  const sources = sourcesFor({ geometries, firstPart });
  for (const [at, { values }] of received.entries()) {
    const { fields } = geometries[at] as Geometry;
    for (const [i, array] of values.entries()) {
      const part = (firstPart[at] as number) + i;
      sources.arrays[part] = array;
      sources.offsets[part] = -(fields[i * FIELDS_PER_PART + 2] as number);
    }
  }
  return sources;
}

/** Adds the parts of some ranks, which have the whole tree, in its order; remembers in which order, and where values lie. */
export class TreeAdder {
  readonly #books: GeometryBooks;
  readonly #schedules: ScheduleCache;
  readonly #reducer: Reducer;

  /** `ranks`: whose parts, in this order. */
  constructor(ranks: readonly number[], adder?: Adder) {
    this.#reducer = new Reducer(adder);
    this.#books = new GeometryBooks(ranks.length);
    this.#schedules = new ScheduleCache(ranks);
  }

  /** The elements [begin, end) of the sum, into their place. @throws PARAGRAD_TREE */
  add(received: readonly ReceivedParts[], begin: number, end: number, into: Elements): void {
    const schedule = this.#schedules.get(this.#books.intern(received), begin, end);
    this.#reducer.reduce(schedule, sourcesOf(received, schedule), begin, end, into, 0);
  }
}

function partsIn({ geometry, values }: ReceivedParts): Part<Elements>[] {
  return values.map((array, i): Part<Elements> => {
    const [level, index, begin, end] = geometry.fields.subarray(i * FIELDS_PER_PART) as unknown as [number, number, number, number];
    return { node: { level, index }, begin, end, values: array };
  });
}

/** Adds the parts of some ranks as far as they are whole subtrees (fold.ts). */
export class TreeFolder {
  readonly #books: GeometryBooks;
  readonly #plans: GeometryCache<FoldPlan>;
  readonly #reducer: Reducer;
  /** Where sums lie, until the next call. */
  #memory = new ArrayBuffer(0);

  /** `ranks`: whose parts, in this order. */
  constructor(ranks: readonly number[], adder?: Adder) {
    this.#reducer = new Reducer(adder);
    this.#books = new GeometryBooks(ranks.length);
    this.#plans = new GeometryCache((geometries, begin, end) => foldPlanOf(geometries, begin, end, ranks));
  }

  /**
   * The nodes of the elements [begin, end) that the parts add up to; values stand in the parts or here, until the next call. Parts that
   * are wrong come out as they are: whoever adds the whole tree refuses them.
   */
  fold(received: readonly ReceivedParts[], begin: number, end: number, bytesPerElement: number): Part<Elements>[] {
    let folds: readonly Fold[] = [];
    const wrong = caught(() => {
      folds = this.#plans.get(this.#books.intern(received), begin, end).folds;
    });
    if (wrong !== undefined) return received.flatMap(partsIn);
    if (folds.length === 0) return [];
    const sources = sourcesOf(received, (folds[0] as Fold).schedule);
    const bytes = folds.reduce((sum, fold) => sum + (fold.end - fold.begin) * bytesPerElement, 0);
    if (this.#memory.byteLength < bytes) this.#memory = new ArrayBuffer(bytes);
    let at = 0;
    return folds.map(({ node, begin: from, end: to, schedule }): Part<Elements> => {
      const { program } = schedule.spans[0] as Span;
      const known = [...program].filter((part) => part !== ADD && sources.arrays[part] !== undefined);
      if (known.length === 0) return { node, begin: from, end: to, values: undefined };
      if (known.length === 1) {
        const part = known[0] as number;
        const offset = sources.offsets[part] as number;
        const values = (sources.arrays[part] as Elements).subarray(from + offset, to + offset) as Elements;
        return { node, begin: from, end: to, values };
      }
      const count = to - from;
      const values = bytesPerElement === 8 ? new Float64Array(this.#memory, at, count) : new Float32Array(this.#memory, at, count);
      at += count * bytesPerElement;
      this.#reducer.reduce(schedule, sources, from, to, values, -from);
      return { node, begin: from, end: to, values };
    });
  }
}

/** Puts sums of the elements [begin, end) that came from a peer into their place. @throws PARAGRAD_CHANNEL */
export function placeSums(peer: number, body: Uint8Array, into: Elements, begin: number, end: number): void {
  const bytes = (end - begin) * into.BYTES_PER_ELEMENT;
  if (body.length !== bytes) throw brokenChannel(peer, `${body.length} bytes of sums came, not ${bytes}`);
  const target = into.subarray(begin, end);
  // Where the channel wrote them to their place there is nothing to do.
  if (body.buffer !== into.buffer || body.byteOffset !== target.byteOffset)
    target.set(elementsOf(body, 0, end - begin, into.BYTES_PER_ELEMENT));
}

/** The PARAGRAD_TREE that `run` throws, if it does. */
export function caught(run: () => void): ParagradError | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof ParagradError && isSurvivable(error)) return error;
    throw error;
  }
}
