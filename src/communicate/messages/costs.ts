import { SMALL_BYTES, segmentBegin } from '../schedule.ts';
import type { Algorithm } from './collective.ts';
import { SMALL_BYTES_OF_TWO } from './direct.ts';

/** What a rank sends in one all-reduce: messages, and bytes of values (docs/algorithms.md). */
export interface SendCosts {
  readonly messages: number;
  readonly bytes: number;
}

/** Elements [begin, end) of a vector that a rank has a node of; several nodes are several ranges. */
export interface Range {
  readonly begin: number;
  readonly end: number;
}

/**
 * What every rank sends, by rank, computed without sending: `ranges` are those of each rank's nodes that are not missing.
 *
 * @param length of the vector, in elements of `width` bytes
 */
export function sendCosts(
  algorithm: Algorithm,
  reducers: number,
  length: number,
  width: 4 | 8,
  ranges: readonly (readonly Range[])[],
): SendCosts[] {
  const size = ranges.length;
  const segment = (r: number, of: number): Range => ({ begin: segmentBegin(length, r, of), end: segmentBegin(length, r + 1, of) });
  const bytes = ({ begin, end }: Range): number => (end - begin) * width;
  /** Of the rank's nodes, those elements that lie in a range. */
  const within = (own: readonly Range[], { begin, end }: Range): number =>
    own.reduce((sum, range) => sum + Math.max(0, Math.min(range.end, end) - Math.max(range.begin, begin)) * width, 0);
  return ranges.map((own, rank): SendCosts => {
    const peers = Array.from({ length: size }, (_, peer) => peer).filter((peer) => peer !== rank);
    if (algorithm === 'ring') {
      const turns = Array.from({ length: 2 * (size - 1) }, (_, turn) => segment((rank - turn + 2 * size) % size, size));
      return { messages: turns.length, bytes: turns.reduce((sum, range) => sum + bytes(range), 0) };
    }
    if (algorithm === 'client-server') {
      const servers = peers.filter((peer) => peer < reducers);
      const shuffled = servers.reduce((sum, server) => sum + within(own, segment(server, reducers)), 0);
      const clients = rank < reducers ? peers.length : 0;
      return { messages: servers.length + clients, bytes: shuffled + (clients === 0 ? 0 : clients * bytes(segment(rank, reducers))) };
    }
    if (length * width <= (size === 2 ? SMALL_BYTES_OF_TWO : SMALL_BYTES))
      return { messages: peers.length, bytes: peers.length * within(own, { begin: 0, end: length }) };
    const scattered = peers.reduce((sum, peer) => sum + within(own, segment(peer, size)), 0);
    return { messages: 2 * peers.length, bytes: scattered + peers.length * bytes(segment(rank, size)) };
  });
}
