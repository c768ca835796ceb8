import { newSegment } from '../../data/store.ts';
import { WasmInstance } from '../../kernels/instance.ts';

/** More than caches hold. */
const BYTES = 128 * 1024 * 1024;
const PIECE = 4 * 1024 * 1024;
const PASSES = 5;
/** Addresses below this are never data (data/store.ts). */
const FIRST = 1024;

/** GB/s at which one thread reads memory with SIMD loads: no pass over the data can be faster per thread. */
export function measureReadLimit(): number {
  const memory = newSegment(BYTES);
  // Untouched pages are all the same page of zeros.
  new Float64Array(memory.buffer).fill(1);
  const read = new WasmInstance(memory).named('readLimit');
  const seconds: number[] = [];
  for (let pass = 0; pass < PASSES; pass += 1) {
    const began = performance.now();
    for (let at = 0; at + PIECE <= BYTES; at += PIECE) read(FIRST + at, PIECE);
    seconds.push((performance.now() - began) / 1000);
  }
  return BYTES / Math.min(...seconds) / 1e9;
}
