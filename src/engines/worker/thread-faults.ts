import type { Activity } from '../../monitor/costs.ts';
import type { RankFault } from '../engine.ts';

/** Blocks the calling thread. */
function sleep(ms: number): void {
  if (ms > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Faults that a thread does to itself, on purpose: for study and tests. Each pause and end once, however often work begins anew. */
export class ThreadFaults {
  #faults: readonly RankFault[] = [];
  readonly #done = new Set<string>();
  /** What comes before the first word of an activity is not slowed down. */
  #activity: Activity = 'waiting';
  #since = performance.now();

  arm(faults: readonly RankFault[]): void {
    this.#faults = faults;
    this.#activity = 'waiting';
    this.#since = performance.now();
  }

  get isArmed(): boolean {
    return this.#faults.length > 0;
  }

  /** The thread begins to do something else, after `steps` steps. */
  enter(activity: Activity, steps: number): void {
    for (const fault of this.#faults) {
      if (fault.kind === 'slow') {
        if (this.#activity === 'computing' && activity !== 'computing') sleep((fault.times - 1) * (performance.now() - this.#since));
        continue;
      }
      const key = JSON.stringify(fault);
      if (activity !== 'computing' || steps < fault.step || this.#done.has(key)) continue;
      this.#done.add(key);
      if (fault.kind === 'pause') sleep(fault.ms);
      // Ends this thread alone.
      else process.exit(1);
    }
    this.#activity = activity;
    this.#since = performance.now();
  }
}
