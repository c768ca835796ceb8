/**
 * What a run costs: where each rank's time went, what it sent, and how old gradients were. Recorded in every run, by adding up
 * a few numbers per step.
 */

/** What a rank does at a moment. */
export type Activity = 'computing' | 'waiting' | 'communicating';

/** Sums of one rank, in milliseconds; of strategies with mini-batches, without what comes before the first step and after the last. */
export interface RankCosts {
  readonly rank: number;
  readonly role: 'worker' | 'server' | 'backup';
  /** Of a backup: the worker whose parts it computed last. */
  readonly of?: number | undefined;
  readonly computeMs: number;
  readonly waitMs: number;
  readonly communicateMs: number;
  readonly bytesSent: number;
  readonly messagesSent: number;
  /** Gradients computed; of a server, updates made. Like rows, those before a resume or a loss are among them; times and bytes are not. */
  readonly steps: number;
  /** Rows of these gradients. */
  readonly rows: number;
}

/** The objective at some moment of a run. */
export interface CurvePoint {
  /** Milliseconds since training began. */
  readonly atMs: number;
  /** Rows read by then, in readings of all training rows. */
  readonly passes: number;
  /** Updates of the weights by then. */
  readonly updates: number;
  /** Penalty included. */
  readonly objective: number;
}

/** All of a run. */
export interface RunCosts {
  readonly strategy: string;
  readonly ranks: readonly RankCosts[];
  /** staleness[s]: gradients that were s updates old when they were applied. Empty: none ever is. */
  readonly staleness: readonly number[];
  /** Gradients that were refused because they were late. */
  readonly refused: number;
  /** Updates that were lost with a server. */
  readonly lost: number;
  /** Share of the workers' time that went into computing, 0 to 1. */
  readonly utilisation: number;
  readonly curve: readonly CurvePoint[];
}

/** Of a strategy in which no gradient is ever late. */
export function costsWithoutDelay(strategy: string, ranks: readonly RankCosts[]): Omit<RunCosts, 'curve'> {
  return { strategy, ranks, staleness: [], refused: 0, lost: 0, utilisation: utilisationOf(ranks) };
}

/** Adds up where one rank's time goes. */
export class CostMeter {
  readonly #now: () => number;
  readonly #ms: Record<Activity, number> = { computing: 0, waiting: 0, communicating: 0 };
  #activity: Activity = 'computing';
  #since: number;
  bytesSent = 0;
  messagesSent = 0;
  steps = 0;
  rows = 0;

  /** `now`: milliseconds, monotonic. */
  constructor(now: () => number) {
    this.#now = now;
    this.#since = now();
  }

  /** From now on the rank does this. @returns what it did before */
  enter(activity: Activity): Activity {
    const now = this.#now();
    const before = this.#activity;
    this.#ms[before] += now - this.#since;
    this.#since = now;
    this.#activity = activity;
    return before;
  }

  /** Milliseconds that were counted as one thing were another: part of what was entered as communicating was waiting. */
  move(ms: number, from: Activity, to: Activity): void {
    this.#ms[from] -= ms;
    this.#ms[to] += ms;
  }

  sent(bytes: number): void {
    this.bytesSent += bytes;
    this.messagesSent += 1;
  }

  costs(rank: number, role: RankCosts['role']): RankCosts {
    this.enter(this.#activity);
    const { computing, waiting, communicating } = this.#ms;
    return {
      rank,
      role,
      computeMs: computing,
      waitMs: waiting,
      communicateMs: communicating,
      bytesSent: this.bytesSent,
      messagesSent: this.messagesSent,
      steps: this.steps,
      rows: this.rows,
    };
  }
}

/** Share of the workers' time that went into computing. */
export function utilisationOf(ranks: readonly RankCosts[]): number {
  let computing = 0;
  let all = 0;
  for (const { role, computeMs, waitMs, communicateMs } of ranks) {
    if (role !== 'worker') continue;
    computing += computeMs;
    all += computeMs + waitMs + communicateMs;
  }
  return all > 0 ? computing / all : 1;
}

/** Element by element; lists may have different lengths. */
export function addCounts(a: readonly number[], b: readonly number[]): number[] {
  return Array.from({ length: Math.max(a.length, b.length) }, (_, i) => (a[i] ?? 0) + (b[i] ?? 0));
}

/** Mean of a histogram of whole numbers, 0 when it is empty. */
export function meanOf(counts: readonly number[]): number {
  let sum = 0;
  let all = 0;
  for (const [value, count] of counts.entries()) {
    sum += value * count;
    all += count;
  }
  return all > 0 ? sum / all : 0;
}
