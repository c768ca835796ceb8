/** Exact least squares in fractions of big integers: every f64 is one. */
interface Fraction {
  readonly n: bigint;
  readonly d: bigint;
}

function gcd(a: bigint, b: bigint): bigint {
  let [x, y] = [a < 0n ? -a : a, b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
}

function fraction(n: bigint, d: bigint): Fraction {
  const g = gcd(n, d < 0n ? -d : d) || 1n;
  return d < 0n ? { n: -n / g, d: -d / g } : { n: n / g, d: d / g };
}

export function exactly(value: number): Fraction {
  let scaled = value;
  let d = 1n;
  while (!Number.isInteger(scaled)) {
    scaled *= 2;
    d *= 2n;
  }
  return fraction(BigInt(scaled), d);
}

const add = (a: Fraction, b: Fraction): Fraction => fraction(a.n * b.d + b.n * a.d, a.d * b.d);
const times = (a: Fraction, b: Fraction): Fraction => fraction(a.n * b.n, a.d * b.d);
const over = (a: Fraction, b: Fraction): Fraction => fraction(a.n * b.d, a.d * b.n);
const minus = (a: Fraction): Fraction => ({ n: -a.n, d: a.d });

export function toNumber(a: Fraction): number {
  const shift = 2n ** 1200n;
  // 64 significant bits are kept, and the scale is taken back in two steps that do not overflow.
  const scaled = (a.n * shift) / a.d;
  const bits = scaled.toString(2).replace('-', '').length;
  const drop = BigInt(Math.max(0, bits - 64));
  return Number(scaled >> drop) * 2 ** (Number(drop) - 600 - 300) * 2 ** -300;
}

/** The exact minimiser of Σ½(z − y)²/rows + l2/2·‖w‖², intercept last (not penalised), rounded at the very end. */
export function exactLeastSquares(rows: number, columns: number, x: Float64Array, y: Float64Array, l2 = 0): Float64Array {
  const n = columns + 1;
  const row = (i: number): Fraction[] => Array.from({ length: n }, (_, j) => (j < columns ? exactly(x[i * columns + j]) : exactly(1)));
  const a = Array.from({ length: n }, () => Array.from({ length: n + 1 }, () => exactly(0)));
  for (let i = 0; i < rows; i += 1) {
    const values = [...row(i), exactly(y[i])];
    for (let j = 0; j < n; j += 1) for (let k = j; k <= n; k += 1) a[j][k] = add(a[j][k], times(values[j], values[k]));
  }
  for (let j = 0; j < n; j += 1) {
    for (let k = 0; k < j; k += 1) a[j][k] = a[k][j];
    if (j < columns) a[j][j] = add(a[j][j], times(exactly(l2), exactly(rows)));
  }
  for (let p = 0; p < n; p += 1)
    for (let i = p + 1; i < n; i += 1) {
      const factor = minus(over(a[i][p], a[p][p]));
      for (let k = p; k <= n; k += 1) a[i][k] = add(a[i][k], times(factor, a[p][k]));
    }
  const w: Fraction[] = [];
  for (let p = n - 1; p >= 0; p -= 1) {
    let s = a[p][n];
    for (let k = p + 1; k < n; k += 1) s = add(s, minus(times(a[p][k], w[k])));
    w[p] = over(s, a[p][p]);
  }
  return Float64Array.from(w, toNumber);
}

/** Correct decimal digits of the worst coefficient. */
export function digits(found: Float64Array, wanted: Float64Array): number {
  return Math.min(...Array.from(wanted, (w, j) => (found[j] === w ? 17 : -Math.log10(Math.abs((found[j] - w) / w)))));
}
