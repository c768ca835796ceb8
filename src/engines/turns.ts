/** How long a thread may be kept before its event loop gets a turn. */
const TURN_MS = 5;

/** Gives the event loop a turn when the last one is long ago. */
export function turns(): () => Promise<void> | undefined {
  let ends = performance.now() + TURN_MS;
  return () => {
    if (performance.now() < ends) return undefined;
    return new Promise((resolve) => {
      setImmediate(() => {
        ends = performance.now() + TURN_MS;
        resolve();
      });
    });
  };
}
