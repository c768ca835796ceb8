/** More bytes of arrays than this, most of them messages that were read, are looked through for dead ones … */
const LIMIT_BYTES = 24 * 1024 ** 2;
/** … but not more often than this: a look takes some 5 ms. */
const PAUSE_MS = 200;

/**
 * Keeps the memory of a worker close to that of its data: V8 by itself lets 64 MB of dead arrays stand. Does nothing where the
 * process was started without --expose-gc.
 */
export function collector(): () => void {
  let next = performance.now() + PAUSE_MS;
  let limit = LIMIT_BYTES;
  let collected = false;
  return () => {
    if (globalThis.gc === undefined || performance.now() < next) return;
    const { arrayBuffers } = process.memoryUsage();
    // Those that the last look left are alive. (Right after it they are not all given back yet.)
    if (collected && arrayBuffers > limit) limit = 2 * arrayBuffers;
    collected = arrayBuffers > limit;
    if (collected) globalThis.gc();
    next = performance.now() + PAUSE_MS;
  };
}
