import { type Backups, Stragglers } from '../backups.ts';
import type { Message } from '../channel.ts';
import type { ControlWord, Elements } from '../collective.ts';
import { brokenChannel, outOfStep, timedOut } from '../failures.ts';
import { checkValues } from '../geometry.ts';
import { bytesOf, elementsOf, errorBody, partsBody, type ReceivedParts, readError, readParts } from './body.ts';
import { bodyOf, KIND } from './links.ts';
import { caught, cutOf, type Group, type ReduceCall, ranksOf, receivedFrom, sendParts, TreeAdder } from './reduction.ts';

/** Sums that rank 0 may be ahead of what a rank has taken. */
const AHEAD = 8;

/**
 * All-reduce through rank 0, with backups (backups.ts): rank 0 waits for the nodes of every worker, and takes them from the worker or
 * from a backup, whoever is first; what comes later is dropped. A rank that is behind finds the sum and sends nothing.
 */
export function backedOf(group: Group, backups: Backups): (call: ReduceCall) => Promise<ControlWord> {
  return group.rank === 0 ? adderOf(group, backups) : senderOf(group, backups);
}

/** Rank 0. */
function adderOf({ rank, size, links, enter, adder: fast }: Group, backups: Backups): (call: ReduceCall) => Promise<ControlWord> {
  const { workers } = backups;
  const adder = new TreeAdder(ranksOf(workers), fast);
  const stragglers = new Stragglers(backups, performance.now());
  /** By peer: messages that the system has not taken yet. */
  const sending: Promise<void>[][] = Array.from({ length: size }, () => []);
  const tellAll = async (
    kind: typeof KIND.sums | typeof KIND.refusal,
    step: number,
    pieces: Uint8Array[],
    bytes: number,
  ): Promise<void> => {
    for (const peer of links.peers) {
      const queue = sending[peer] as Promise<void>[];
      // A slow rank is not waited for, and does not fill the memory either.
      while (queue.length >= AHEAD) await queue[0];
      const sent = links.send(peer, kind, step, pieces, bytes);
      queue.push(sent);
      const forget = (): void => void queue.splice(queue.indexOf(sent), 1);
      // Who cannot be reached shows where its answer is waited for.
      sent.then(forget, forget);
    }
  };
  return async (call) => {
    const { step, shape, parts, into } = call;
    const began = performance.now();
    enter('shuffle', step);
    let refusal = caught(() => checkValues(rank, shape, parts, into));
    const came = new Map<number, ReceivedParts>();
    const winners = new Set<number>();
    let last: { rank: number; ms: number } | undefined;
    let lastAt = began;
    const take = (peer: number, message: Message): void => {
      if (message.kind === KIND.refusal) {
        refusal ??= readError(message.body);
        return;
      }
      const owner = message.kind === KIND.backup ? (elementsOf(message.body, 0, 1, 8)[0] as number) : peer;
      if (came.has(owner)) return;
      const read = readParts(message.kind === KIND.backup ? message.body.subarray(8) : message.body);
      if (read === undefined) throw brokenChannel(peer, 'parts of an all-reduce are malformed');
      came.set(owner, read);
      if (owner !== peer) winners.add(owner);
      const now = performance.now();
      last = { rank: owner, ms: now - lastAt };
      lastAt = now;
    };
    while (came.size < workers - 1 && refusal === undefined) {
      const message = await links.first(step, links.peers, (peer) => peer >= workers || !came.has(peer));
      if (message === undefined) {
        const late = links.peers.filter((peer) => peer < workers && !came.has(peer));
        throw timedOut(late, step, links.timeoutMs);
      }
      const { peer } = message;
      const isParts = message.kind === KIND.parts || message.kind === KIND.backup || message.kind === KIND.refusal;
      if (message.generation === links.generation && message.step < step && isParts) continue;
      if (message.generation !== links.generation || message.step !== step || !isParts)
        throw outOfStep(
          peer,
          { generation: message.generation, step: message.step, operation: `kind ${message.kind}` },
          { generation: links.generation, step, operation: 'allReduce' },
        );
      take(peer, message);
    }
    enter('reduce', step);
    refusal ??= caught(() => {
      const own = cutOf(call, 0, shape.length);
      adder.add(
        receivedFrom(ranksOf(workers), (worker) => (worker === rank ? own : (came.get(worker) as ReceivedParts))),
        0,
        shape.length,
        into,
      );
    });
    stragglers.see(last, winners, performance.now());
    backups.countSum(winners);
    enter('broadcast', step);
    if (refusal !== undefined) {
      await tellAll(KIND.refusal, step, [errorBody(refusal)], 0);
      throw refusal;
    }
    // A copy: the vector is the caller's again before all have taken it.
    const head = Float64Array.of(call.control, ...backups.targets);
    await tellAll(KIND.sums, step, [bytesOf(head), bytesOf(into).slice()], into.byteLength);
    return call.control;
  };
}

/** Workers and backups. */
function senderOf({ rank, links, enter }: Group, backups: Backups): (call: ReduceCall) => Promise<ControlWord> {
  return async (call) => {
    const { step, shape, parts, into } = call;
    enter('shuffle', step);
    const refused = caught(() => checkValues(rank, shape, parts, into));
    const isReduced = await links.arrives(0, step, KIND.sums);
    if (!isReduced && rank < backups.workers) await sendParts(links, 0, step, refused ?? cutOf(call, 0, shape.length));
    else if (!isReduced && backups.as !== undefined && refused === undefined) {
      const { pieces, valueBytes } = partsBody(cutOf(call, 0, shape.length));
      await links.send(0, KIND.backup, step, [bytesOf(Float64Array.of(backups.as)), ...pieces], valueBytes);
    }
    enter('broadcast', step);
    // Rank 0 waits for the last of the others.
    const body = bodyOf(await links.receive([0], KIND.sums, step, 2), 0);
    const headBytes = 8 * (1 + backups.count);
    if (body.length !== headBytes + into.byteLength)
      throw brokenChannel(0, `${body.length} bytes of sums came, not ${headBytes + into.byteLength}`);
    const [control, ...targets] = elementsOf(body, 0, 1 + backups.count, 8);
    backups.targets.set(targets);
    into.set(elementsOf(body, headBytes, into.length, into.BYTES_PER_ELEMENT) as Elements);
    if (refused !== undefined) throw refused;
    return control as ControlWord;
  };
}
