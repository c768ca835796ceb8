import type { ServerSnapshot } from './contract.ts';

/**
 * A server's snapshot for a group of so many workers. All of them are there again, and where they are not as many as when it was made,
 * they have other rows: who pushed how often says nothing then, and with clocks everybody takes part from the next one.
 */
export function snapshotFor(snapshot: ServerSnapshot, workers: number, clocked: boolean): ServerSnapshot {
  const { version, members, shares } = snapshot;
  const known = new Map(members.map(({ worker, last }) => [worker, last]));
  const most = Math.max(-1, ...known.values());
  const all = Array.from({ length: workers }, (_, worker) => {
    return { worker, last: clocked ? version - 1 : (known.get(worker) ?? most), active: true };
  });
  return { ...snapshot, members: all, shares: members.length === workers ? shares : [] };
}
