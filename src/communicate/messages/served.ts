import type { ParagradError } from '../../errors.ts';
import type { ControlWord, Elements } from '../collective.ts';
import { brokenChannel } from '../failures.ts';
import { checkValues } from '../geometry.ts';
import { segmentBegin } from '../schedule.ts';
import { bytesOf, elementsOf, errorBody, type ReceivedParts } from './body.ts';
import { type Answer, bodyOf, KIND } from './links.ts';
import { caught, cutOf, type Group, type ReduceCall, ranksOf, receivedParts, releaseParts, sendParts, TreeAdder } from './reduction.ts';

/** Before the sums of a segment: rank 0's control word, as f64. */
const CONTROL_BYTES = 8;

/**
 * All-reduce by client and server: ranks 0 … R − 1 are reducers. Each rank has its tree nodes (map), sends every reducer its
 * segment of them (shuffle), the reducers add in tree order (reduce), and send the sums to all (broadcast). What a reducer
 * finds wrong, or is told, it passes on instead of sums, so that all ranks refuse the same call.
 */
export function servedOf(group: Group, reducers: number): (call: ReduceCall) => Promise<ControlWord> {
  const adder = new TreeAdder(ranksOf(group.size), group.adder);
  const { rank, links } = group;
  const servers = links.peers.filter((peer) => peer < reducers);
  const isReducer = rank < reducers;
  return async (call) => {
    const { step, shape, parts, into } = call;
    const beginOf = (r: number): number => segmentBegin(shape.length, r, reducers);
    const cut = (r: number): ReceivedParts => cutOf(call, beginOf(r), beginOf(r + 1));
    group.enter('shuffle', step);
    let refusal = caught(() => checkValues(rank, shape, parts, into));
    const shuffled = servers.map((peer) => sendParts(links, peer, step, refusal ?? cut(peer)));
    const nothing: Promise<Map<number, Answer>> = Promise.resolve(new Map());
    const [came] = await Promise.all([isReducer ? links.receive(links.peers, KIND.parts, step) : nothing, ...shuffled]);
    let { control } = call;
    if (isReducer) {
      group.enter('reduce', step);
      refusal ??= caught(() => {
        const received = receivedParts(group, came, cut(rank));
        control = (received[0] as ReceivedParts).control;
        adder.add(received, beginOf(rank), beginOf(rank + 1), into);
      });
      releaseParts(group, came);
    }
    group.enter('broadcast', step);
    const segment = into.subarray(beginOf(rank), beginOf(rank + 1)) as Elements;
    const told = isReducer ? sendSums(group, step, control, segment, refusal) : Promise.resolve();
    const [sums] = await Promise.all([links.receive(servers, KIND.sums, step, 2), told]);
    if (refusal !== undefined) throw refusal;
    for (const server of servers) {
      const begin = beginOf(server);
      control = takeSums(bodyOf(sums, server), server, into.subarray(begin, beginOf(server + 1)) as Elements);
    }
    return control;
  };
}

function sendSums({ links }: Group, step: number, control: ControlWord, sums: Elements, refusal: ParagradError | undefined): Promise<void> {
  if (refusal !== undefined) return links.sendAll(KIND.refusal, step, [errorBody(refusal)], 0);
  return links.sendAll(KIND.sums, step, [bytesOf(Float64Array.of(control)), bytesOf(sums)], sums.byteLength);
}

/** Puts a reducer's sums into their place; returns the control word that came with them. */
function takeSums(body: Uint8Array, server: number, into: Elements): ControlWord {
  const bytes = CONTROL_BYTES + into.byteLength;
  if (body.length !== bytes) throw brokenChannel(server, `${body.length} bytes of sums came, not ${bytes}`);
  into.set(elementsOf(body, CONTROL_BYTES, into.length, into.BYTES_PER_ELEMENT));
  return elementsOf(body, 0, 1, 8)[0] as ControlWord;
}
