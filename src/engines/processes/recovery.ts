import type { RunState } from './run-state.ts';
import type { Seat } from './seat.ts';

/** After a loss: what the survivors know is collected, so that as little as can be is done again. */

/** Ends a generation on the workers that are left, and takes over the newest state among them. Each answers within `timeoutMs`. */
export async function collectNewest(seats: readonly Seat[], state: RunState, generation: number, timeoutMs: number): Promise<void> {
  const stopped = await Promise.all(
    seats.map(async (seat) => {
      if (!seat.isAlive) return undefined;
      const answer = seat.expect(['stopped'], { generation, timeoutMs });
      seat.send({ kind: 'stop', generation });
      return answer.then(
        ({ count }) => ({ seat, count }),
        () => undefined,
      );
    }),
  );
  const survivors = stopped.filter((each) => each !== undefined).sort((a, b) => b.count - a.count);
  for (const { seat, count } of survivors) {
    if (count <= state.known.count) break;
    const answer = seat.expect(['state'], { timeoutMs });
    seat.send({ kind: 'state' });
    const report = await answer.catch(() => undefined);
    if (report?.checkpoint === undefined) continue;
    state.take(report.checkpoint, report.count);
    break;
  }
  for (const seat of seats) seat.forget();
}
