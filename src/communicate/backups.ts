/**
 * What the ranks of a run with backups know of each other. Ranks from `workers` on are backups: each computes the nodes of the
 * worker that rank 0 names, and rank 0 adds those that come first. They are the same nodes, so it makes no difference to a sum.
 */

/** All-reduces after which rank 0 looks who was waited for. */
const WINDOW = 8;
/** Share of the time of a window that a worker must have held up the others for. */
const WORTHWHILE = 0.1;

/** A worker whose nodes were computed twice. */
export interface Speculated {
  readonly rank: number;
  /** Sums for which a backup had this worker's cells. */
  readonly passes: number;
  /** Of these, in which the backup's nodes came first. */
  readonly won: number;
}

/** One rank's knowledge, shared by its collective and its evaluator. */
export class Backups {
  readonly workers: number;
  readonly count: number;
  /** By backup: the worker whose nodes it shall compute; -1: none yet. All ranks are told with each sum. */
  readonly targets: Float64Array;
  /** A backup: the worker whose nodes its next parts are; undefined: it has none. */
  as: number | undefined;
  /** Whether the sum of the next operation has come already; a turn of the event loop. */
  isReduced: () => Promise<boolean> = () => Promise.resolve(false);
  readonly #book = new Map<number, { passes: number; won: number }>();

  constructor(workers: number, count: number) {
    this.workers = workers;
    this.count = count;
    this.targets = new Float64Array(count).fill(-1);
  }

  /** The worker that a backup shall compute the nodes of. @param rank of the backup */
  targetOf(rank: number): number | undefined {
    const target = this.targets[rank - this.workers] ?? -1;
    return target < 0 ? undefined : target;
  }

  /** Rank 0: a sum was made in which these workers' nodes came from a backup. */
  countSum(winners: ReadonlySet<number>): void {
    for (const target of new Set(this.targets)) {
      if (target < 0) continue;
      const entry = this.#book.get(target) ?? { passes: 0, won: 0 };
      entry.passes += 1;
      if (winners.has(target)) entry.won += 1;
      this.#book.set(target, entry);
    }
  }

  get speculated(): Speculated[] {
    return [...this.#book].map(([rank, entry]) => ({ rank, ...entry })).sort((a, b) => a.rank - b.rank);
  }
}

/** Rank 0's view of who holds up the others: decides whose nodes are computed twice. */
export class Stragglers {
  readonly #backups: Backups;
  readonly #heldUpMs: Float64Array;
  readonly #wins: Float64Array;
  #sums = 0;
  #began: number;

  constructor(backups: Backups, now: number) {
    this.#backups = backups;
    this.#heldUpMs = new Float64Array(backups.workers);
    this.#wins = new Float64Array(backups.workers);
    this.#began = now;
  }

  /**
   * After every sum. `last`: the worker that came last, and how long only it was waited for; undefined: nobody was.
   *
   * @param now milliseconds
   */
  see(last: { readonly rank: number; readonly ms: number } | undefined, winners: ReadonlySet<number>, now: number): void {
    if (last !== undefined) this.#heldUpMs[last.rank] = (this.#heldUpMs[last.rank] as number) + last.ms;
    for (const rank of winners) this.#wins[rank] = (this.#wins[rank] as number) + 1;
    this.#sums += 1;
    if (this.#sums % WINDOW !== 0) return;
    this.#choose(now - this.#began);
    this.#heldUpMs.fill(0);
    this.#wins.fill(0);
    this.#began = now;
  }

  #choose(windowMs: number): void {
    const { targets } = this.#backups;
    const slow = [...this.#heldUpMs.entries()]
      .filter(([rank, ms]) => ms > WORTHWHILE * windowMs && !targets.includes(rank))
      .sort(([, a], [, b]) => b - a);
    for (const [rank] of slow) {
      // A backup that helps stays where it is.
      const free = targets.findIndex((target) => target < 0 || (this.#wins[target] as number) < WINDOW / 2);
      if (free < 0) return;
      targets[free] = rank;
      this.#wins[rank] = WINDOW;
    }
  }
}
