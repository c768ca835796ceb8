import type { Message } from '../channel.ts';

/** What goes wrong with messages on their way, on purpose. */
export interface Fault {
  /** `cut`: from this message on nothing passes in either direction, and nobody is told, as when a network fails. */
  readonly do: 'delay' | 'drop' | 'duplicate' | 'cut';
  /** Sender of the messages that it is about; `cut`: the rank that is cut off from all others. */
  readonly rank: number;
  /** Receiver; default: all. Not for `cut`. */
  readonly to?: number;
  /** Step of the messages that it is about. `cut`: the first one of them. */
  readonly step: number;
  /** How many messages of that step, at most; default: all. Not for `cut`. */
  readonly times?: number;
  /** `delay`: for how long. What is sent later stays behind it. */
  readonly delayMs?: number;
}

/** What a message meets: copies to be delivered (0, 1 or 2), and when. */
export interface Fate {
  readonly copies: number;
  readonly delayMs: number;
}

const UNHARMED: Fate = { copies: 1, delayMs: 0 };

/** The faults of a group of channels, and how often each of them happened. */
export class Faults {
  readonly faults: readonly Fault[];
  readonly #counts: number[];
  readonly #cut = new Set<number>();

  constructor(faults: readonly Fault[]) {
    this.faults = faults;
    this.#counts = faults.map(() => 0);
  }

  /** By fault: messages that it hit. */
  get counts(): readonly number[] {
    return this.#counts;
  }

  /** Asked once for every message, when it is sent. */
  fateOf(from: number, to: number, { step }: Pick<Message, 'step'>): Fate {
    let fate = UNHARMED;
    for (const [i, fault] of this.faults.entries()) {
      if (!this.#hits(fault, i, from, to, step)) continue;
      this.#counts[i] = (this.#counts[i] as number) + 1;
      if (fault.do === 'cut') this.#cut.add(fault.rank);
      if (fault.do === 'cut' || fault.do === 'drop') fate = { ...fate, copies: 0 };
      if (fault.do === 'duplicate' && fate.copies > 0) fate = { ...fate, copies: 2 };
      if (fault.do === 'delay') fate = { ...fate, delayMs: fate.delayMs + (fault.delayMs ?? 0) };
    }
    return fate;
  }

  /** Whether not even an end of one of the two reaches the other. */
  isCut(rank: number, peer: number): boolean {
    return this.#cut.has(rank) || this.#cut.has(peer);
  }

  #hits(fault: Fault, i: number, from: number, to: number, step: number): boolean {
    if (fault.do === 'cut') return (from === fault.rank || to === fault.rank) && (this.#cut.has(fault.rank) || step >= fault.step);
    const isMeant = from === fault.rank && (fault.to === undefined || fault.to === to) && step === fault.step;
    return isMeant && (fault.times === undefined || (this.#counts[i] as number) < fault.times);
  }
}
