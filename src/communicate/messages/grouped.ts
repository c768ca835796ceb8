import { brokenChannel } from '../failures.ts';
import { bytesOf, elementsOf } from './body.ts';
import type { Grouping } from './grouping.ts';
import { bodyOf, KIND, type Links, swap } from './links.ts';
import { ranksOf } from './reduction.ts';
import type { Operations } from './star.ts';

/** The operations beside all-reduce over the connections of groups (grouping.ts): first within a group, then across. */
export function groupedOperations(rank: number, size: number, links: Links, grouping: Grouping): Operations {
  const own = grouping.groupOf(rank);
  const members = grouping.membersOf(own);
  const mates = members.filter((member) => member !== rank);
  const others = ranksOf(grouping.count).filter((group) => group !== own);
  const sources = others.map((group) => grouping.sourceOf(rank, group));
  const takers = grouping.takersOf(rank);
  return {
    async allGather(step, bytes) {
      const came = await swap(links, mates, mates, KIND.gather, 1, step, (mate) =>
        links.send(mate, KIND.gather, step, [bytes], bytes.length),
      );
      const all: Uint8Array[] = new Array(size);
      for (const member of members) all[member] = member === rank ? bytes.slice() : bodyOf(came, member);
      const ofGroup = members.map((member) => all[member] as Uint8Array);
      const lengths = bytesOf(Float64Array.from(ofGroup, (each) => each.length));
      const total = ofGroup.reduce((sum, each) => sum + each.length, 0);
      const crossed = await swap(links, takers, sources, KIND.gather, 2, step, (taker) =>
        links.send(taker, KIND.gather, step, [lengths, ...ofGroup], total),
      );
      for (const source of sources) {
        const theirs = grouping.membersOf(grouping.groupOf(source));
        for (const [i, body] of unpacked(bodyOf(crossed, source), theirs.length, source).entries()) all[theirs[i] as number] = body;
      }
      return all;
    },
    async broadcast(step, bytes, root) {
      const ofRoot = grouping.groupOf(root);
      const send = (to: readonly number[], body: Uint8Array): Promise<unknown> =>
        Promise.all(to.map((peer) => links.send(peer, KIND.broadcast, step, [body], body.length)));
      if (rank === root) {
        const body = bytes as Uint8Array;
        await send([...mates, ...sources], body);
        return body.slice();
      }
      if (own === ofRoot) return bodyOf(await links.receive([root], KIND.broadcast, step), root);
      // In each other group one hears it of the root, and tells its group.
      const relay = grouping.sourceOf(root, own);
      if (rank !== relay) return bodyOf(await links.receive([relay], KIND.broadcast, step, 2), relay);
      const body = bodyOf(await links.receive([root], KIND.broadcast, step), root);
      await send(mates, body);
      return body;
    },
    async barrier(step) {
      const arrive = (peer: number): Promise<void> => links.send(peer, KIND.barrier, step, [], 0);
      await swap(links, mates, mates, KIND.barrier, 1, step, arrive);
      await swap(links, takers, sources, KIND.barrier, 2, step, arrive);
    },
  };
}

/** What a rank gathered of its group: lengths as f64, then the bytes. */
function unpacked(body: Uint8Array, count: number, source: number): Uint8Array[] {
  const malformed = (): Error => brokenChannel(source, 'what was gathered is malformed');
  if (body.length < count * 8) throw malformed();
  let at = count * 8;
  const all = [...elementsOf(body, 0, count, 8)].map((length) => {
    if (!Number.isSafeInteger(length) || length < 0 || at + length > body.length) throw malformed();
    at += length;
    // A piece of its own: numbers in it may be read in place.
    return body.slice(at - length, at);
  });
  if (at !== body.length) throw malformed();
  return all;
}
