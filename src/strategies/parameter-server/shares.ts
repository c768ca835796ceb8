import type { ServerSnapshot } from './contract.ts';

/** How fast shares follow what comes: over some 32 updates. A power of two, so that the share of one worker alone stays 1, exactly. */
const BLEND = 1 / 32;
/** Gradients weigh at most this many times more, or less, than they would by themselves: those of a slow worker are late, too. */
const MOST = 2;

/**
 * Which part of the latest updates came from each worker. Where nobody waits, a slower worker pushes less often, and its rows would
 * count less: the result would be that of another loss. So each push is weighted with what its worker's part should be, over what
 * it is: 1 where all are alike, and for one worker alone. A function of the order of the pushes alone, so that a replay has its bits.
 */
export class Shares {
  readonly #fair: number;
  readonly #shares = new Map<number, number>();

  /** `workers`: as many as there should be. */
  constructor(workers: number) {
    this.#fair = 1 / workers;
  }

  /** Takes note of a push that is applied. @returns its weight, from 1/2 to 2 */
  take(worker: number): number {
    const share = this.#shares.get(worker) ?? this.#fair;
    this.#shares.set(worker, share);
    for (const [each, its] of this.#shares) this.#shares.set(each, its * (1 - BLEND) + (each === worker ? BLEND : 0));
    return Math.min(MOST, Math.max(1 / MOST, this.#fair / share));
  }

  snapshot(): ServerSnapshot['shares'] {
    return [...this.#shares];
  }

  restore(shares: ServerSnapshot['shares']): void {
    for (const [worker, share] of shares) this.#shares.set(worker, share);
  }
}
