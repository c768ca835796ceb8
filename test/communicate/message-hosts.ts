import type { Channel } from '../../src/communicate/channel.ts';
import type { Collective } from '../../src/communicate/collective.ts';
import { Link } from '../../src/communicate/link.ts';
import { createLoopbackChannels } from '../../src/communicate/loopback/channel.ts';
import { createMessageCollective } from '../../src/communicate/messages/collective.ts';
import { newKey } from '../../src/communicate/streams/key.ts';
import { createMesh, type MeshPort, openPort } from '../../src/communicate/streams/mesh.ts';
import { createSocketFolder } from '../../src/engines/socket-folder.ts';
import { type Host, play } from './script.ts';

export const NUMERICS = 1;

/** All ranks in this thread, speaking by messages: channels[rank][peer] of each new group come from `connect`. */
function messageHost(
  name: string,
  connect: (size: number, servers: number) => Promise<(Channel | undefined)[][]>,
  end: () => Promise<void>,
  reducers?: number,
): Host {
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
  return {
    name,
    ...(reducers === undefined ? direct : served),
    async run(calls, options = {}) {
      const groups = options.groups ?? [calls.map((_, member) => member)];
      const collectives: (Collective | undefined)[][] = calls.map(() => []);
      for (const [group, members] of groups.entries()) {
        const servers = reducers === undefined ? members.length : segmentsOf(members.length);
        const channels = await connect(members.length, servers);
        for (const [rank, member] of members.entries())
          (collectives[member] as (Collective | undefined)[])[group] = createMessageCollective(rank, channels[rank] ?? [], {
            generation: options.generations?.[member] ?? 0,
            step: options.steps?.[member] ?? 0,
            timeoutMs: options.timeoutMs ?? 20_000,
            ...(reducers === undefined ? {} : { algorithm: 'client-server', reducers: segmentsOf(members.length) }),
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

/** `reducers`: client–server with so many of them, or as many as there are ranks. */
export function loopbackHost(reducers?: number): Host {
  const connect = (size: number, servers: number): Promise<(Channel | undefined)[][]> => {
    const channels = createLoopbackChannels(size);
    const isThere = (a: number, b: number): boolean => a < servers || b < servers;
    return Promise.resolve(channels.map((row, rank) => row.map((channel, peer) => (isThere(rank, peer) ? channel : undefined))));
  };
  return messageHost('loopback', connect, () => Promise.resolve(), reducers);
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

/** As if every rank were a process of its own: one port each, and a mesh for every group. `reducers` as above. */
export async function meshHost(kind: 'unix' | 'tls', reducers?: number, maxSize = 8): Promise<Host> {
  const { ports, end } = await openPorts(kind, maxSize);
  let groups = 0;
  const connect = (size: number, servers: number): Promise<(Channel | undefined)[][]> => {
    groups += 1;
    const group = `group ${groups}`;
    const addresses = ports.slice(0, size).map((port) => port.address);
    return Promise.all(addresses.map((_, rank) => createMesh({ port: ports[rank] as MeshPort, rank, size, servers, group, addresses })));
  };
  return messageHost(kind, connect, end, reducers);
}
