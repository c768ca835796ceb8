// The bulk of a Cholesky factorisation: finished columns times factors, taken from columns that follow, k ascending (docs/numerics.md
// §6). Rows go four at a time, and so do the columns that are changed.

/** Bytes of a group: one number of four rows. */
const GROUP: usize = 32;

/**
 * targets[c][i] −= Σ_k L[i][k] · L[c][k], one k after the other. `finished`: [row groups, count, 4 rows] of L, whose first group are the
 * rows of the targets' own numbers; `targets`: four columns, `stride` bytes apart, of `groups` · 4 rows.
 */
export function subtractProducts(finished: usize, count: usize, groups: usize, targets: usize, stride: usize): void {
  const whole = count * GROUP;
  const t1 = targets + stride;
  const t2 = t1 + stride;
  const t3 = t2 + stride;
  const factors = finished;
  const end = finished + whole;
  for (let at: usize = 0; at < groups * GROUP; at += GROUP) {
    let a0 = v128.load(targets + at);
    let a1 = v128.load(targets + at, 16);
    let b0 = v128.load(t1 + at);
    let b1 = v128.load(t1 + at, 16);
    let c0 = v128.load(t2 + at);
    let c1 = v128.load(t2 + at, 16);
    let d0 = v128.load(t3 + at);
    let d1 = v128.load(t3 + at, 16);
    let x = finished;
    for (let f = factors; f < end; f += GROUP, x += GROUP) {
      const x0 = v128.load(x);
      const x1 = v128.load(x, 16);
      const fa = v128.load64_splat(f);
      a0 = f64x2.sub(a0, f64x2.mul(x0, fa));
      a1 = f64x2.sub(a1, f64x2.mul(x1, fa));
      const fb = v128.load64_splat(f, 8);
      b0 = f64x2.sub(b0, f64x2.mul(x0, fb));
      b1 = f64x2.sub(b1, f64x2.mul(x1, fb));
      const fc = v128.load64_splat(f, 16);
      c0 = f64x2.sub(c0, f64x2.mul(x0, fc));
      c1 = f64x2.sub(c1, f64x2.mul(x1, fc));
      const fd = v128.load64_splat(f, 24);
      d0 = f64x2.sub(d0, f64x2.mul(x0, fd));
      d1 = f64x2.sub(d1, f64x2.mul(x1, fd));
    }
    v128.store(targets + at, a0);
    v128.store(targets + at, a1, 16);
    v128.store(t1 + at, b0);
    v128.store(t1 + at, b1, 16);
    v128.store(t2 + at, c0);
    v128.store(t2 + at, c1, 16);
    v128.store(t3 + at, d0);
    v128.store(t3 + at, d1, 16);
    finished += whole;
  }
}
