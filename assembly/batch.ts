import { dotsPair, dotsPanel } from './dots';
import { ROWS_V, rowsAt, waitingDots } from './page';
import { derivativeOfRows, foldLanes, rowBytes } from './rows';
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
/** Entries that are asked for, and whose dots are made, at a time. */
const AHEAD: usize = 4;
/** Lines of scratch: dots of so many, residuals, lanes of two scalars, and one for what is asked for. */
export const LIST_LINES: usize = AHEAD + 4;
/** Bytes of a page of the operating system. */
const OS_PAGE: usize = 4096;

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

/** One word of what the entries [list, end) need first: so that the ways from memory, and the look-ups of pages, go side by side. */
// @ts-ignore: decorator
@inline function touch<T>(list: usize, end: usize, columns: usize, at: usize): void {
  const lastRow = rowBytes<T>() - 8;
  let seen: u64 = 0;
  for (; list < end; list += ENTRY) {
    const x: usize = load<u32>(list);
    const y: usize = load<u32>(list + Y);
    const v: usize = load<u32>(list + V);
    seen ^= load<u64>(y) ^ load<u64>(v) ^ load<u64>(y + lastRow) ^ load<u64>(v + lastRow);
    for (let line: usize = 0; line < columns * LINE; line += OS_PAGE) seen ^= load<u64>(x + line);
  }
  // Where nothing came of it, a compiler might leave the loads out.
  store<u64>(at, seen);
}

/** Dots of the entries [list, end) at `dots`, a line each: of one row where no other counts. */
// @ts-ignore: decorator
@inline function dotsOf<T>(list: usize, end: usize, columns: usize, blockColumns: usize, w: usize, dots: usize): void {
  while (list < end) {
    const x: usize = load<u32>(list);
    const begin: usize = load<u32>(list + BEGIN);
    if (load<u32>(list + END) - <u32>begin == 1) {
      const row = begin * sizeof<T>();
      store<T>(dots + row, dotRow<T>(x + row, columns, blockColumns, w));
    } else if (list + ENTRY < end) {
      dotsPair<T>(x, load<u32>(list + ENTRY), columns, blockColumns, w, dots, dots + LINE);
      list += ENTRY;
      dots += LINE;
    } else dotsPanel<T>(x, columns, blockColumns, w, dots);
    list += ENTRY;
    dots += LINE;
  }
}

/**
 * `known`: end of the entries that are listed, of this batch and of those after it. Panels of a batch lie anywhere, and no prefetcher
 * knows which comes next: so a few are asked for at a time, and their dots are made in pairs.
 */
export function gradientAmong<T, L>(
  list: usize, count: usize, known: usize, columns: usize, blockColumns: usize, w: usize, b: f64,
  scratch: usize, accumulators: usize, out: usize,
): void {
  const r = scratch + AHEAD * LINE;
  const lanes = r + LINE;
  const rows = LINE / sizeof<T>();
  const end = list + count * ENTRY;
  let dots = scratch;
  let group: usize = 0;
  let isFirst = true;
  for (let ready = list; list < end; list += ENTRY) {
    if (list == ready) {
      const ahead = list + AHEAD * ENTRY;
      touch<T>(list, ahead < known ? ahead : known, columns, lanes + 2 * LINE);
      ready = ahead < end ? ahead : end;
      dotsOf<T>(list, ready, columns, blockColumns, w, scratch);
      dots = scratch;
    }
    const x: usize = load<u32>(list);
    const panelGroup: usize = <usize>load<u32>(list + PANEL) / GROUP;
    const begin: usize = load<u32>(list + BEGIN);
    const last: usize = load<u32>(list + END);
    const sums = out + 16;
    const isLast = list + ENTRY == end || load<u32>(list + ENTRY + CHUNK) != load<u32>(list + CHUNK);
    if (isFirst) clear(lanes, 2 * LINE);
    if (last - begin < rows) clear(r, LINE);
    const v = masked<T>(load<u32>(list + V), begin, last);
    derivativeOfRows<T, L>(dots, b, load<u32>(list + Y), v, load<u32>(list + OFFSET), r, lanes, (begin & ~1) << 3, ((last + 1) & ~1) << 3);
    dots += LINE;
    if (isFirst && isLast) {
      const row = begin * sizeof<T>();
      if (last - begin == 1) setRow<T>(x + row, columns, load<T>(r + row), sums);
      else setPanel<T>(x, columns, r, sums);
    } else {
      if (isFirst) clear(sums, columns << 3);
      else if (sizeof<T>() == 4 && panelGroup != group) flush<T>(columns, accumulators, sums);
      group = panelGroup;
      updatePanel<T>(x, columns, r, accumulators);
      if (isLast) flush<T>(columns, accumulators, sums);
    }
    isFirst = isLast;
    if (!isLast) continue;
    store<f64>(out, foldLanes(lanes));
    store<f64>(out + 8, foldLanes(lanes + LINE));
    out = sums + (columns << 3);
  }
}

/** The gradient of one batch, of which alone entries are listed. */
// @ts-ignore: decorator
@inline export function gradientList<T, L>(
  list: usize, count: usize, columns: usize, blockColumns: usize, w: usize, b: f64, scratch: usize, accumulators: usize, out: usize,
): void {
  gradientAmong<T, L>(list, count, list + count * ENTRY, columns, blockColumns, w, b, scratch, accumulators, out);
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
