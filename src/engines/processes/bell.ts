/** Longest wait of a timer. */
export const FOREVER_MS = 2 ** 31 - 1;

/** For those who wait until something has changed, and look again then. */
export class Bell {
  #waiting: (() => void)[] = [];

  /** Something has changed. */
  ring(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  /** Resolves when something has changed, or after a time. */
  async heard(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, Math.min(ms, FOREVER_MS));
      this.#waiting.push(resolve);
    });
    clearTimeout(timer);
  }
}
