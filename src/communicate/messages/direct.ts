import type { ParagradError } from '../../errors.ts';
import type { ControlWord, Elements } from '../collective.ts';
import { checkValues } from '../geometry.ts';
import { SMALL_BYTES, segmentBegin } from '../schedule.ts';
import { bytesOf, errorBody, type ReceivedParts } from './body.ts';
import { bodyOf, KIND } from './links.ts';
import {
  caught,
  cutOf,
  type Group,
  placeSums,
  type ReduceCall,
  ranksOf,
  receivedParts,
  releaseParts,
  sendParts,
  TreeAdder,
} from './reduction.ts';

/** Two ranks send as many bytes either way, so for them only the adding, which is done twice, counts against one latency. */
export const SMALL_BYTES_OF_TWO = 128 * 1024;

/**
 * All-reduce between peers. Up to SMALL_BYTES (two ranks: SMALL_BYTES_OF_TWO): every rank sends its nodes to all and adds everything by itself: one latency.
 * Above: direct reduce-scatter and all-gather: each rank adds one segment of the vector; it sends every other rank the nodes
 * of that one's segment, and then the sums of its own segment to all: two latencies.
 */
export function directOf(group: Group): (call: ReduceCall) => Promise<ControlWord> {
  const adder = new TreeAdder(ranksOf(group.size), group.adder);
  const { rank, size, links } = group;
  const smallBytes = size === 2 ? SMALL_BYTES_OF_TWO : SMALL_BYTES;
  return async (call) => {
    const { step, shape, parts, into } = call;
    const { length } = shape;
    const isSmall = length * into.BYTES_PER_ELEMENT <= smallBytes;
    const beginOf = (r: number): number => (isSmall ? 0 : segmentBegin(length, r, size));
    const endOf = (r: number): number => (isSmall ? length : segmentBegin(length, r + 1, size));
    group.enter(isSmall ? 'all-to-all' : 'reduce-scatter', step);
    const refused = caught(() => checkValues(rank, shape, parts, into));
    if (!isSmall && into.length === length)
      links.expectSums(step, (peer) => bytesOf(into.subarray(beginOf(peer), endOf(peer)) as Elements));
    const cut = (r: number): ReceivedParts => cutOf(call, beginOf(r), endOf(r));
    const sent = links.peers.map((peer) => sendParts(links, peer, step, refused ?? cut(peer)));
    const [answers] = await Promise.all([links.receive(links.peers, KIND.parts, step), ...sent]);
    if (refused !== undefined) throw refused;
    const received = receivedParts(group, answers, cut(rank));
    // What was refused until here was refused by all; a tree of one segment is wrong for its owner only, who must tell.
    const refusal = caught(() => adder.add(received, beginOf(rank), endOf(rank), into));
    releaseParts(group, answers);
    if (!isSmall) {
      group.enter('all-gather', step);
      await exchangeSums(group, call, refusal);
    }
    if (refusal !== undefined) throw refusal;
    return (received[0] as ReceivedParts).control;
  };
}

/** Brings the sums of every segment to every rank. @throws the refusal of the first rank that refused, or returns when it is this one's. */
async function exchangeSums({ rank, size, links }: Group, call: ReduceCall, refusal: ParagradError | undefined): Promise<void> {
  const { step, shape, into } = call;
  const beginOf = (r: number): number => segmentBegin(shape.length, r, size);
  const own = into.subarray(beginOf(rank), beginOf(rank + 1)) as Elements;
  const { peers } = links;
  const sent =
    refusal === undefined
      ? links.sendAll(KIND.sums, step, [bytesOf(own)], own.byteLength)
      : links.sendAll(KIND.refusal, step, [errorBody(refusal)], 0);
  const [answers] = await Promise.all([links.receive(peers, KIND.sums, step), sent]);
  if (refusal !== undefined) return;
  const bodies = peers.map((peer) => [peer, bodyOf(answers, peer)] as const);
  for (const [peer, body] of bodies) placeSums(peer, body, into, beginOf(peer), beginOf(peer + 1));
}
