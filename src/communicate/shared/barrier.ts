import { peerLost, timedOut } from '../failures.ts';

/**
 * A barrier of `size` ranks on an Int32Array in shared memory: a counter of arrivals, and an epoch that the last one to
 * arrive advances. Waiters read the epoch in a loop for a while, then sleep until they are woken. Words that different
 * ranks write lie in cache lines of their own.
 *
 * A watcher (the main thread, which sees a worker end) may give the group up at any time: it sets the reason and the
 * lowest bit of the epoch word, on which a sleeper's `Atomics.wait` cannot stay asleep.
 */
const LINE_WORDS = 16;
const ARRIVED = 0;
/** 2 · epoch, + 1 when given up. */
const EPOCH = LINE_WORDS;
const SLEEPERS = 2 * LINE_WORDS;
const GIVEN_UP = 3 * LINE_WORDS;
/** Rank r's line: the epoch it last arrived at, and whether it is why the group was given up. */
const FIRST_RANK = 4 * LINE_WORDS;
const RANK_EPOCH = 0;
const RANK_AT_FAULT = 1;
const EPOCH_MASK = 0x3fff_ffff;

const WAITING = 0;
const LOST = 1;
const LATE = 2;

/** Loads between two looks at the clock and at the reason to give up. */
const SPINS_PER_LOOK = 200;

/** Words of a barrier for `size` ranks. */
export function barrierWords(size: number): number {
  return FIRST_RANK + size * LINE_WORDS;
}

function rankLine(rank: number): number {
  return FIRST_RANK + rank * LINE_WORDS;
}

function giveUp(words: Int32Array, reason: typeof LOST | typeof LATE, ranks: readonly number[]): void {
  for (const rank of ranks) Atomics.store(words, rankLine(rank) + RANK_AT_FAULT, reason);
  Atomics.compareExchange(words, GIVEN_UP, WAITING, reason);
  Atomics.or(words, EPOCH, 1);
  Atomics.notify(words, EPOCH);
}

/** Makes every rank that waits, or ever will, throw PARAGRAD_PEER_LOST naming `rank`. Any thread may call it. */
export function giveUpBarrier(words: Int32Array, rank: number): void {
  giveUp(words, LOST, [rank]);
}

export interface BarrierOptions {
  /** How long to spin before sleeping, in microseconds; 0 when there are more workers than cores. */
  readonly spinUs: number;
  readonly timeoutMs: number;
}

/** One rank's end of a barrier. */
export class Barrier {
  readonly #words: Int32Array;
  readonly #rank: number;
  readonly #size: number;
  readonly #spinMs: number;
  readonly #timeoutMs: number;
  #epoch = 0;
  /** Milliseconds spent waiting so far. */
  waitMs = 0;

  /** `words`: barrierWords(size) zeros in shared memory, the same for all ranks. */
  constructor(words: Int32Array, rank: number, size: number, options: BarrierOptions) {
    this.#words = words;
    this.#rank = rank;
    this.#size = size;
    this.#spinMs = options.spinUs / 1000;
    this.#timeoutMs = options.timeoutMs;
  }

  /**
   * Returns when all ranks have called it equally often: what they wrote before is visible after. `step` is for messages.
   *
   * @throws PARAGRAD_TIMEOUT naming the late ranks, on every rank; PARAGRAD_PEER_LOST when the group was given up.
   */
  wait(step: number): void {
    const words = this.#words;
    if (Atomics.load(words, GIVEN_UP) !== WAITING) throw this.#reason(step);
    const epoch = (this.#epoch + 1) & EPOCH_MASK;
    this.#epoch = epoch;
    Atomics.store(words, rankLine(this.#rank) + RANK_EPOCH, epoch);
    if (Atomics.add(words, ARRIVED, 1) === this.#size - 1) {
      Atomics.store(words, ARRIVED, 0);
      Atomics.store(words, EPOCH, epoch * 2);
      if (Atomics.load(words, SLEEPERS) > 0) Atomics.notify(words, EPOCH);
      return;
    }
    const begin = performance.now();
    if (!this.#spin(epoch, begin, step)) this.#sleep(epoch, begin, step);
    this.waitMs += performance.now() - begin;
  }

  #spin(epoch: number, begin: number, step: number): boolean {
    if (this.#spinMs === 0) return false;
    const words = this.#words;
    const end = begin + Math.min(this.#spinMs, this.#timeoutMs);
    do {
      for (let i = 0; i < SPINS_PER_LOOK; i += 1) if (Atomics.load(words, EPOCH) >>> 1 === epoch) return true;
      this.#look(epoch, step);
    } while (performance.now() < end);
    return false;
  }

  #sleep(epoch: number, begin: number, step: number): void {
    const words = this.#words;
    // Counted before the epoch is read: whoever advances it afterwards sees the sleeper; before, the sleeper sees that.
    Atomics.add(words, SLEEPERS, 1);
    try {
      for (;;) {
        const seen = Atomics.load(words, EPOCH);
        if (seen >>> 1 === epoch) return;
        this.#look(epoch, step);
        const restMs = begin + this.#timeoutMs - performance.now();
        if (restMs > 0) Atomics.wait(words, EPOCH, seen, restMs);
        else this.#giveUpOnLate(epoch, step);
      }
    } finally {
      Atomics.sub(words, SLEEPERS, 1);
    }
  }

  /** A barrier that is complete is passed even when the group was given up since: all its values are there. */
  #look(epoch: number, step: number): void {
    if (Atomics.load(this.#words, GIVEN_UP) === WAITING) return;
    if (Atomics.load(this.#words, EPOCH) >>> 1 !== epoch) throw this.#reason(step);
  }

  #giveUpOnLate(epoch: number, step: number): void {
    const late: number[] = [];
    for (let rank = 0; rank < this.#size; rank += 1) if (Atomics.load(this.#words, rankLine(rank) + RANK_EPOCH) !== epoch) late.push(rank);
    // Nobody late: the last one is about to advance the epoch.
    if (late.length === 0) return;
    giveUp(this.#words, LATE, late);
    throw this.#reason(step);
  }

  #reason(step: number): Error {
    const words = this.#words;
    const reason = Atomics.load(words, GIVEN_UP);
    const ranks: number[] = [];
    for (let rank = 0; rank < this.#size; rank += 1) if (Atomics.load(words, rankLine(rank) + RANK_AT_FAULT) === reason) ranks.push(rank);
    return reason === LATE ? timedOut(ranks, step, this.#timeoutMs) : peerLost(ranks, step);
  }
}
