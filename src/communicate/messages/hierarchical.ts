import type { ParagradError } from '../../errors.ts';
import type { ControlWord, Elements, Part } from '../collective.ts';
import { checkValues } from '../geometry.ts';
import { SMALL_BYTES } from '../schedule.ts';
import { bytesOf, cutParts, errorBody, type ReceivedParts } from './body.ts';
import type { Grouping, Range } from './grouping.ts';
import { bodyOf, KIND, type Links, swap } from './links.ts';
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
  TreeFolder,
} from './reduction.ts';

/**
 * All-reduce in groups of neighbours, for many ranks: P ranks in about √P groups have about P·√P connections, not P²/2. Ranks own leaves
 * in their order, so a group's nodes add up to few, and what it adds is what the tree has there: the same bits as without groups.
 *
 * Up to SMALL_BYTES: every rank has the nodes of its group, adds them as far as they go, and gets those of the other groups from one
 * rank of each: two latencies. Above: within a group each rank adds the segment of its place, then ranks of one place exchange pieces
 * of it across the groups; sums go back the same way: four latencies, and as many bytes as direct, which nobody carries for others.
 */
export function hierarchicalOf(group: Group, grouping: Grouping): (call: ReduceCall) => Promise<ControlWord> {
  const { rank, links } = group;
  const own = grouping.groupOf(rank);
  const members = grouping.membersOf(own);
  const mates = members.filter((member) => member !== rank);
  /** By group: who has its nodes for this rank; its own group: itself. */
  const sources = ranksOf(grouping.count).map((other) => grouping.sourceOf(rank, other));
  const others = sources.filter((source) => source !== rank);
  const takers = grouping.takersOf(rank);
  const folder = new TreeFolder(members, group.adder);
  const adder = new TreeAdder(sources, group.adder);
  const viewOf = ({ into }: ReduceCall, { begin, end }: Range): Elements => into.subarray(begin, end) as Elements;

  /** Brings the sums of every piece to every rank: across the groups, then within. Returns what anybody refused. */
  async function bringSums(call: ReduceCall, refused: ParagradError | undefined): Promise<ParagradError | undefined> {
    const { step, into } = call;
    const { length } = into;
    let refusal = refused;
    group.enter('all-gather', step);
    const pieces = await swap(links, takers, others, KIND.sums, 3, step, (taker) =>
      sendSums(links, taker, step, viewOf(call, grouping.pieceOf(taker, own, length)), refusal),
    );
    refusal ??= caught(() => {
      for (const source of others) {
        const { begin, end } = grouping.pieceOf(rank, grouping.groupOf(source), length);
        placeSums(source, bodyOf(pieces, source), into, begin, end);
      }
    });
    const segment = viewOf(call, grouping.segmentOf(rank, length));
    const segments = await swap(links, mates, mates, KIND.sums, 4, step, (mate) => sendSums(links, mate, step, segment, refusal));
    refusal ??= caught(() => {
      for (const mate of mates) {
        const { begin, end } = grouping.segmentOf(mate, length);
        placeSums(mate, bodyOf(segments, mate), into, begin, end);
      }
    });
    return refusal;
  }

  return async (call) => {
    const { step, shape, parts, into } = call;
    const { length } = shape;
    const width = into.BYTES_PER_ELEMENT;
    const isSmall = length * width <= SMALL_BYTES;
    const whole = { begin: 0, end: length };
    const segmentOf = (of: number) => (isSmall ? whole : grouping.segmentOf(of, length));
    const pieceOf = (of: number, by: number) => (isSmall ? whole : grouping.pieceOf(of, by, length));
    const segment = segmentOf(rank);
    const piece = pieceOf(rank, own);
    group.enter(isSmall ? 'all-to-all' : 'reduce-scatter', step);
    let { control } = call;
    let refusal = caught(() => checkValues(rank, shape, parts, into));
    if (!isSmall && into.length === length)
      links.expectSums(step, (peer) => {
        const from = grouping.groupOf(peer);
        return bytesOf(viewOf(call, from === own ? segmentOf(peer) : pieceOf(rank, from)));
      });

    const cut = (of: number): ReceivedParts => cutOf(call, segmentOf(of).begin, segmentOf(of).end);
    const gathered = await swap(links, mates, mates, KIND.parts, 1, step, (mate) => sendParts(links, mate, step, refusal ?? cut(mate)));
    let nodes: Part<Elements>[] = [];
    refusal ??= caught(() => {
      const received = receivedParts(group, gathered, cut(rank), members);
      control = (received[0] as ReceivedParts).control;
      nodes = folder.fold(received, segment.begin, segment.end, width);
    });

    // Of group 0 the control word is rank 0's, and all take it from there.
    const cutNodes = ({ begin, end }: Range): ReceivedParts => cutParts(shape, width, nodes, control, begin, end);
    const crossed = await swap(links, takers, others, KIND.parts, 2, step, (taker) =>
      sendParts(links, taker, step, refusal ?? cutNodes(pieceOf(taker, grouping.groupOf(taker)))),
    );
    let all: readonly ReceivedParts[] = [];
    refusal ??= caught(() => {
      all = receivedParts(group, crossed, cutNodes(piece), sources);
      control = (all[0] as ReceivedParts).control;
    });
    // What was refused until here is known to all: from a rank, or from its whole group. A wrong tree may be wrong in one piece only.
    const wrong = refusal ?? caught(() => adder.add(all, piece.begin, piece.end, into));
    for (const answers of [gathered, crossed]) releaseParts(group, answers);
    if (refusal !== undefined) throw refusal;
    const told = isSmall ? wrong : await bringSums(call, wrong);
    if (told !== undefined) throw told;
    return control;
  };
}

function sendSums(links: Links, peer: number, step: number, sums: Elements, refusal: ParagradError | undefined): Promise<void> {
  if (refusal !== undefined) return links.send(peer, KIND.refusal, step, [errorBody(refusal)], 0);
  return links.send(peer, KIND.sums, step, [bytesOf(sums)], sums.byteLength);
}
