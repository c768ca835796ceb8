/** Staleness from which on all are counted as one. */
const MOST = 1023;

/** How often gradients of each staleness were met. */
export class Staleness {
  #counts: number[] = [];

  add(staleness: number): void {
    const at = Math.min(staleness, MOST);
    while (this.#counts.length <= at) this.#counts.push(0);
    this.#counts[at] += 1;
  }

  get counts(): readonly number[] {
    return this.#counts;
  }

  restore(counts: readonly number[]): void {
    this.#counts = [...counts];
  }
}
