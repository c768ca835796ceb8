import { assert } from '../errors.ts';
import { leavesOf, type NodeId, rootLevel } from '../partition/tree.ts';
import { wrongTree } from './failures.ts';
import { FIELDS_PER_PART, GEOMETRIES_KEPT, type Geometry } from './geometry.ts';

/**
 * In which order the parts of all ranks are added. Parts are numbered through: rank 0's first, in their own order.
 *
 * A *span* is a range of elements that the same parts cover; its *program* adds them in tree order (docs/numerics.md §5)
 * on a stack: a number ≥ 0 pushes that part, ADD replaces the two topmost by their sum.
 */
export const ADD = -1;

export interface Span {
  readonly begin: number;
  readonly end: number;
  readonly program: Int32Array;
  /** Parts of each rank in this span. */
  readonly partsOfRank: Int32Array;
}

export interface Schedule {
  readonly geometries: readonly Geometry[];
  /** The range of elements that was checked and is scheduled. */
  readonly begin: number;
  readonly end: number;
  readonly spans: readonly Span[];
  /** Number of rank r's first part; at [size] the number of parts of all. */
  readonly firstPart: Int32Array;
  /** Operands that a program holds at once, at most. */
  readonly depth: number;
}

export interface Placed {
  readonly number: number;
  /** Its place among the geometries, and its number in the group. */
  readonly at: number;
  readonly rank: number;
  readonly begin: number;
  readonly end: number;
  readonly firstLeaf: number;
  readonly endLeaf: number;
}

/**
 * Checks that all ranks add the same vector over the same tree.
 *
 * @param ranks whose geometries they are; default: 0, 1, …
 * @throws PARAGRAD_TREE
 */
export function checkShapes(geometries: readonly Geometry[], ranks: readonly number[] = [...geometries.keys()]): void {
  const first = geometries[0] as Geometry;
  const say = (g: Geometry): string => `${g.length} elements of f${g.bytesPerElement * 8} over ${g.leaves} leaves`;
  for (const [at, geometry] of geometries.entries()) {
    const { length, leaves, bytesPerElement } = geometry;
    if (length !== first.length || leaves !== first.leaves || bytesPerElement !== first.bytesPerElement)
      throw wrongTree(ranks[at] as number, `it adds ${say(geometry)}, but rank ${ranks[0]} ${say(first)}`);
  }
}

/** Number of each geometry's first part; behind them the number of parts of all. */
export function firstPartsOf(geometries: readonly Geometry[]): Int32Array {
  const firstPart = new Int32Array(geometries.length + 1);
  for (const [at, { count }] of geometries.entries()) firstPart[at + 1] = (firstPart[at] as number) + count;
  return firstPart;
}

/** Checks each part by itself and returns those that have elements in [begin, end), by first leaf. */
export function placedParts(
  geometries: readonly Geometry[],
  ranks: readonly number[],
  firstPart: Int32Array,
  begin: number,
  end: number,
): Placed[] {
  const placed: Placed[] = [];
  for (const [at, { length, leaves, count, fields }] of geometries.entries()) {
    const root = rootLevel(leaves);
    const rank = ranks[at] as number;
    for (let i = 0; i < count; i += 1) {
      const [level, index, from, to] = fields.subarray(i * FIELDS_PER_PART) as unknown as [number, number, number, number];
      const whole = [level, index, from, to].every((n) => Number.isSafeInteger(n) && n >= 0);
      const { begin: firstLeaf, end: endLeaf } = whole && level <= root ? leavesOf({ level, index }, leaves) : { begin: 0, end: 0 };
      if (firstLeaf >= endLeaf) throw wrongTree(rank, `node (${level}, ${index}) does not belong to this tree of ${leaves} leaves`);
      if (from > to || to > length) throw wrongTree(rank, `elements [${from}, ${to}) do not lie in this vector of ${length}`);
      const first = Math.max(from, begin);
      const last = Math.min(to, end);
      if (first < last) placed.push({ number: (firstPart[at] as number) + i, at, rank, begin: first, end: last, firstLeaf, endLeaf });
    }
  }
  return placed.sort((a, b) => a.firstLeaf - b.firstLeaf);
}

/** Borders of the ranges of elements that the same parts cover. */
export function bordersOf(placed: readonly Placed[], begin: number, end: number): number[] {
  return [...new Set([begin, end, ...placed.flatMap((part) => [part.begin, part.end])])].sort((a, b) => a - b);
}

/** Checks that no leaf is in two of `parts`, ascending by leaf. */
export function checkOnce(parts: readonly Placed[], begin: number, end: number): void {
  for (const [i, part] of parts.entries()) {
    const previous = parts[i - 1];
    if (previous === undefined || part.firstLeaf >= previous.endLeaf) continue;
    const where = `leaves [${part.firstLeaf}, ${part.endLeaf}) of elements [${begin}, ${end})`;
    throw wrongTree(part.rank, `${where} came twice, also from rank ${previous.rank}`);
  }
}

/** Checks that `parts`, ascending by leaf, are every leaf once. */
function checkCover(parts: readonly Placed[], leaves: number, begin: number, end: number): void {
  checkOnce(parts, begin, end);
  let covered = 0;
  let previous: Placed | undefined;
  for (const part of parts) {
    if (part.firstLeaf > covered) break;
    covered = part.endLeaf;
    previous = part;
  }
  if (covered < leaves)
    throw wrongTree(previous?.rank ?? 0, `incomplete tree: leaf ${covered} of ${leaves} came from no rank for elements [${begin}, ${end})`);
}

/** The program that adds an exact cover of the leaves of `root` in tree order. A child without leaves adds nothing. */
export function programOf(parts: readonly Placed[], leaves: number, root: NodeId): { program: Int32Array; depth: number } {
  const program: number[] = [];
  let next = 0;
  let depth = 0;
  const descend = (level: number, index: number, held: number): void => {
    const { begin, end } = leavesOf({ level, index }, leaves);
    const part = parts[next] as Placed;
    if (part.firstLeaf === begin && part.endLeaf === end) {
      program.push(part.number);
      next += 1;
      depth = Math.max(depth, held + 1);
      return;
    }
    assert(level > 0, 'tree nodes that overlap were not refused');
    descend(level - 1, index * 2, held);
    if (leavesOf({ level: level - 1, index: index * 2 + 1 }, leaves).begin >= end) return;
    descend(level - 1, index * 2 + 1, held + 1);
    program.push(ADD);
  };
  if (leaves > 0) descend(root.level, root.index, 0);
  return { program: Int32Array.from(program), depth };
}

/**
 * Checks the parts of all ranks on the elements [begin, end), and puts them in order. The same on every rank: a pure
 * function of the geometries, by rank.
 *
 * @param ranks whose geometries they are; default: 0, 1, …
 * @throws PARAGRAD_TREE when shapes differ, a node or range is foreign, or a tree is incomplete or doubled.
 */
export function scheduleOf(
  geometries: readonly Geometry[],
  begin: number,
  end: number,
  ranks: readonly number[] = [...geometries.keys()],
): Schedule {
  const firstPart = firstPartsOf(geometries);
  checkShapes(geometries, ranks);
  const { leaves } = geometries[0] as Geometry;
  const placed = placedParts(geometries, ranks, firstPart, begin, end);
  const borders = bordersOf(placed, begin, end);
  const spans: Span[] = [];
  let depth = 0;
  for (let i = 0; i + 1 < borders.length; i += 1) {
    const from = borders[i] as number;
    const to = borders[i + 1] as number;
    const covering = placed.filter((part) => part.begin <= from && part.end >= to);
    checkCover(covering, leaves, from, to);
    const ordered = programOf(covering, leaves, { level: rootLevel(leaves), index: 0 });
    const partsOfRank = new Int32Array(geometries.length);
    for (const { at } of covering) partsOfRank[at] = (partsOfRank[at] as number) + 1;
    depth = Math.max(depth, ordered.depth);
    spans.push({ begin: from, end: to, program: ordered.program, partsOfRank });
  }
  return { geometries, begin, end, spans, firstPart, depth };
}

/** What is made of the geometries of some ranks, on a range of elements. */
interface Made {
  readonly geometries: readonly Geometry[];
  readonly begin: number;
  readonly end: number;
}

/** What was made, by the geometries (as objects) and the range that it is of. */
export class GeometryCache<S extends Made> {
  readonly #make: (geometries: readonly Geometry[], begin: number, end: number) => S;
  readonly #kept: S[] = [];
  #next = 0;
  #last = 0;

  constructor(make: (geometries: readonly Geometry[], begin: number, end: number) => S) {
    this.#make = make;
  }

  /** Allocates nothing when there was a step like this one. @throws PARAGRAD_TREE */
  get(geometries: readonly Geometry[], begin: number, end: number): S {
    const kept = this.#kept;
    for (let i = 0; i < kept.length; i += 1) {
      const at = (this.#last + i) % kept.length;
      const schedule = kept[at] as S;
      if (schedule.begin !== begin || schedule.end !== end) continue;
      let same = true;
      for (let rank = 0; rank < geometries.length && same; rank += 1) same = schedule.geometries[rank] === geometries[rank];
      if (!same) continue;
      this.#last = at;
      return schedule;
    }
    const made = this.#make([...geometries], begin, end);
    kept[this.#next] = made;
    this.#last = this.#next;
    this.#next = (this.#next + 1) % GEOMETRIES_KEPT;
    return made;
  }
}

export class ScheduleCache extends GeometryCache<Schedule> {
  /** `ranks`: whose geometries they are; default: 0, 1, … */
  constructor(ranks?: readonly number[]) {
    super((geometries, begin, end) => scheduleOf(geometries, begin, end, ranks));
  }
}

/** Elements of `length` that rank `rank` of `size` adds: [segmentBegin(rank), segmentBegin(rank + 1)). */
export function segmentBegin(length: number, rank: number, size: number): number {
  return Math.floor((length * rank) / size);
}

/** Vectors up to this size are added by every rank by itself: one latency instead of two. */
export const SMALL_BYTES = 4096;
