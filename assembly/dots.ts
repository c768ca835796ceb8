import { waitingDots } from './page';
import { LINE, add, loadSplat, mul, quarter } from './simd';

/**
 * One panel: out[row] = Σ w_j·x_j. Columns ascending inside a block, from +0; blocks in the tree, by a binary counter: a
 * finished block is added to the nodes that wait for it, as many as its number has trailing ones.
 */
// @ts-ignore: decorator
@inline export function dotsPanel<T>(x: usize, columns: usize, blockColumns: usize, w: usize, out: usize): void {
  let s0 = v128.splat<T>(0);
  let s1 = v128.splat<T>(0);
  let s2 = v128.splat<T>(0);
  let s3 = v128.splat<T>(0);
  const end = w + columns * sizeof<T>();
  const blockBytes = blockColumns * sizeof<T>();
  let block: usize = 0;
  const waiting = waitingDots();
  let top = waiting;
  for (;;) {
    const blockEnd = end - w > blockBytes ? w + blockBytes : end;
    while (w + 2 * sizeof<T>() <= blockEnd) {
      const a = loadSplat<T>(w);
      s0 = add<T>(s0, mul<T>(a, quarter(x, 0)));
      s1 = add<T>(s1, mul<T>(a, quarter(x, 1)));
      s2 = add<T>(s2, mul<T>(a, quarter(x, 2)));
      s3 = add<T>(s3, mul<T>(a, quarter(x, 3)));
      const b = loadSplat<T>(w + sizeof<T>());
      s0 = add<T>(s0, mul<T>(b, quarter(x, 4)));
      s1 = add<T>(s1, mul<T>(b, quarter(x, 5)));
      s2 = add<T>(s2, mul<T>(b, quarter(x, 6)));
      s3 = add<T>(s3, mul<T>(b, quarter(x, 7)));
      w += 2 * sizeof<T>();
      x += 2 * LINE;
    }
    if (w < blockEnd) {
      const a = loadSplat<T>(w);
      s0 = add<T>(s0, mul<T>(a, quarter(x, 0)));
      s1 = add<T>(s1, mul<T>(a, quarter(x, 1)));
      s2 = add<T>(s2, mul<T>(a, quarter(x, 2)));
      s3 = add<T>(s3, mul<T>(a, quarter(x, 3)));
      w += sizeof<T>();
      x += LINE;
    }
    // The last block is added to every node that waits.
    const last = w == end;
    for (let k = block; last ? top > waiting : (k & 1) != 0; k >>= 1) {
      top -= LINE;
      s0 = add<T>(quarter(top, 0), s0);
      s1 = add<T>(quarter(top, 1), s1);
      s2 = add<T>(quarter(top, 2), s2);
      s3 = add<T>(quarter(top, 3), s3);
    }
    if (last) break;
    v128.store(top, s0);
    v128.store(top + 16, s1);
    v128.store(top + 32, s2);
    v128.store(top + 48, s3);
    top += LINE;
    block += 1;
    s0 = v128.splat<T>(0);
    s1 = v128.splat<T>(0);
    s2 = v128.splat<T>(0);
    s3 = v128.splat<T>(0);
  }
  v128.store(out, s0);
  v128.store(out + 16, s1);
  v128.store(out + 32, s2);
  v128.store(out + 48, s3);
}

/**
 * Two panels, wherever they are, as `dotsPanel` would one after the other: neither's additions, each of which waits for the one
 * before, nor its way from memory keeps the other from going on.
 */
// @ts-ignore: decorator
@inline export function dotsPair<T>(x: usize, y: usize, columns: usize, blockColumns: usize, w: usize, outX: usize, outY: usize): void {
  const end = w + columns * sizeof<T>();
  const blockBytes = blockColumns * sizeof<T>();
  const waiting = waitingDots();
  let top = waiting;
  for (let block: usize = 0; ; block += 1) {
    const blockEnd = end - w > blockBytes ? w + blockBytes : end;
    let s0 = v128.splat<T>(0);
    let s1 = v128.splat<T>(0);
    let s2 = v128.splat<T>(0);
    let s3 = v128.splat<T>(0);
    let t0 = v128.splat<T>(0);
    let t1 = v128.splat<T>(0);
    let t2 = v128.splat<T>(0);
    let t3 = v128.splat<T>(0);
    for (; w < blockEnd; w += sizeof<T>()) {
      const a = loadSplat<T>(w);
      s0 = add<T>(s0, mul<T>(a, quarter(x, 0)));
      s1 = add<T>(s1, mul<T>(a, quarter(x, 1)));
      s2 = add<T>(s2, mul<T>(a, quarter(x, 2)));
      s3 = add<T>(s3, mul<T>(a, quarter(x, 3)));
      t0 = add<T>(t0, mul<T>(a, quarter(y, 0)));
      t1 = add<T>(t1, mul<T>(a, quarter(y, 1)));
      t2 = add<T>(t2, mul<T>(a, quarter(y, 2)));
      t3 = add<T>(t3, mul<T>(a, quarter(y, 3)));
      x += LINE;
      y += LINE;
    }
    const last = w == end;
    for (let k = block; last ? top > waiting : (k & 1) != 0; k >>= 1) {
      top -= 2 * LINE;
      s0 = add<T>(quarter(top, 0), s0);
      s1 = add<T>(quarter(top, 1), s1);
      s2 = add<T>(quarter(top, 2), s2);
      s3 = add<T>(quarter(top, 3), s3);
      t0 = add<T>(quarter(top, 4), t0);
      t1 = add<T>(quarter(top, 5), t1);
      t2 = add<T>(quarter(top, 6), t2);
      t3 = add<T>(quarter(top, 7), t3);
    }
    const toX = last ? outX : top;
    const toY = last ? outY : top + LINE;
    v128.store(toX, s0);
    v128.store(toX + 16, s1);
    v128.store(toX + 32, s2);
    v128.store(toX + 48, s3);
    v128.store(toY, t0);
    v128.store(toY + 16, t1);
    v128.store(toY + 32, t2);
    v128.store(toY + 48, t3);
    if (last) return;
    top += 2 * LINE;
  }
}

// @ts-ignore: decorator
@inline export function dots<T>(x: usize, stride: usize, panels: usize, columns: usize, blockColumns: usize, w: usize, out: usize): void {
  for (const end = out + panels * LINE; out < end; out += LINE) {
    dotsPanel<T>(x, columns, blockColumns, w, out);
    x += stride;
  }
}

/** left ← left + right; count need not fill a vector. */
// @ts-ignore: decorator
@inline export function addDots<T>(left: usize, right: usize, count: usize): void {
  const end = left + count * sizeof<T>();
  while (left + 16 <= end) {
    v128.store(left, add<T>(v128.load(left), v128.load(right)));
    left += 16;
    right += 16;
  }
  for (; left < end; left += sizeof<T>()) {
    store<T>(left, load<T>(left) + load<T>(right));
    right += sizeof<T>();
  }
}
