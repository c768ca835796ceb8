import { assert } from '../../errors.ts';
import type { Collective, ControlWord, Elements, Part, ReduceShape, Traffic } from '../collective.ts';
import { isSurvivable, outOfStep, wrongTree } from '../failures.ts';
import { checkValues, describedGeometry, descriptionOf, type Geometry, GeometryBook, geometryOf } from '../geometry.ts';
import { copy, Reducer } from '../reduce.ts';
import { ScheduleCache, SMALL_BYTES, segmentBegin } from '../schedule.ts';
import { Barrier } from './barrier.ts';
import { barrierOf, reportLost, type SharedHandle, type Slab, slabsOf } from './memory.ts';
import { type Placement, place, placementOf, windowEnd, writeParts } from './placement.ts';

/** Fields of a turn's header. */
const GENERATION = 0;
const STEP = 1;
const OPERATION = 2;
/** allReduce: parts when the geometry is new, -1 - its number when it is known. Bytes: length of the whole. */
const SIZE = 3;
const CONTROL_WORD = 4;
/** allReduce: 1 when the slab holds all values, 0 when they come in later turns, -1 when the parts are refused. */
const HOLDS = 5;

/** Two threads add vectors of up to so many bytes by themselves: 2,000 sums take less time than a second wait. */
const SMALL_BYTES_OF_TWO = 16 * 1024;

const OPERATIONS = ['allReduce', 'allGather', 'broadcast', 'barrier'] as const;
type Operation = (typeof OPERATIONS)[number];

/**
 * All ranks are threads of one process. Cost of an operation: one turn (a copy and a barrier) for small vectors, two for
 * larger ones, per piece that fits into the slabs; and one or two more when geometries are new. Waiting blocks the thread,
 * so a worker that loops over collectives does not come back to its event loop by itself.
 */
class SharedCollective implements Collective {
  readonly rank: number;
  readonly size: number;
  readonly generation: number;
  readonly #handle: SharedHandle;
  readonly #slabs: readonly [Slab, Slab][];
  readonly #barrier: Barrier;
  readonly #reducer = new Reducer();
  readonly #books: readonly GeometryBook[];
  readonly #schedules = new ScheduleCache();
  readonly #placements = new WeakMap<object, Placement>();
  /** Scratch: the geometry of every rank in this operation. */
  readonly #geometries: Geometry[] = [];
  #step: number;
  #turns = 0;
  #bytesSent = 0;
  #failure: unknown;

  constructor(handle: SharedHandle, rank: number) {
    assert(rank >= 0 && rank < handle.size, 'rank out of range');
    this.#handle = handle;
    this.rank = rank;
    this.size = handle.size;
    this.generation = handle.generation;
    this.#step = handle.step;
    this.#slabs = handle.size === 1 ? [] : slabsOf(handle);
    this.#barrier = new Barrier(barrierOf(handle), rank, handle.size, handle);
    this.#books = Array.from({ length: handle.size }, () => new GeometryBook());
  }

  get step(): number {
    return this.#step;
  }

  async allReduce<E extends Elements>(
    shape: ReduceShape,
    parts: readonly Part<E>[],
    into: E,
    control: ControlWord = 0,
  ): Promise<ControlWord> {
    return this.#operation(() =>
      this.size === 1 ? this.#reduceAlone(shape, parts, into, control) : this.#reduce(shape, parts, into, control),
    );
  }

  async allGather(bytes: Uint8Array): Promise<Uint8Array[]> {
    return this.#operation(() => this.#gather('allGather', bytes));
  }

  async broadcast(bytes: Uint8Array | undefined, root: number): Promise<Uint8Array> {
    const own = this.rank === root ? bytes : new Uint8Array(0);
    assert(own !== undefined && root >= 0 && root < this.size, 'broadcast without bytes, or from a root outside the group');
    return this.#operation(() => this.#gather('broadcast', own)[root] as Uint8Array);
  }

  async barrier(): Promise<void> {
    return this.#operation(() => {
      if (this.size > 1) this.#turn('barrier', 0, 0, 0);
    });
  }

  traffic(): Traffic {
    return { bytesSent: this.#bytesSent, messagesSent: this.#turns, waitMs: this.#barrier.waitMs };
  }

  async close(): Promise<void> {
    // Peers that still expect something of this rank must not wait for their deadline.
    if (this.size > 1) reportLost(this.#handle, this.rank);
  }

  #operation<R>(run: () => R): R {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      return run();
    } catch (error) {
      if (!isSurvivable(error)) this.#failure = error;
      throw error;
    } finally {
      this.#step += 1;
    }
  }

  /** The slab of rank `rank` in the turn that comes next. */
  #slab(rank: number): Slab {
    return (this.#slabs[rank] as [Slab, Slab])[this.#turns % 2] as Slab;
  }

  /**
   * Hands over what was written to the own slab, and waits for all others to do so. Returns the parity of the slabs that
   * may be read until the next turn but one.
   *
   * @throws PARAGRAD_GENERATION when another rank is elsewhere: all ranks see it, since all read the same headers.
   */
  #turn(operation: Operation, size: number, control: number, holds: number): number {
    const { header } = this.#slab(this.rank);
    header[GENERATION] = this.generation;
    header[STEP] = this.#step;
    header[OPERATION] = OPERATIONS.indexOf(operation);
    header[SIZE] = size;
    header[CONTROL_WORD] = control;
    header[HOLDS] = holds;
    this.#barrier.wait(this.#step);
    for (let rank = 0; rank < this.size; rank += 1) {
      const theirs = this.#slab(rank).header;
      if (theirs[GENERATION] === this.generation && theirs[STEP] === this.#step && theirs[OPERATION] === header[OPERATION]) continue;
      const standing = (h: Float64Array) => ({
        generation: h[GENERATION] as number,
        step: h[STEP] as number,
        operation: OPERATIONS[h[OPERATION] as number] ?? 'nothing',
      });
      throw outOfStep(rank, standing(theirs), standing(header));
    }
    const parity = this.#turns % 2;
    this.#turns += 1;
    return parity;
  }

  #header(rank: number, parity: number, field: number): number {
    return ((this.#slabs[rank] as [Slab, Slab])[parity] as Slab).header[field] as number;
  }

  /** Every rank's bytes; in as many turns as the longest needs. */
  #gather(operation: Operation, bytes: Uint8Array): Uint8Array[] {
    if (this.size === 1) return [bytes.slice()];
    const { slabBytes } = this.#handle;
    const gathered: Uint8Array[] = [];
    let longest = 1;
    for (let at = 0; at < longest; at += slabBytes) {
      const piece = bytes.subarray(at, at + slabBytes);
      this.#slab(this.rank).bytes.set(piece);
      this.#bytesSent += piece.length;
      const parity = this.#turn(operation, bytes.length, 0, 0);
      for (let rank = 0; rank < this.size; rank += 1) {
        const length = this.#header(rank, parity, SIZE);
        longest = Math.max(longest, length);
        const whole = at === 0 ? new Uint8Array(length) : (gathered[rank] as Uint8Array);
        gathered[rank] = whole;
        const slab = (this.#slabs[rank] as [Slab, Slab])[parity] as Slab;
        if (at < length) whole.set(slab.bytes.subarray(0, Math.min(slabBytes, length - at)), at);
      }
    }
    return gathered;
  }

  #reduceAlone(shape: ReduceShape, parts: readonly Part<Elements>[], into: Elements, control: ControlWord): ControlWord {
    checkValues(0, shape, parts, into);
    const book = this.#books[0] as GeometryBook;
    const known = book.get(book.find(shape, into.BYTES_PER_ELEMENT, parts));
    this.#geometries[0] = known ?? book.add(geometryOf(shape, into.BYTES_PER_ELEMENT, parts));
    const schedule = this.#schedules.get(this.#geometries, 0, shape.length);
    const { sources } = placementOf(this.#placements, schedule);
    for (let i = 0; i < parts.length; i += 1) {
      const part = parts[i] as Part<Elements>;
      sources.arrays[i] = part.values;
      sources.offsets[i] = -part.begin;
    }
    this.#reducer.reduce(schedule, sources, 0, shape.length, into, 0);
    sources.arrays.fill(undefined);
    return control;
  }

  #reduce(shape: ReduceShape, parts: readonly Part<Elements>[], into: Elements, control: ControlWord): ControlWord {
    const { slabBytes } = this.#handle;
    const width = into.BYTES_PER_ELEMENT;
    let refusal: unknown;
    try {
      checkValues(this.rank, shape, parts, into);
    } catch (error) {
      refusal = error;
    }
    const own = (this.#books[this.rank] as GeometryBook).find(shape, width, parts);
    let holds = refusal === undefined ? 0 : -1;
    if (holds === 0 && own >= 0 && this.#write(parts, 0, shape.length, width)) holds = 1;
    const parity = this.#turn('allReduce', own >= 0 ? -1 - own : parts.length, control, holds);
    const decided = this.#header(0, parity, CONTROL_WORD) as ControlWord;
    let allHold = true;
    for (let rank = 0; rank < this.size; rank += 1) {
      const theirs = this.#header(rank, parity, HOLDS);
      if (theirs < 0) throw refusal ?? wrongTree(rank, 'its values are not what their description says');
      allHold &&= theirs === 1;
    }
    this.#learnGeometries(parity, own < 0 ? geometryOf(shape, width, parts) : undefined);
    if (
      shape.leaves === 0 &&
      parts.length === 0 &&
      this.#geometries.every((g) => g.leaves === 0 && g.count === 0 && g.length === shape.length)
    ) {
      into.fill(0);
      return decided;
    }
    const placement = placementOf(this.#placements, this.#schedules.get(this.#geometries, 0, shape.length));
    if (allHold) this.#addWindow(placement, 0, shape.length, parity, into);
    else
      for (let begin = 0; begin < shape.length; ) {
        const end = windowEnd(placement.schedule, begin, slabBytes);
        this.#write(parts, begin, end, width);
        this.#addWindow(placement, begin, end, this.#turn('allReduce', 0, control, 1), into);
        begin = end;
      }
    return decided;
  }

  /** Writes the own parts' elements in [begin, end); false when they do not fit. */
  #write(parts: readonly Part<Elements>[], begin: number, end: number, width: number): boolean {
    const bytes = writeParts(this.#slab(this.rank), parts, begin, end, width);
    if (bytes < 0) return false;
    this.#bytesSent += bytes;
    return true;
  }

  /** Fills #geometries with every rank's, after an exchange of those that are new. */
  #learnGeometries(parity: number, newOwn: Geometry | undefined): void {
    let anyNew = false;
    for (let rank = 0; rank < this.size; rank += 1) {
      const known = (this.#books[rank] as GeometryBook).get(-1 - this.#header(rank, parity, SIZE));
      if (known === undefined) anyNew = true;
      else this.#geometries[rank] = known;
    }
    if (!anyNew) return;
    const described = newOwn === undefined ? new Float64Array(0) : descriptionOf(newOwn);
    // Bytes of descriptions are bookkeeping, as headers are.
    const before = this.#bytesSent;
    const gathered = this.#gather('allReduce', new Uint8Array(described.buffer));
    this.#bytesSent = before;
    for (const [rank, bytes] of gathered.entries()) {
      if (bytes.length === 0) continue;
      this.#geometries[rank] = (this.#books[rank] as GeometryBook).add(describedGeometry(new Float64Array(bytes.buffer)));
    }
  }

  /** Adds the elements [begin, end) of all ranks' slabs, and brings the sums to every rank. */
  #addWindow(placement: Placement, begin: number, end: number, parity: number, into: Elements): void {
    place(placement, begin, end, this.#slabs, parity);
    const width = into.BYTES_PER_ELEMENT;
    const length = end - begin;
    if (length * width <= (this.size === 2 ? SMALL_BYTES_OF_TWO : SMALL_BYTES)) {
      this.#reducer.reduce(placement.schedule, placement.sources, begin, end, into, 0);
      return;
    }
    const first = segmentBegin(length, this.rank, this.size);
    const last = segmentBegin(length, this.rank + 1, this.size);
    const slab = this.#slab(this.rank);
    this.#reducer.reduce(
      placement.schedule,
      placement.sources,
      begin + first,
      begin + last,
      width === 8 ? slab.f64 : slab.f32,
      -begin - first,
    );
    this.#bytesSent += (last - first) * width;
    const results = this.#turn('allReduce', 0, 0, 1);
    for (let rank = 0; rank < this.size; rank += 1) {
      const from = segmentBegin(length, rank, this.size);
      const theirs = (this.#slabs[rank] as [Slab, Slab])[results] as Slab;
      copy(into, begin + from, width === 8 ? theirs.f64 : theirs.f32, 0, segmentBegin(length, rank + 1, this.size) - from);
    }
  }
}

/** Rank `rank`'s end of a group, in its own thread. Several groups side by side in one thread are independent. */
export function joinSharedCollective(handle: SharedHandle, rank: number): Collective {
  return new SharedCollective(handle, rank);
}
