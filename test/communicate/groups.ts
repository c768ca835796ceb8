import { coverOf } from '../../src/partition/tree.ts';
import { type Case, evenBorders, sumOf } from './trees.ts';

/** What a rank sends in a hierarchical all-reduce (docs/algorithms.md). */
export interface GroupedCosts {
  readonly messages: number;
  readonly bytes: number;
}

/** The groups of P ranks: 1 of 1, 2 of up to 7, 4 of up to 31, 8 of up to 127, …. */
export function groupsOf(size: number, groups?: number): number[][] {
  const count = groups ?? [1, 2, 8, 32, 128, 512].findLastIndex((from) => size >= from);
  const borders = evenBorders(size, Math.min(size, groups === undefined ? 2 ** count : count));
  return borders.slice(1).map((end, g) => Array.from({ length: end - (borders[g] as number) }, (_, i) => (borders[g] as number) + i));
}

/** Whom a rank waits for: its group, and in each other group the one of its place, or the last. */
export function hearsFrom(size: number, rank: number, groupCount?: number): number[] {
  const groups = groupsOf(size, groupCount);
  const own = groups.find((group) => group.includes(rank)) as number[];
  const place = own.indexOf(rank);
  return groups.flatMap((group) => (group === own ? own.filter((r) => r !== rank) : [group[Math.min(place, group.length - 1)] as number]));
}

/** By the formulas, for a case that is split by rows. */
export function groupedCosts(c: Case, groupCount?: number): GroupedCosts[] {
  const { length, width, leaves, leafBorders } = c;
  const size = leafBorders.length - 1;
  const groups = groupsOf(size, groupCount);
  const isSmall = length * width <= 4096;
  const segments = Math.min(...groups.map((group) => group.length));
  const segmentBorders = evenBorders(length, segments);
  const segment = (place: number): number =>
    place < segments ? (segmentBorders[place + 1] as number) - (segmentBorders[place] as number) : 0;
  const piece = (place: number, g: number): number => {
    const borders = evenBorders(segment(place), groups.length);
    return (borders[g + 1] as number) - (borders[g] as number);
  };
  const nodesIn = (begin: number, end: number): number =>
    coverOf(begin, end, leaves).filter((node) => sumOf(c, node, 0, Math.min(1, length)) !== undefined).length;
  return groups.flatMap((group, g) =>
    group.map((rank, place): GroupedCosts => {
      const own = nodesIn(leafBorders[rank] as number, leafBorders[rank + 1] as number);
      const folded = nodesIn(leafBorders[group[0] as number] as number, leafBorders[(group.at(-1) as number) + 1] as number);
      const mates = [...group.keys()].filter((other) => other !== place);
      // To the same place of each other group; the last of a group also to the place behind it in a larger one.
      const takers = groups.flatMap((other, h) =>
        h === g
          ? []
          : [...other.keys()].filter((at) => at === place || (place === group.length - 1 && at > place)).map((at) => ({ at, h })),
      );
      const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
      const messages = (isSmall ? 1 : 2) * (mates.length + takers.length);
      const small = (mates.length * own + takers.length * folded) * length;
      const scattered = own * sum(mates.map(segment)) + folded * sum(takers.map(({ at, h }) => piece(at, h)));
      const gathered = sum(takers.map(({ at }) => piece(at, g))) + mates.length * segment(place);
      return { messages, bytes: (isSmall ? small : scattered + gathered) * width };
    }),
  );
}
