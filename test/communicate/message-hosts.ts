import type { Channel } from '../../src/communicate/channel.ts';
import type { Collective } from '../../src/communicate/collective.ts';
import { Link } from '../../src/communicate/link.ts';
import { createLoopbackChannels } from '../../src/communicate/loopback/channel.ts';
import { createMessageCollective, type MessageOptions, neighboursOf } from '../../src/communicate/messages/collective.ts';
import { newKey } from '../../src/communicate/streams/key.ts';
import { createMesh, type MeshPort, openPort } from '../../src/communicate/streams/mesh.ts';
import { createSocketFolder } from '../../src/engines/socket-folder.ts';
import { type GroupedCosts, groupedCosts, hearsFrom } from './groups.ts';
import { type Host, play } from './script.ts';

export const NUMERICS = 1;

/** How sums are made: client–server with so many reducers, or as many as there are ranks; hierarchical, in so many groups. */
export type Way = Pick<MessageOptions, 'algorithm' | 'reducers' | 'groups'>;
type AreNeighbours = (a: number, b: number) => boolean;
type Connect = (size: number, areNeighbours: AreNeighbours) => Promise<(Channel | undefined)[][]>;

/** All ranks in this thread, speaking by messages: channels[rank][peer] of each new group come from `connect`. */
function messageHost(name: string, connect: Connect, end: () => Promise<void>, way: Way = {}): Host {
  const { reducers, algorithm = reducers === undefined ? 'direct' : 'client-server', groups: count } = way;
  const segmentsOf = (size: number): number => Math.min(size, reducers ?? 1);
  const direct: Pick<Host, 'messagesOf' | 'bytesOf' | 'smallBytesOf'> = {
    smallBytesOf: (size) => (size === 2 ? 131_072 : 4096),
    messagesOf: (size, isSmall) => (isSmall ? 1 : 2) * (size - 1),
    bytesOf: (size, isSmall, { parts, own, segment }) => (isSmall ? (size - 1) * parts : parts - own + (size - 1) * segment),
  };
  const served: Pick<Host, 'messagesOf' | 'bytesOf' | 'segmentsOf'> = {
    segmentsOf,
    messagesOf: (size, _, rank) => (rank < segmentsOf(size) ? segmentsOf(size) - 1 + size - 1 : segmentsOf(size)),
    bytesOf: (size, _, { parts, own, segment }) => parts - own + (size - 1) * segment,
  };
  const grouped: Pick<Host, 'costsOf' | 'waitsFor' | 'messagesOf' | 'bytesOf'> = {
    ...direct,
    costsOf: (c, rank) => groupedCosts(c, count)[rank] as GroupedCosts,
    waitsFor: (size, rank, other) => hearsFrom(size, rank, count).includes(other),
  };
  return {
    name,
    ...{ direct, hierarchical: grouped, 'client-server': served, ring: direct }[algorithm],
    async run(calls, options = {}) {
      const groups = options.groups ?? [calls.map((_, member) => member)];
      const collectives: (Collective | undefined)[][] = calls.map(() => []);
      for (const [group, members] of groups.entries()) {
        const own = { algorithm, ...(count === undefined ? {} : { groups: count }), reducers: segmentsOf(members.length) };
        const channels = await connect(members.length, neighboursOf(members.length, own));
        for (const [rank, member] of members.entries())
          (collectives[member] as (Collective | undefined)[])[group] = createMessageCollective(rank, channels[rank] ?? [], {
            generation: options.generations?.[member] ?? 0,
            step: options.steps?.[member] ?? 0,
            timeoutMs: options.timeoutMs ?? 20_000,
            ...own,
          });
      }
      const outcomes = await Promise.all(
        calls.map(async (script, member) => {
          const own = collectives[member] as (Collective | undefined)[];
          const played = await play(script, own);
          // The system closes the channels of a process that is gone.
          if (script.at(-1)?.do === 'die') await Promise.all(own.map((collective) => collective?.close()));
          return played;
        }),
      );
      await Promise.all(collectives.flat().map((collective) => collective?.close()));
      return outcomes;
    },
    end,
  };
}

/** Over links that delay and limit. */
export function linkHost(): Host {
  const connect = (size: number): Promise<(Channel | undefined)[][]> =>
    Promise.resolve(
      createLoopbackChannels(size).map((row) => {
        const link = new Link({ delayMs: 0.05, bytesPerSecond: 1e9 });
        return row.map((channel) => (channel === undefined ? undefined : link.wrap(channel)));
      }),
    );
  return messageHost('links', connect, () => Promise.resolve());
}

export function loopbackHost(way?: Way): Host {
  const connect: Connect = (size, areNeighbours) => {
    const channels = createLoopbackChannels(size);
    return Promise.resolve(channels.map((row, rank) => row.map((channel, peer) => (areNeighbours(rank, peer) ? channel : undefined))));
  };
  return messageHost('loopback', connect, () => Promise.resolve(), way);
}

/** Ports for `size` ranks of one run. */
async function openPorts(kind: 'unix' | 'tls', size: number): Promise<{ ports: MeshPort[]; end: () => Promise<void> }> {
  const ranks = Array.from({ length: size }, (_, rank) => rank);
  const close = (ports: readonly MeshPort[]): void => {
    for (const port of ports) port.close();
  };
  if (kind === 'tls') {
    const key = newKey();
    const open = (): Promise<MeshPort> => openPort({ address: { kind, host: '127.0.0.1', port: 0 }, key, numericsVersion: NUMERICS });
    const ports = await Promise.all(ranks.map(open));
    return { ports, end: () => Promise.resolve(close(ports)) };
  }
  const folder = await createSocketFolder();
  const ports = await Promise.all(ranks.map((rank) => openPort({ address: folder.addressOf(`${rank}.sock`), numericsVersion: NUMERICS })));
  const end = async (): Promise<void> => {
    close(ports);
    await folder.remove();
  };
  return { ports, end };
}

/** As if every rank were a process of its own: one port each, and a mesh for every group. */
export async function meshHost(kind: 'unix' | 'tls', way?: Way, maxSize = 8): Promise<Host> {
  const { ports, end } = await openPorts(kind, maxSize);
  let groups = 0;
  const connect: Connect = (size, areNeighbours) => {
    groups += 1;
    const group = `group ${groups}`;
    const addresses = ports.slice(0, size).map((port) => port.address);
    return Promise.all(
      addresses.map((_, rank) => createMesh({ port: ports[rank] as MeshPort, rank, size, areNeighbours, group, addresses })),
    );
  };
  return messageHost(kind, connect, end, way);
}
