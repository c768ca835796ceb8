import type { Reply, ServerSnapshot } from './contract.ts';

/** Who takes part at a server: how far each worker has come, and what it was told last. */

export interface Member {
  /** Sequence number of the last push that was taken; all up to it are done. */
  last: number;
  active: boolean;
  /** It waits for a grant. */
  waiting: boolean;
  /** Its last grant, where late gradients are compensated: whoever asks again is given the same again. */
  granted: Extract<Reply, { kind: 'grant' }> | undefined;
}

/** The workers of a server, in the order in which they came. */
export class Members {
  readonly #members = new Map<number, Member>();

  /** Workers 0 … workers − 1 are there from the start. */
  constructor(workers: number) {
    for (let worker = 0; worker < workers; worker += 1) this.set(worker, { last: -1, active: true, waiting: false, granted: undefined });
  }

  get(worker: number): Member | undefined {
    return this.#members.get(worker);
  }

  set(worker: number, member: Member): void {
    this.#members.set(worker, member);
  }

  workers(): Iterable<number> {
    return this.#members.keys();
  }

  /** How many are there. */
  get active(): number {
    let count = 0;
    for (const { active } of this.#members.values()) if (active) count += 1;
    return count;
  }

  /** Every worker that is there asked what comes next and has no answer yet, or did so as far as the caller knows. */
  allWait(known: (worker: number) => boolean): boolean {
    for (const [worker, { active, waiting }] of this.#members) if (active && !waiting && !known(worker)) return false;
    return true;
  }

  /** Every worker that is there has pushed for a clock, or takes part from a later one only. */
  allPushed(clock: number, gathered: ReadonlyMap<number, unknown>): boolean {
    for (const [worker, { active, last }] of this.#members) if (active && last < clock && !gathered.has(worker)) return false;
    return true;
  }

  /** `most`: sequence numbers above it are not in the weights. */
  snapshot(most: number): ServerSnapshot['members'] {
    return [...this.#members].map(([worker, { last, active }]) => ({ worker, last: Math.min(last, most), active }));
  }

  /** All that were there; they join again. */
  restore(members: ServerSnapshot['members']): void {
    for (const { worker, last, active } of members) this.set(worker, { last, active, waiting: false, granted: undefined });
  }
}
