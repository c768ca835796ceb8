import { dotsPanel } from './dots';
import { ROWS_V, rowsAt, waitingDots } from './page';
import { derivativeOfRows, foldLanes } from './rows';
import { LINE } from './simd';
import { GROUP, flush, setPanel, updatePanel } from './update';

// The gradient of a mini-batch: listed panels of any chunks, the sums of every chunk apart, in one call.

/** Bytes of an entry: x, y, v, offset, panel in its chunk, first row, end of rows, chunk (u32 each). */
export const ENTRY: usize = 32;
const Y: usize = 4;
const V: usize = 8;
const OFFSET: usize = 12;
const PANEL: usize = 16;
const BEGIN: usize = 20;
const END: usize = 24;
export const CHUNK: usize = 28;

/** Sample weights of a panel, those of rows outside [begin, end) replaced by 0: at an address. */
// @ts-ignore: decorator
@inline function masked<T>(v: usize, begin: usize, end: usize): usize {
  if (end - begin == LINE / sizeof<T>()) return v;
  const to = rowsAt(ROWS_V);
  for (let row: usize = begin & ~1; row < ((end + 1) & ~1); row += 1)
    store<f64>(to + (row << 3), row >= begin && row < end ? load<f64>(v + (row << 3)) : 0);
  return to;
}

/** +0 in a multiple of 8 bytes. */
// @ts-ignore: decorator
@inline function clear(at: usize, bytes: usize): void {
  for (const end = at + bytes; at < end; at += 8) store<u64>(at, 0);
}

/** One row's dot product; `x` at the row in column 0. Blocks in the tree as in `dotsPanel`. */
// @ts-ignore: decorator
@inline function dotRow<T>(x: usize, columns: usize, blockColumns: usize, w: usize): T {
  const end = w + columns * sizeof<T>();
  const blockBytes = blockColumns * sizeof<T>();
  const waiting = waitingDots();
  let top = waiting;
  let s: T = 0;
  for (let block: usize = 0; ; block += 1) {
    const blockEnd = end - w > blockBytes ? w + blockBytes : end;
    s = 0;
    while (w + 2 * sizeof<T>() <= blockEnd) {
      s += load<T>(w) * load<T>(x);
      s += load<T>(w + sizeof<T>()) * load<T>(x + LINE);
      w += 2 * sizeof<T>();
      x += 2 * LINE;
    }
    if (w < blockEnd) {
      s += load<T>(w) * load<T>(x);
      w += sizeof<T>();
      x += LINE;
    }
    const last = w == end;
    for (let k = block; last ? top > waiting : (k & 1) != 0; k >>= 1) {
      top -= 8;
      s = load<T>(top) + s;
    }
    if (last) break;
    store<T>(top, s);
    top += 8;
  }
  return s;
}

/** sums_j = 0 + x_j·r: what a panel with r in one row only adds up to. */
// @ts-ignore: decorator
@inline function setRow<T>(x: usize, columns: usize, r: T, sums: usize): void {
  for (const end = sums + (columns << 3); sums < end; sums += 8) {
    store<f64>(sums, <f64>(load<T>(x) * r) + 0);
    x += LINE;
  }
}

export function gradientList<T, L>(
  list: usize, count: usize, columns: usize, blockColumns: usize, w: usize, b: f64, scratch: usize, accumulators: usize, out: usize,
): void {
  const dots = scratch;
  const r = scratch + LINE;
  const lanes = scratch + 2 * LINE;
  const rows = LINE / sizeof<T>();
  for (const end = list + count * ENTRY; list < end; ) {
    const chunk = load<u32>(list + CHUNK);
    const sums = out + 16;
    const single = list + ENTRY == end || load<u32>(list + ENTRY + CHUNK) != chunk;
    clear(lanes, 2 * LINE);
    if (!single) clear(sums, columns << 3);
    let group: usize = <usize>load<u32>(list + PANEL) / GROUP;
    do {
      const x: usize = load<u32>(list);
      const y: usize = load<u32>(list + Y);
      const offset: usize = load<u32>(list + OFFSET);
      const begin: usize = load<u32>(list + BEGIN);
      const last: usize = load<u32>(list + END);
      const v = masked<T>(load<u32>(list + V), begin, last);
      const from = (begin & ~1) << 3;
      const to = ((last + 1) & ~1) << 3;
      if (single && last - begin == 1) {
        const at = x + begin * sizeof<T>();
        store<T>(dots + begin * sizeof<T>(), dotRow<T>(at, columns, blockColumns, w));
        derivativeOfRows<T, L>(dots, b, y, v, offset, r, lanes, from, to);
        setRow<T>(at, columns, load<T>(r + begin * sizeof<T>()), sums);
      } else {
        if (last - begin < rows) clear(r, LINE);
        dotsPanel<T>(x, columns, blockColumns, w, dots);
        derivativeOfRows<T, L>(dots, b, y, v, offset, r, lanes, from, to);
        if (single) setPanel<T>(x, columns, r, sums);
        else {
          const next: usize = <usize>load<u32>(list + PANEL) / GROUP;
          if (sizeof<T>() == 4 && next != group) flush<T>(columns, accumulators, sums);
          group = next;
          updatePanel<T>(x, columns, r, accumulators);
        }
      }
      list += ENTRY;
    } while (list < end && load<u32>(list + CHUNK) == chunk);
    if (!single) flush<T>(columns, accumulators, sums);
    store<f64>(out, foldLanes(lanes));
    store<f64>(out + 8, foldLanes(lanes + LINE));
    out = sums + (columns << 3);
  }
}

/** left ← left + right, f64. */
export function addSums(left: usize, right: usize, count: usize): void {
  const end = left + (count << 3);
  for (; left + 16 <= end; left += 16) {
    v128.store(left, f64x2.add(v128.load(left), v128.load(right)));
    right += 16;
  }
  if (left < end) store<f64>(left, load<f64>(left) + load<f64>(right));
}
