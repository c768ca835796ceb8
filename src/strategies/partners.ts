import { permutation } from '../random.ts';
import type { PartnerRule, Topology } from './choice.ts';

/**
 * With whom a rank averages in a round of gossip: a matching of the topology's edges, the same for all ranks. A pure function, so
 * nobody has to ask: partner of partner is the rank itself. Undefined: it stays alone in this round.
 *
 * rotating: the topology's matchings one after the other, so that what one rank knows reaches all. random: one of them at random,
 * for `complete` a random pairing.
 */
export function partnerOf(
  topology: Topology,
  rule: PartnerRule,
  size: number,
  rank: number,
  round: number,
  seed: number,
): number | undefined {
  if (size < 2) return undefined;
  if (topology === 'complete') return rule === 'random' ? paired(size, rank, round, seed) : tournament(size, rank, round);
  const matchings = topology === 'ring' ? ringMatchings(size) : torusMatchings(size);
  const which = rule === 'random' ? permutation(seed, 'partner', round, matchings.length).at(0) : round % matchings.length;
  return matchings[which](rank);
}

/** Neighbours in a random order of all ranks. */
function paired(size: number, rank: number, round: number, seed: number): number | undefined {
  const order = permutation(seed, 'partner', round, size);
  const position = order.positionOf(rank);
  const other = position % 2 === 0 ? position + 1 : position - 1;
  return other < size ? order.at(other) : undefined;
}

/** The circle method: in n − 1 rounds (n odd: n rounds) everybody meets everybody once. */
function tournament(size: number, rank: number, round: number): number | undefined {
  const n = size % 2 === 0 ? size : size + 1;
  const turn = round % (n - 1);
  let other: number;
  if (rank === n - 1) other = turn;
  else if (rank === turn) other = n - 1;
  else other = (2 * turn - rank + 2 * (n - 1)) % (n - 1);
  // Who meets the one that is not there stays alone.
  return other < size ? other : undefined;
}

type Matching = (rank: number) => number | undefined;

/** Matchings that together are all edges of a ring: two of an even ring, three of an odd one. */
function ringMatchings(size: number): Matching[] {
  return cycleMatchings(
    size,
    (rank) => rank,
    (position) => position,
  );
}

/** Edges of a cycle of `length` positions, in two matchings; an odd cycle has a third, of its closing edge. */
function cycleMatchings(length: number, positionOf: (rank: number) => number, at: (position: number, rank: number) => number): Matching[] {
  if (length < 2) return [];
  const pair =
    (first: number): Matching =>
    (rank) => {
      const position = positionOf(rank);
      const other = (position - first) % 2 === 0 ? position + 1 : position - 1;
      if (length % 2 === 0) return at((other + length) % length, rank);
      return other >= first && other < length ? at(other, rank) : undefined;
    };
  if (length === 2) return [pair(0)];
  if (length % 2 === 0) return [pair(0), pair(1)];
  const closing: Matching = (rank) => {
    const position = positionOf(rank);
    if (position === 0) return at(length - 1, rank);
    return position === length - 1 ? at(0, rank) : undefined;
  };
  return [pair(0), pair(1), closing];
}

/** The grid of a torus is as square as the number of ranks allows; of a prime number it is a ring. */
function torusMatchings(size: number): Matching[] {
  let rows = 1;
  for (let r = 1; r * r <= size; r += 1) if (size % r === 0) rows = r;
  const columns = size / rows;
  const across = cycleMatchings(
    columns,
    (rank) => rank % columns,
    (position, rank) => rank - (rank % columns) + position,
  );
  const down = cycleMatchings(
    rows,
    (rank) => Math.floor(rank / columns),
    (position, rank) => position * columns + (rank % columns),
  );
  return [...across, ...down];
}
