import { setTimeout as sleep } from 'node:timers/promises';
import { ParagradError } from '../../errors.ts';
import { logTail } from './nodes.ts';

const READY_TIMEOUT_MS = 120_000;
const POLL_MS = 100;
const MOST_STARTS = 3;

/** Waits for parts of a cluster, as long as its processes live. */
export class Waiting {
  readonly #isAlive: () => boolean;
  readonly #folder: string;
  readonly #signal: AbortSignal | undefined;
  readonly #endMs = performance.now() + READY_TIMEOUT_MS;

  constructor(isAlive: () => boolean, folder: string, signal: AbortSignal | undefined) {
    this.#isAlive = isAlive;
    this.#folder = folder;
    this.#signal = signal;
  }

  /** @throws PARAGRAD_CLUSTER_START */
  async until(isReady: () => Promise<boolean>): Promise<void> {
    while (!(await isReady())) {
      if (!this.#isAlive()) throw this.#failed('one of its processes ended');
      if (performance.now() > this.#endMs) throw this.#failed(`it was not ready within ${READY_TIMEOUT_MS / 1000} s`);
      await sleep(POLL_MS, undefined, { signal: this.#signal });
    }
  }

  #failed(why: string): ParagradError {
    const said = logTail(this.#folder);
    return new ParagradError('PARAGRAD_CLUSTER_START', `Ray did not start: ${why}${said === '' ? '' : `:\n${said}`}`);
  }
}

/** Does it again where Ray was too slow for itself: it gives the parts of a node 15 s, and the processor may have other work. */
export async function patiently<T>(start: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1)
    try {
      return await start();
    } catch (error) {
      if (attempt >= MOST_STARTS || !(error as Error).message.includes('timed out during startup')) throw error;
    }
}
