import { brokenChannel } from '../failures.ts';
import { bytesOf, elementsOf } from './body.ts';
import { bodyOf, KIND, type Links } from './links.ts';

/** The operations beside all-reduce. `bytes` of a peer are its own; those that come out are the caller's. */
export interface Operations {
  allGather(step: number, bytes: Uint8Array): Promise<Uint8Array[]>;
  /** `bytes` is there on the root. */
  broadcast(step: number, bytes: Uint8Array | undefined, root: number): Promise<Uint8Array>;
  barrier(step: number): Promise<void>;
}

/** Between peers: everybody speaks to everybody, in one step. */
export function peerOperations(rank: number, size: number, links: Links): Operations {
  const { peers } = links;
  return {
    async allGather(step, bytes) {
      const [, answers] = await Promise.all([
        links.sendAll(KIND.gather, step, [bytes], bytes.length),
        links.receive(peers, KIND.gather, step),
      ]);
      return Array.from({ length: size }, (_, peer) => (peer === rank ? bytes.slice() : bodyOf(answers, peer)));
    },
    async broadcast(step, bytes, root) {
      if (bytes === undefined || rank !== root) return bodyOf(await links.receive([root], KIND.broadcast, step), root);
      await links.sendAll(KIND.broadcast, step, [bytes], bytes.length);
      return bytes.slice();
    },
    async barrier(step) {
      await Promise.all([links.sendAll(KIND.barrier, step, [], 0), links.receive(peers, KIND.barrier, step)]);
    },
  };
}

/**
 * Through server 0, to whom everybody is connected, in two steps: clients speak to servers only. Other servers are clients here.
 * A client waits for the server, which waits for the last of the others, so its deadline is twice as long.
 */
export function starOperations(rank: number, size: number, links: Links): Operations {
  const SERVER = [0] as const;
  const clients = links.peers;
  return {
    async allGather(step, bytes) {
      if (rank !== 0) {
        await links.send(0, KIND.gather, step, [bytes], bytes.length);
        const body = bodyOf(await links.receive(SERVER, KIND.gather, step, 2), 0);
        return gathered(body, rank, size, bytes.slice());
      }
      const answers = await links.receive(clients, KIND.gather, step);
      const all = Array.from({ length: size }, (_, peer) => (peer === 0 ? bytes.slice() : bodyOf(answers, peer)));
      const lengths = bytesOf(Float64Array.from(all, (each) => each.length));
      const sent = clients.map((peer) => {
        const others = all.filter((_, from) => from !== peer);
        return links.send(
          peer,
          KIND.gather,
          step,
          [lengths, ...others],
          others.reduce((sum, each) => sum + each.length, 0),
        );
      });
      await Promise.all(sent);
      return all;
    },
    async broadcast(step, bytes, root) {
      let all = bytes;
      if (rank === root && rank !== 0) await links.send(0, KIND.broadcast, step, [bytes as Uint8Array], (bytes as Uint8Array).length);
      if (rank === 0) {
        if (root !== 0) all = bodyOf(await links.receive([root], KIND.broadcast, step), root);
        const body = all as Uint8Array;
        const others = clients.filter((peer) => peer !== root);
        await Promise.all(others.map((peer) => links.send(peer, KIND.broadcast, step, [body], body.length)));
        return root === 0 ? body.slice() : body;
      }
      return rank === root ? (bytes as Uint8Array).slice() : bodyOf(await links.receive(SERVER, KIND.broadcast, step, 2), 0);
    },
    async barrier(step) {
      if (rank !== 0) {
        await links.send(0, KIND.barrier, step, [], 0);
        bodyOf(await links.receive(SERVER, KIND.barrier, step, 2), 0);
        return;
      }
      await links.receive(clients, KIND.barrier, step);
      await links.sendAll(KIND.barrier, step, [], 0);
    },
  };
}

/** What server 0 gathered: lengths as f64 by rank, then the bytes of all but the receiver. */
function gathered(body: Uint8Array, rank: number, size: number, own: Uint8Array): Uint8Array[] {
  const malformed = (): Error => brokenChannel(0, 'what was gathered is malformed');
  if (body.length < size * 8) throw malformed();
  const lengths = [...elementsOf(body, 0, size, 8)];
  let at = size * 8;
  const all = lengths.map((length, peer) => {
    if (!Number.isSafeInteger(length) || length < 0 || (peer === rank && length !== own.length)) throw malformed();
    if (peer === rank) return own;
    at += length;
    // A piece of its own: numbers in it may be read in place.
    return body.slice(at - length, at);
  });
  if (at !== body.length) throw malformed();
  return all;
}
