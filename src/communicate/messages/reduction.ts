import { ParagradError } from '../../errors.ts';
import type { ControlWord, Elements, Part, ReduceShape } from '../collective.ts';
import { brokenChannel, isSurvivable } from '../failures.ts';
import { FIELDS_PER_PART, type Geometry, GeometryBook } from '../geometry.ts';
import { type Adder, Reducer, sourcesFor } from '../reduce.ts';
import { checkShapes, ScheduleCache } from '../schedule.ts';
import { cutParts, errorBody, partsBody, type ReceivedParts, readParts } from './body.ts';
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

/** The parts of all ranks, by rank, that came as answers or are the own ones. @throws a refusal; PARAGRAD_TREE, PARAGRAD_CHANNEL */
export function receivedParts({ size, links }: Group, answers: Map<number, Answer>, own: ReceivedParts): ReceivedParts[] {
  const bodies = new Map(links.peers.map((peer) => [peer, bodyOf(answers, peer)]));
  return receivedFrom(size, (rank) => {
    const body = bodies.get(rank);
    const read = body === undefined ? own : readParts(body);
    if (read === undefined) throw brokenChannel(rank, 'parts of an all-reduce are malformed');
    return read;
  });
}

/** The parts of ranks 0 … size − 1, which must be of one vector. @throws PARAGRAD_TREE */
export function receivedFrom(size: number, of: (rank: number) => ReceivedParts): ReceivedParts[] {
  const received = Array.from({ length: size }, (_, rank) => of(rank));
  checkShapes(received.map(({ geometry }) => geometry));
  return received;
}

/** The values of parts that came are added: their memory is used again. */
export function releaseParts({ links }: Group, answers: Map<number, Answer>): void {
  for (const [peer, answer] of answers) if ('body' in answer) links.release(peer, answer.body);
}

/** Adds the parts of all ranks in tree order; remembers in which order, and where values lie. */
export class TreeAdder {
  readonly #books: readonly GeometryBook[];
  readonly #schedules = new ScheduleCache();
  readonly #reducer: Reducer;

  constructor(size: number, adder?: Adder) {
    this.#reducer = new Reducer(adder);
    this.#books = Array.from({ length: size }, () => new GeometryBook());
  }

  /** The elements [begin, end) of the sum, into their place. @throws PARAGRAD_TREE */
  add(received: readonly ReceivedParts[], begin: number, end: number, into: Elements): void {
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
