import { FOREVER_MS } from './bell.ts';
import type { Seat } from './seat.ts';

/** Where one after the other sets out, a run that has not begun waits for those of so many times the grace. */
const PATIENT = 5;

/**
 * How long a group that has as many as it needs waits for more. The first of a run gives everybody a time to set out, several times as
 * long where one after the other does, and waits for those who did; a later one waits for those who are on their way when it has enough, for that time at most. Whoever sets out later
 * comes with the next group: where they come all the time, this one would never begin.
 */
export class Grace {
  readonly #ms: number;
  readonly #isFirst: boolean;
  #endsAt: number | undefined;
  #awaited: ReadonlySet<string> | undefined;

  constructor(ms: number, isFirst: boolean) {
    this.#ms = ms;
    this.#isFirst = isFirst;
  }

  /** Milliseconds to wait, unless something changes before; 0: the group begins. To be asked when there are enough. */
  leftMs(seats: readonly Seat[], now: number): number {
    this.#endsAt ??= now + this.#ms;
    const leftMs = Math.max(0, this.#endsAt - now);
    const coming = seats.filter(({ isComing }) => isComing).map(({ rank, attempt }) => `${rank} ${attempt}`);
    if (this.#awaited === undefined || (this.#isFirst && now < this.#endsAt + (PATIENT - 1) * this.#ms)) this.#awaited = new Set(coming);
    const isAwaited = coming.some((each) => this.#awaited?.has(each));
    if (this.#isFirst) return isAwaited ? FOREVER_MS : leftMs;
    return isAwaited ? leftMs : 0;
  }
}
