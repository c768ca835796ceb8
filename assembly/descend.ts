import { CHUNK, ENTRY, LIST_LINES, addSums, gradientAmong } from './batch';
import { splat } from './math';
import { LINE, storePair } from './simd';

// Plain steps of gradient descent, batch after batch, in one call: for batches of few rows all that is not this takes longer.

/** Bytes of a batch of the table: entries (u32, and as much free), divisor, rate, share of the mean (f64 each). */
const BATCH: usize = 32;
const DIVISOR: usize = 8;
const RATE: usize = 16;
const SHARE: usize = 24;

/** Adds the chunks' sums at `out` into the first of them, in the tree over chunks; `stack` holds 33 pairs of u32. */
function addChunks(list: usize, end: usize, columns: usize, out: usize, stack: usize): void {
  const length = 2 + columns;
  const first = list;
  let top = stack;
  let before: u32 = 0;
  for (;;) {
    const over = list == end;
    const chunk: u32 = over ? 0 : load<u32>(list + CHUNK);
    // Level of the lowest node that holds both this chunk and the one before; after the last one, above all.
    const joint: u32 = over ? 33 : list == first ? 0 : 32 - clz<u32>(chunk ^ before);
    while (top > stack + 8 && load<u32>(top - 4) < joint) {
      top -= 8;
      addSums(load<u32>(top - 8), load<u32>(top), length);
    }
    if (over) break;
    store<u32>(top, <u32>out);
    store<u32>(top + 4, joint);
    top += 8;
    out += length << 3;
    before = chunk;
    do {
      list += ENTRY;
    } while (list < end && load<u32>(list + CHUNK) == chunk);
  }
}

/** at_j ← at_j − rate·(sums_j / divisor + l2·at_j), w_j = T(at_j). */
// @ts-ignore: decorator
@inline function step<T>(columns: usize, sums: usize, at: usize, w: usize, divisor: f64, rate: f64, l2: f64): void {
  const divisors = splat(divisor);
  const rates = splat(rate);
  const penalties = splat(l2);
  const end = at + (columns << 3);
  for (; at + 16 <= end; at += 16) {
    const before = v128.load(at);
    const g = f64x2.add(f64x2.div(v128.load(sums), divisors), f64x2.mul(penalties, before));
    const after = f64x2.sub(before, f64x2.mul(rates, g));
    v128.store(at, after);
    storePair<T>(w, after);
    sums += 16;
    w += 2 * sizeof<T>();
  }
  if (at < end) {
    const before = load<f64>(at);
    const after = before - rate * (load<f64>(sums) / divisor + l2 * before);
    store<f64>(at, after);
    store<T>(w, <T>after);
  }
}

/** mean ← mean + (at − mean)·share */
function average(count: usize, at: usize, mean: usize, share: f64): void {
  const shares = splat(share);
  const end = at + (count << 3);
  for (; at + 16 <= end; at += 16) {
    const before = v128.load(mean);
    v128.store(mean, f64x2.add(before, f64x2.mul(f64x2.sub(v128.load(at), before), shares)));
    mean += 16;
  }
  if (at < end) store<f64>(mean, load<f64>(mean) + (load<f64>(at) - load<f64>(mean)) * share);
}

// @ts-ignore: decorator
@inline export function descendList<T, L>(
  list: usize, batches: usize, count: usize, columns: usize, blockColumns: usize, w: usize, at: usize, mean: usize,
  l2: f64, intercept: u32, scratch: usize, accumulators: usize, out: usize,
): void {
  for (let j: usize = 0; j < columns; j += 1) store<T>(w + j * sizeof<T>(), <T>load<f64>(at + (j << 3)));
  const b = at + (columns << 3);
  let known = list;
  for (let i: usize = 0; i < count; i += 1) known += <usize>load<u32>(batches + i * BATCH) * ENTRY;
  for (const end = batches + count * BATCH; batches < end; batches += BATCH) {
    const entries: usize = load<u32>(batches);
    const next = list + entries * ENTRY;
    const divisor = load<f64>(batches + DIVISOR);
    const rate = load<f64>(batches + RATE);
    const share = load<f64>(batches + SHARE);
    gradientAmong<T, L>(list, entries, known, columns, blockColumns, w, load<f64>(b), scratch, accumulators, out);
    if (load<u32>(list + CHUNK) != load<u32>(next - ENTRY + CHUNK)) addChunks(list, next, columns, out, scratch + LIST_LINES * LINE);
    step<T>(columns, out + 16, at, w, divisor, rate, l2);
    if (intercept != 0) store<f64>(b, load<f64>(b) - rate * (load<f64>(out + 8) / divisor));
    if (share != 0) average(columns + 1, at, mean, share);
    list = next;
  }
}
