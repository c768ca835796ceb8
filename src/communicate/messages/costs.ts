import type { NodeId } from '../../partition/tree.ts';
import type { Part, ReduceShape } from '../collective.ts';
import { foldPlanOf } from '../fold.ts';
import { geometryOf } from '../geometry.ts';
import { SMALL_BYTES, segmentBegin } from '../schedule.ts';
import type { Algorithm } from './collective.ts';
import { SMALL_BYTES_OF_TWO } from './direct.ts';
import { Grouping, type Range } from './grouping.ts';
import { ranksOf } from './reduction.ts';

/** What a rank sends in one all-reduce: messages, and bytes of values (docs/algorithms.md). */
export interface SendCosts {
  readonly messages: number;
  readonly bytes: number;
}

/** A node that a rank has of the elements [begin, end) of a vector. */
export interface NodeRange extends Range {
  readonly node: NodeId;
}

/**
 * What every rank sends, by rank, computed without sending.
 *
 * @param shape of the vector, in elements of `width` bytes
 * @param nodes of each rank, those that are not missing
 */
export function sendCosts(
  algorithm: Algorithm,
  reducers: number,
  shape: ReduceShape,
  width: 4 | 8,
  nodes: readonly (readonly NodeRange[])[],
): SendCosts[] {
  if (algorithm === 'hierarchical') return groupedCosts(shape, width, nodes);
  const { length } = shape;
  const size = nodes.length;
  const segment = (r: number, of: number): Range => ({ begin: segmentBegin(length, r, of), end: segmentBegin(length, r + 1, of) });
  const bytes = ({ begin, end }: Range): number => (end - begin) * width;
  const within = (own: readonly Range[], range: Range): number => width * elementsIn(own, range);
  return nodes.map((own, rank): SendCosts => {
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

/** Elements of nodes that lie in a range. */
function elementsIn(own: readonly Range[], { begin, end }: Range): number {
  return own.reduce((sum, range) => sum + Math.max(0, Math.min(range.end, end) - Math.max(range.begin, begin)), 0);
}

function groupedCosts({ length, leaves }: ReduceShape, width: 4 | 8, nodes: readonly (readonly NodeRange[])[]): SendCosts[] {
  const grouping = new Grouping(nodes.length);
  const isSmall = length * width <= SMALL_BYTES;
  const whole = { begin: 0, end: length };
  const sizeOf = ({ begin, end }: Range): number => end - begin;
  const sum = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0);
  /** By group: what the nodes of its ranks add up to. */
  const folded = ranksOf(grouping.count).map((group) => {
    const members = grouping.membersOf(group);
    const parts = (rank: number): Part[] => (nodes[rank] as readonly NodeRange[]).map((range) => ({ ...range, values: undefined }));
    const geometries = members.map((rank) => geometryOf({ length, leaves }, width, parts(rank)));
    return foldPlanOf(geometries, 0, length, members).folds;
  });
  return nodes.map((own, rank): SendCosts => {
    const group = grouping.groupOf(rank);
    const mates = grouping.membersOf(group).filter((member) => member !== rank);
    const takers = grouping.takersOf(rank);
    const ofGroup = folded[group] as readonly Range[];
    const messages = mates.length + takers.length;
    if (isSmall) return { messages, bytes: (mates.length * elementsIn(own, whole) + takers.length * elementsIn(ofGroup, whole)) * width };
    const pieceOf = (taker: number, by: number): Range => grouping.pieceOf(taker, by, length);
    const scattered =
      sum(mates.map((mate) => elementsIn(own, grouping.segmentOf(mate, length)))) +
      sum(takers.map((taker) => elementsIn(ofGroup, pieceOf(taker, grouping.groupOf(taker)))));
    const gathered = sum(takers.map((taker) => sizeOf(pieceOf(taker, group)))) + mates.length * sizeOf(grouping.segmentOf(rank, length));
    return { messages: 2 * messages, bytes: (scattered + gathered) * width };
  });
}
