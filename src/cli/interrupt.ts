import process from 'node:process';
import { Interrupted } from './failures.ts';

/**
 * Runs `work` with a signal that the first Ctrl-C aborts; the second one has its usual effect, the end of the process. A
 * rejection after an abort is `Interrupted`.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>, onInterrupt: () => void): Promise<T> {
  const controller = new AbortController();
  const stop = (): void => {
    onInterrupt();
    controller.abort();
  };
  process.once('SIGINT', stop);
  try {
    return await work(controller.signal);
  } catch (error) {
    if (controller.signal.aborted && error instanceof Error && error.name === 'AbortError') throw new Interrupted();
    throw error;
  } finally {
    process.removeListener('SIGINT', stop);
  }
}
