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

// @ts-ignore: decorator
@inline function pack<S, T>(
  source: usize, columns: usize, rows: usize, count: usize, chosen: usize, width: usize, centers: usize, scales: usize, out: usize,
): f64 {
  const rowBytes = columns * sizeof<S>();
  const lanes: usize = LINE / sizeof<T>();
  let check = f64x2.splat(0);
  for (let i: usize = 0; i < count; i += 2) {
    const a = source + <usize>load<u32>(rows + (i << 2)) * rowBytes;
    // A last odd row is written twice: its neighbour's place is padding, which the caller clears.
    const b = i + 1 < count ? source + <usize>load<u32>(rows + ((i + 1) << 2)) * rowBytes : a;
    let to = out + (i / lanes) * width * LINE + (i % lanes) * sizeof<T>();
    for (let j: usize = 0; j < width; j += 1) {
      const at = <usize>load<u32>(chosen + (j << 2)) * sizeof<S>();
      const pair = f64x2.replace_lane(f64x2.splat(<f64>load<S>(a + at)), 1, <f64>load<S>(b + at));
      storePair<T>(to, f64x2.div(f64x2.sub(pair, v128.load64_splat(centers + (j << 3))), v128.load64_splat(scales + (j << 3))));
      // What is stored, times 0, is NaN where it is not finite.
      check = f64x2.add(check, f64x2.mul(loadPair<T>(to), f64x2.splat(0)));
      to += LINE;
    }
  }
  return f64x2.extract_lane(check, 0) + f64x2.extract_lane(check, 1);
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
