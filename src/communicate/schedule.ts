import { assert } from '../errors.ts';
import { leavesOf, rootLevel } from '../partition/tree.ts';
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

interface Placed {
  readonly number: number;
  readonly rank: number;
  readonly begin: number;
  readonly end: number;
  readonly firstLeaf: number;
  readonly endLeaf: number;
}

/**
 * Checks that all ranks add the same vector over the same tree.
 *
 * @throws PARAGRAD_TREE
 */
export function checkShapes(geometries: readonly Geometry[]): void {
  const first = geometries[0] as Geometry;
  const say = (g: Geometry): string => `${g.length} elements of f${g.bytesPerElement * 8} over ${g.leaves} leaves`;
  for (const [rank, geometry] of geometries.entries()) {
    const { length, leaves, bytesPerElement } = geometry;
    if (length !== first.length || leaves !== first.leaves || bytesPerElement !== first.bytesPerElement)
      throw wrongTree(rank, `it adds ${say(geometry)}, but rank 0 ${say(first)}`);
  }
}

/** Checks each part by itself and returns those that have elements in [begin, end), by first leaf. */
function placedParts(geometries: readonly Geometry[], firstPart: Int32Array, begin: number, end: number): Placed[] {
  const placed: Placed[] = [];
  for (const [rank, { length, leaves, count, fields }] of geometries.entries()) {
    const root = rootLevel(leaves);
    for (let i = 0; i < count; i += 1) {
      const [level, index, from, to] = fields.subarray(i * FIELDS_PER_PART) as unknown as [number, number, number, number];
      const whole = [level, index, from, to].every((n) => Number.isSafeInteger(n) && n >= 0);
      const { begin: firstLeaf, end: endLeaf } = whole && level <= root ? leavesOf({ level, index }, leaves) : { begin: 0, end: 0 };
      if (firstLeaf >= endLeaf) throw wrongTree(rank, `node (${level}, ${index}) does not belong to this tree of ${leaves} leaves`);
      if (from > to || to > length) throw wrongTree(rank, `elements [${from}, ${to}) do not lie in this vector of ${length}`);
      const first = Math.max(from, begin);
      const last = Math.min(to, end);
      if (first < last) placed.push({ number: (firstPart[rank] as number) + i, rank, begin: first, end: last, firstLeaf, endLeaf });
    }
  }
  return placed.sort((a, b) => a.firstLeaf - b.firstLeaf);
}

/** Checks that `parts`, ascending by leaf, are every leaf once. */
function checkCover(parts: readonly Placed[], leaves: number, begin: number, end: number): void {
  let covered = 0;
  let previous: Placed | undefined;
  for (const part of parts) {
    const where = `leaves [${part.firstLeaf}, ${part.endLeaf}) of elements [${begin}, ${end})`;
    if (part.firstLeaf < covered) throw wrongTree(part.rank, `${where} came twice, also from rank ${previous?.rank}`);
    if (part.firstLeaf > covered) break;
    covered = part.endLeaf;
    previous = part;
  }
  if (covered < leaves)
    throw wrongTree(previous?.rank ?? 0, `incomplete tree: leaf ${covered} of ${leaves} came from no rank for elements [${begin}, ${end})`);
}

/** The program that adds an exact cover of the leaves in tree order. A child without leaves adds nothing. */
function programOf(parts: readonly Placed[], leaves: number): { program: Int32Array; depth: number } {
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
  if (leaves > 0) descend(rootLevel(leaves), 0, 0);
  return { program: Int32Array.from(program), depth };
}

/**
 * Checks the parts of all ranks on the elements [begin, end), and puts them in order. The same on every rank: a pure
 * function of the geometries, by rank.
 *
 * @throws PARAGRAD_TREE when shapes differ, a node or range is foreign, or a tree is incomplete or doubled.
 */
export function scheduleOf(geometries: readonly Geometry[], begin: number, end: number): Schedule {
  const firstPart = new Int32Array(geometries.length + 1);
  for (const [rank, geometry] of geometries.entries()) firstPart[rank + 1] = (firstPart[rank] as number) + geometry.count;
  checkShapes(geometries);
  const { leaves } = geometries[0] as Geometry;
  const placed = placedParts(geometries, firstPart, begin, end);
  const borders = [...new Set([begin, end, ...placed.flatMap((part) => [part.begin, part.end])])].sort((a, b) => a - b);
  const spans: Span[] = [];
  let depth = 0;
  for (let i = 0; i + 1 < borders.length; i += 1) {
    const from = borders[i] as number;
    const to = borders[i + 1] as number;
    const covering = placed.filter((part) => part.begin <= from && part.end >= to);
    checkCover(covering, leaves, from, to);
    const ordered = programOf(covering, leaves);
    const partsOfRank = new Int32Array(geometries.length);
    for (const part of covering) partsOfRank[part.rank] = (partsOfRank[part.rank] as number) + 1;
    depth = Math.max(depth, ordered.depth);
    spans.push({ begin: from, end: to, program: ordered.program, partsOfRank });
  }
  return { geometries, begin, end, spans, firstPart, depth };
}

/** Schedules that were made, by the geometries (as objects) and the range that they are of. */
export class ScheduleCache {
  readonly #kept: Schedule[] = [];
  #next = 0;
  #last = 0;

  /** Allocates nothing when there was a step like this one. @throws PARAGRAD_TREE */
  get(geometries: readonly Geometry[], begin: number, end: number): Schedule {
    const kept = this.#kept;
    for (let i = 0; i < kept.length; i += 1) {
      const at = (this.#last + i) % kept.length;
      const schedule = kept[at] as Schedule;
      if (schedule.begin !== begin || schedule.end !== end) continue;
      let same = true;
      for (let rank = 0; rank < geometries.length && same; rank += 1) same = schedule.geometries[rank] === geometries[rank];
      if (!same) continue;
      this.#last = at;
      return schedule;
    }
    const made = scheduleOf([...geometries], begin, end);
    kept[this.#next] = made;
    this.#last = this.#next;
    this.#next = (this.#next + 1) % GEOMETRIES_KEPT;
    return made;
  }
}

/** Elements of `length` that rank `rank` of `size` adds: [segmentBegin(rank), segmentBegin(rank + 1)). */
export function segmentBegin(length: number, rank: number, size: number): number {
  return Math.floor((length * rank) / size);
}

/** Vectors up to this size are added by every rank by itself: one latency instead of two. */
export const SMALL_BYTES = 4096;
