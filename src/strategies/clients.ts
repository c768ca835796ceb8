import type { Layout } from '../partition/layout.ts';
import { panelRows, panelsOf, rowsOfChunk } from '../partition/layout.ts';
import type { Partition, Share } from '../partition/plan.ts';
import { permutation } from '../random.ts';

/**
 * A virtual client of local SGD: a range of chunks, fixed by the shape of the data and the number of clients alone. Workers host
 * clients, so that how many there are changes no bit.
 */
export interface Client {
  readonly number: number;
  readonly chunkBegin: number;
  readonly chunkEnd: number;
  readonly rows: number;
}

/** Clients 0 … count − 1: client c owns chunks ⌊c·chunks/count⌋ to ⌊(c + 1)·chunks/count⌋. */
export function clientsOf(layout: Layout, count: number): Client[] {
  return Array.from({ length: count }, (_, number) => {
    const chunkBegin = Math.floor((number * layout.chunks) / count);
    const chunkEnd = Math.floor(((number + 1) * layout.chunks) / count);
    let rows = 0;
    for (let chunk = chunkBegin; chunk < chunkEnd; chunk += 1) rows += rowsOfChunk(layout, chunk);
    return { number, chunkBegin, chunkEnd, rows };
  });
}

/** Clients [begin, end) that a worker hosts. */
export function hostedBy(rank: number, workers: number, clients: number): { begin: number; end: number } {
  return { begin: Math.floor((rank * clients) / workers), end: Math.floor(((rank + 1) * clients) / workers) };
}

/** The split in which every worker has the rows of the clients that it hosts. */
export function clientPartition(layout: Layout, clients: readonly Client[], workers: number): Partition {
  const border = (client: number): number => (client < clients.length ? clients[client].chunkBegin : layout.chunks);
  const shares = Array.from({ length: workers }, (_, rank): Share => {
    const { begin, end } = hostedBy(rank, workers, clients.length);
    return { rank, chunkBegin: border(begin), chunkEnd: border(end), blockBegin: 0, blockEnd: layout.blocks };
  });
  return { kind: 'rows', workers, grid: { rows: workers, columns: 1 }, shares };
}

/** Panels of a range of chunks. */
export function panelRange(
  layout: Layout,
  { chunkBegin, chunkEnd }: Pick<Client, 'chunkBegin' | 'chunkEnd'>,
): { begin: number; end: number } {
  const perChunk = layout.chunkRows / panelRows(layout.dtype);
  return { begin: Math.min(chunkBegin * perChunk, panelsOf(layout)), end: Math.min(chunkEnd * perChunk, panelsOf(layout)) };
}

/**
 * Who takes part in a round, and with what weight: of all clients that have rows, ⌈participation·clients⌉ (at least one), the first
 * of the permutation of the round. Weights are rows / rows of all that take part, so that they sum to 1.
 */
export function participants(clients: readonly Client[], participation: number, round: number, seed: number): Map<number, number> {
  const able = clients.filter(({ rows }) => rows > 0);
  const count = Math.min(able.length, Math.max(1, Math.ceil(participation * able.length)));
  const order = permutation(seed, 'clients', round, able.length);
  const chosen = Array.from({ length: count }, (_, position) => able[count === able.length ? position : order.at(position)]);
  const rows = chosen.reduce((sum, client) => sum + client.rows, 0);
  return new Map(chosen.map((client) => [client.number, client.rows / rows]));
}
