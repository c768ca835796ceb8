import { LINE, loadPair, storePair } from './simd';

// From row-major arrays to panels, and their moments (docs/numerics.md §8). `S` is the type of the source, `T` the storage
// type; arithmetic is f64.

// @ts-ignore: decorator
@inline function moments<S>(source: usize, columns: usize, rows: usize, count: usize, before: usize, share: usize, mean: usize, m2: usize): void {
  const rowBytes = columns * sizeof<S>();
  const end = mean + ((columns + 1) >> 1 << 4);
  for (let i: usize = 0; i < count; i += 1) {
    let x = source + <usize>load<u32>(rows + (i << 2)) * rowBytes;
    const n = v128.load64_splat(before + (i << 3));
    const part = v128.load64_splat(share + (i << 3));
    // Two columns a step; an odd last one takes a neighbour along, whose sums nobody reads.
    for (let m = mean, q = m2; m < end; m += 16, q += 16) {
      const delta = f64x2.sub(loadPair<S>(x), v128.load(m));
      const r = f64x2.mul(delta, part);
      v128.store(m, f64x2.add(v128.load(m), r));
      v128.store(q, f64x2.add(v128.load(q), f64x2.mul(n, f64x2.mul(delta, r))));
      x += 2 * sizeof<S>();
    }
  }
}

/** (x − centre) / scale of one value of two rows. */
// @ts-ignore: decorator
@inline function scaledPair<S>(a: usize, b: usize, center: usize, scale: usize): v128 {
  const pair = f64x2.replace_lane(f64x2.splat(<f64>load<S>(a)), 1, <f64>load<S>(b));
  return f64x2.div(f64x2.sub(pair, v128.load64_splat(center)), v128.load64_splat(scale));
}

/** Two values of each of two rows, as two rows of each of two columns, in T: at an address, and a line further on. */
// @ts-ignore: decorator
@inline function storeTurned<T>(to: usize, a: v128, b: v128): void {
  storePair<T>(to, v128.shuffle<i64>(a, b, 0, 2));
  storePair<T>(to + LINE, v128.shuffle<i64>(a, b, 1, 3));
}

/** (x − centre) / scale of two neighbouring columns of one row. */
// @ts-ignore: decorator
@inline function scaledColumns<S>(x: usize, center: v128, scale: v128): v128 {
  return f64x2.div(f64x2.sub(loadPair<S>(x), center), scale);
}

/** Four rows of f64 pairs for columns j and j + 1, and for j + 2 and j + 3, as f32, turned into columns of four rows each. */
// @ts-ignore: decorator
@inline function storeFour(to: usize, a0: v128, a2: v128, b0: v128, b2: v128, c0: v128, c2: v128, d0: v128, d2: v128): v128 {
  const a = v128.shuffle<i64>(f32x4.demote_f64x2_zero(a0), f32x4.demote_f64x2_zero(a2), 0, 2);
  const b = v128.shuffle<i64>(f32x4.demote_f64x2_zero(b0), f32x4.demote_f64x2_zero(b2), 0, 2);
  const c = v128.shuffle<i64>(f32x4.demote_f64x2_zero(c0), f32x4.demote_f64x2_zero(c2), 0, 2);
  const d = v128.shuffle<i64>(f32x4.demote_f64x2_zero(d0), f32x4.demote_f64x2_zero(d2), 0, 2);
  const ab01 = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
  const ab23 = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
  const cd01 = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
  const cd23 = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<i64>(ab01, cd01, 0, 2));
  v128.store(to + LINE, v128.shuffle<i64>(ab01, cd01, 1, 3));
  v128.store(to + 2 * LINE, v128.shuffle<i64>(ab23, cd23, 0, 2));
  v128.store(to + 3 * LINE, v128.shuffle<i64>(ab23, cd23, 1, 3));
  const zero = f32x4.splat(0);
  return f32x4.add(f32x4.add(f32x4.mul(a, zero), f32x4.mul(b, zero)), f32x4.add(f32x4.mul(c, zero), f32x4.mul(d, zero)));
}

/**
 * Rows go four at a time, and so do columns that are neighbours in the source: as many divisions as ever, which are most of the
 * work, but a fourth of the loads and stores. After a last row that makes no four it is written again, to the padding: the caller
 * clears that. Returns 0, or NaN where something that was stored is not finite.
 */
// @ts-ignore: decorator
@inline function pack<S, T>(
  source: usize, columns: usize, rows: usize, count: usize, chosen: usize, width: usize, centers: usize, scales: usize, out: usize,
): f64 {
  const rowBytes = columns * sizeof<S>();
  const lanes: usize = LINE / sizeof<T>();
  const last = rows + ((count - 1) << 2);
  // What is stored, times 0, is NaN where it is not finite.
  let check = f64x2.splat(0);
  let checkF32 = f32x4.splat(0);
  for (let i: usize = 0; i < count; i += 4) {
    const row = rows + (i << 2);
    const a = source + <usize>load<u32>(row) * rowBytes;
    const b = source + <usize>load<u32>(row + 4 < last ? row + 4 : last) * rowBytes;
    const c = source + <usize>load<u32>(row + 8 < last ? row + 8 : last) * rowBytes;
    const d = source + <usize>load<u32>(row + 12 < last ? row + 12 : last) * rowBytes;
    let to = out + (i / lanes) * width * LINE + (i % lanes) * sizeof<T>();
    for (let j: usize = 0; j < width; ) {
      const number: usize = load<u32>(chosen + (j << 2));
      const at = number * sizeof<S>();
      const center = centers + (j << 3);
      const scale = scales + (j << 3);
      // Columns ascend: where the fourth from here has a number that is higher by three, none is left out between.
      if (j + 4 <= width && <usize>load<u32>(chosen + (j << 2), 12) == number + 3) {
        const center0 = v128.load(center);
        const center2 = v128.load(center, 16);
        const scale0 = v128.load(scale);
        const scale2 = v128.load(scale, 16);
        const a0 = scaledColumns<S>(a + at, center0, scale0);
        const a2 = scaledColumns<S>(a + at + 2 * sizeof<S>(), center2, scale2);
        const b0 = scaledColumns<S>(b + at, center0, scale0);
        const b2 = scaledColumns<S>(b + at + 2 * sizeof<S>(), center2, scale2);
        const c0 = scaledColumns<S>(c + at, center0, scale0);
        const c2 = scaledColumns<S>(c + at + 2 * sizeof<S>(), center2, scale2);
        const d0 = scaledColumns<S>(d + at, center0, scale0);
        const d2 = scaledColumns<S>(d + at + 2 * sizeof<S>(), center2, scale2);
        if (sizeof<T>() == 4) checkF32 = f32x4.add(checkF32, storeFour(to, a0, a2, b0, b2, c0, c2, d0, d2));
        else {
          storeTurned<T>(to, a0, b0);
          storeTurned<T>(to + 2 * LINE, a2, b2);
          storeTurned<T>(to + 16, c0, d0);
          storeTurned<T>(to + 2 * LINE + 16, c2, d2);
          const zero = f64x2.splat(0);
          const ab = f64x2.add(f64x2.add(f64x2.mul(a0, zero), f64x2.mul(a2, zero)), f64x2.add(f64x2.mul(b0, zero), f64x2.mul(b2, zero)));
          const cd = f64x2.add(f64x2.add(f64x2.mul(c0, zero), f64x2.mul(c2, zero)), f64x2.add(f64x2.mul(d0, zero), f64x2.mul(d2, zero)));
          check = f64x2.add(check, f64x2.add(ab, cd));
        }
        j += 4;
        to += 4 * LINE;
      } else {
        storePair<T>(to, scaledPair<S>(a + at, b + at, center, scale));
        storePair<T>(to + 2 * sizeof<T>(), scaledPair<S>(c + at, d + at, center, scale));
        const zero = f64x2.splat(0);
        check = f64x2.add(check, f64x2.mul(loadPair<T>(to), zero));
        check = f64x2.add(check, f64x2.mul(loadPair<T>(to + 2 * sizeof<T>()), zero));
        j += 1;
        to += LINE;
      }
    }
  }
  const sums = f64x2.add(check, f64x2.add(f64x2.promote_low_f32x4(checkF32), f64x2.promote_low_f32x4(v128.shuffle<i64>(checkF32, checkF32, 1, 1))));
  return f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1);
}

export function momentsF32(source: usize, columns: usize, rows: usize, count: usize, before: usize, share: usize, mean: usize, m2: usize): void {
  moments<f32>(source, columns, rows, count, before, share, mean, m2);
}

export function momentsF64(source: usize, columns: usize, rows: usize, count: usize, before: usize, share: usize, mean: usize, m2: usize): void {
  moments<f64>(source, columns, rows, count, before, share, mean, m2);
}

export function packF32F32(
  source: usize, columns: usize, rows: usize, count: usize, chosen: usize, width: usize, centers: usize, scales: usize, out: usize,
): f64 {
  return pack<f32, f32>(source, columns, rows, count, chosen, width, centers, scales, out);
}

export function packF32F64(
  source: usize, columns: usize, rows: usize, count: usize, chosen: usize, width: usize, centers: usize, scales: usize, out: usize,
): f64 {
  return pack<f32, f64>(source, columns, rows, count, chosen, width, centers, scales, out);
}

export function packF64F32(
  source: usize, columns: usize, rows: usize, count: usize, chosen: usize, width: usize, centers: usize, scales: usize, out: usize,
): f64 {
  return pack<f64, f32>(source, columns, rows, count, chosen, width, centers, scales, out);
}

export function packF64F64(
  source: usize, columns: usize, rows: usize, count: usize, chosen: usize, width: usize, centers: usize, scales: usize, out: usize,
): f64 {
  return pack<f64, f64>(source, columns, rows, count, chosen, width, centers, scales, out);
}
