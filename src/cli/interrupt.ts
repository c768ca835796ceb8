import process from 'node:process';
import { Interrupted } from './failures.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * Runs `work` with a signal that the first Ctrl-C aborts, or a SIGTERM, by which job schedulers end what they run; the second one has
 * its usual effect, the end of the process. A rejection after an abort is `Interrupted`.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>, onInterrupt: () => void): Promise<T> {
  const controller = new AbortController();
  const listen = (): void => {
    for (const signal of SIGNALS) process.on(signal, stop);
  };
  const ignore = (): void => {
    for (const signal of SIGNALS) process.removeListener(signal, stop);
  };
  const stop = (): void => {
    ignore();
    onInterrupt();
    controller.abort();
  };
  listen();
  try {
    return await work(controller.signal);
  } catch (error) {
    if (controller.signal.aborted && error instanceof Error && error.name === 'AbortError') throw new Interrupted();
    throw error;
  } finally {
    ignore();
  }
}
