// Sums of two arrays, in a module of its own over plain memory (src/kernels/adder.ts). Arrays begin at multiples of 16.

/** out[i] = a[i] + b[i], each rounded to T. */
// @ts-ignore: decorator
@inline function addArrays<T>(a: usize, b: usize, out: usize, count: i32): void {
  const end = a + count * sizeof<T>();
  while (a + 64 <= end) {
    v128.store(out, v128.add<T>(v128.load(a), v128.load(b)));
    v128.store(out, v128.add<T>(v128.load(a, 16), v128.load(b, 16)), 16);
    v128.store(out, v128.add<T>(v128.load(a, 32), v128.load(b, 32)), 32);
    v128.store(out, v128.add<T>(v128.load(a, 48), v128.load(b, 48)), 48);
    a += 64;
    b += 64;
    out += 64;
  }
  for (; a < end; a += sizeof<T>(), b += sizeof<T>(), out += sizeof<T>()) store<T>(out, <T>(load<T>(a) + load<T>(b)));
}

export function addF32(a: usize, b: usize, out: usize, count: i32): void {
  addArrays<f32>(a, b, out, count);
}

export function addF64(a: usize, b: usize, out: usize, count: i32): void {
  addArrays<f64>(a, b, out, count);
}
