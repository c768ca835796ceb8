import type { StepRecord } from '../strategies/job.ts';

/** Steps are told in batches: a run of 10-µs steps must not spend its time on telling about them. */
const BATCH_MS = 100;

export class StepBatcher {
  readonly #tell: ((steps: readonly StepRecord[]) => void) | undefined;
  #steps: StepRecord[] = [];
  #told = Number.NEGATIVE_INFINITY;

  constructor(tell: ((steps: readonly StepRecord[]) => void) | undefined) {
    this.#tell = tell;
  }

  add(step: StepRecord): void {
    if (this.#tell === undefined) return;
    this.#steps.push(step);
    if (performance.now() - this.#told >= BATCH_MS) this.flush();
  }

  flush(): void {
    if (this.#steps.length === 0) return;
    const steps = this.#steps;
    this.#steps = [];
    this.#told = performance.now();
    this.#tell?.(steps);
  }
}
