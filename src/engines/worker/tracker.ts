import type { Fault, Phase } from './orders.ts';
import { type Pulse, sleep } from './pulse.ts';

/** Phases outside of the loop: a fault in one of them does not wait for a step. */
const WITHOUT_STEPS: ReadonlySet<Phase> = new Set(['loading', 'idle']);

/** What a worker is doing, as its coordinator is shown it; and the faults that it does to itself when the time has come. */
export class Tracker {
  readonly #pulse: Pulse;
  #faults: Fault[] = [];
  #slow = 1;
  #phase: Phase = 'idle';
  #since = performance.now();
  #count = 0;

  constructor(pulse: Pulse) {
    this.#pulse = pulse;
  }

  /** `slow`: computing takes this many times as long. */
  arm(faults: readonly Fault[], slow: number): void {
    this.#faults = [...faults];
    this.#slow = slow;
  }

  /** Passes of the loop so far. */
  get count(): number {
    return this.#count;
  }

  set count(count: number) {
    this.#count = count;
    this.enter(this.#phase);
  }

  enter(phase: Phase): void {
    if (phase !== this.#phase) {
      if (this.#slow > 1 && this.#phase === 'map') sleep((this.#slow - 1) * (performance.now() - this.#since));
      this.#phase = phase;
      this.#since = performance.now();
    }
    this.#pulse.show(phase, this.#count);
    const due = this.#faults.findIndex((fault) => fault.phase === phase && (WITHOUT_STEPS.has(phase) || fault.step <= this.#count));
    if (due < 0) return;
    const [fault] = this.#faults.splice(due, 1) as [Fault];
    this.#pulse.confess(phase);
    if (fault.kind === 'kill') process.kill(process.pid, 'SIGKILL');
    else this.#pulse.pause(fault.ms);
  }
}
