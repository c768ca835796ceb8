import { segmentBegin } from '../schedule.ts';

/** Elements [begin, end) of a vector. */
export interface Range {
  readonly begin: number;
  readonly end: number;
}

/**
 * How many groups for so many ranks: the power of two that is nearest to √size. Leaves are cut evenly, so borders of groups then are
 * borders of subtrees where they can be, and a group's nodes add up to few.
 */
export function groupCount(size: number): number {
  let count = 1;
  while (size >= 2 * count * count) count *= 2;
  return count;
}

/**
 * Ranks in groups of neighbours, as even as can be, for an all-reduce in two stages (hierarchical.ts). A rank has a *place* in its
 * group. It speaks to its group, and to one rank in each other group: the one of its place, or, where that group is smaller by one,
 * the last. So the ranks of one place are a group, too, across the others.
 *
 * Each place has a segment of the vector, as many as the smallest group has places; each group a piece of every segment.
 */
export class Grouping {
  readonly size: number;
  readonly count: number;

  constructor(size: number, count = groupCount(size)) {
    this.size = size;
    this.count = Math.min(size, count);
  }

  #first(group: number): number {
    return segmentBegin(this.size, group, this.count);
  }

  groupOf(rank: number): number {
    return Math.floor(((rank + 1) * this.count - 1) / this.size);
  }

  membersOf(group: number): number[] {
    const first = this.#first(group);
    return Array.from({ length: this.#first(group + 1) - first }, (_, place) => first + place);
  }

  #place(rank: number): number {
    return rank - this.#first(this.groupOf(rank));
  }

  /** From whom `rank` hears what a group has; of its own group, itself. */
  sourceOf(rank: number, group: number): number {
    return Math.min(this.#first(group) + this.#place(rank), this.#first(group + 1) - 1);
  }

  /** Who hears from `rank` what its group has. */
  takersOf(rank: number): number[] {
    const own = this.groupOf(rank);
    const others = Array.from({ length: this.count }, (_, group) => group).filter((group) => group !== own);
    return others.flatMap((group) => this.membersOf(group).filter((other) => this.sourceOf(other, own) === rank));
  }

  areConnected(a: number, b: number): boolean {
    const [of, other] = [this.groupOf(a), this.groupOf(b)];
    return a !== b && (of === other || this.sourceOf(a, other) === b || this.sourceOf(b, of) === a);
  }

  /** What the ranks of a place add: nothing for the last place of a larger group. */
  segmentOf(rank: number, length: number): Range {
    const segments = Math.floor(this.size / this.count);
    const place = this.#place(rank);
    return {
      begin: segmentBegin(length, Math.min(place, segments), segments),
      end: segmentBegin(length, Math.min(place + 1, segments), segments),
    };
  }

  /** What `group` adds of the segment of a rank's place. */
  pieceOf(rank: number, group: number, length: number): Range {
    const { begin, end } = this.segmentOf(rank, length);
    return { begin: begin + segmentBegin(end - begin, group, this.count), end: begin + segmentBegin(end - begin, group + 1, this.count) };
  }
}
