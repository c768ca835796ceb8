/**
 * Elementary functions to some 150 digits by series in BigInt fixed point: independent of the polynomials that they check.
 * A value is n / 2^BITS; BITS holds every double exactly.
 */
export const BITS = 1400;
/** Digits of a series, less than BITS so that tests are quick, enough for a double's relative precision at any size. */
const GUARD = 180;
const ONE = 1n << BigInt(BITS);

const f64 = new Float64Array(1);
const bits = new BigUint64Array(f64.buffer);

/** A finite double, exactly. */
export function exactly(x: number): bigint {
  f64[0] = x;
  const word = bits[0] as bigint;
  const field = (word >> 52n) & 0x7ffn;
  const fraction = word & 0xfffffffffffffn;
  const mantissa = field === 0n ? fraction : fraction | (1n << 52n);
  const exponent = (field === 0n ? 1n : field) - 1075n + BigInt(BITS);
  const magnitude = mantissa << exponent;
  return word >> 63n === 1n ? -magnitude : magnitude;
}

/** Distance of `actual` from the true value in units of its last place. */
export function ulps(actual: number, truth: bigint): number {
  f64[0] = actual;
  const field = ((bits[0] as bigint) >> 52n) & 0x7ffn;
  const exponent = (field === 0n ? 1n : field) - 1075n + BigInt(BITS);
  const error = exactly(actual) - truth;
  return Number(((error < 0n ? -error : error) << 20n) >> exponent) / 2 ** 20;
}

/** The precision of a series whose argument has `size` bits after BITS. */
const precisionOf = (x: bigint): bigint => {
  const magnitude = x < 0n ? -x : x;
  const length = magnitude === 0n ? 0 : magnitude.toString(16).length * 4;
  return BigInt(Math.min(BITS, Math.max(0, BITS - length) + GUARD));
};

/** 2·atanh(n / d) at a precision. */
function twiceAtanh(n: bigint, d: bigint, precision: bigint): bigint {
  let power = ((n << precision) * 2n) / d;
  const ratio = ((n * n) << precision) / (d * d);
  let sum = 0n;
  for (let k = 1n; power !== 0n && power !== -1n; k += 2n) {
    sum += power / k;
    power = (power * ratio) >> precision;
  }
  return sum;
}

const LN2 = twiceAtanh(1n, 3n, BigInt(BITS));

/** e^x − 1 for a small fixed-point x at a precision. */
function expm1Series(x: bigint, precision: bigint): bigint {
  let term = x;
  let sum = 0n;
  for (let k = 2n; term !== 0n && term !== -1n; k += 1n) {
    sum += term;
    term = (term * x) / (k << precision);
  }
  return sum;
}

/** e^x − 1 and e^x, at BITS. */
function powers(x: bigint): { exp: bigint; expm1: bigint } {
  const k = (2n * x + LN2) / (2n * LN2) - (2n * x + LN2 < 0n ? 1n : 0n);
  const rest = x - k * LN2;
  // Half a thousand bits where e^x may be as small as the smallest double.
  const precision = k === 0n ? precisionOf(rest) : 400n;
  const shift = BigInt(BITS) - precision;
  const small = expm1Series(rest >> shift, precision) << shift;
  const exp = k >= 0n ? (ONE + small) << k : (ONE + small) >> -k;
  return { exp, expm1: k === 0n ? small : exp - ONE };
}

function logOf(value: bigint): bigint {
  let k = BigInt(value.toString(2).length - 1 - BITS);
  const m = k >= 0n ? value : value << -k;
  let unit = k >= 0n ? ONE << k : ONE;
  if (2n * m > 3n * unit) {
    unit *= 2n;
    k += 1n;
  }
  const precision = precisionOf(((m - unit) << BigInt(BITS)) / unit);
  return k * LN2 + (twiceAtanh(m - unit, m + unit, precision) << (BigInt(BITS) - precision));
}

/** The functions of src/math.ts for finite arguments inside their domains. */
export const exact: Record<'exp' | 'log' | 'log1p' | 'expm1' | 'tanh', (x: number) => bigint> = {
  exp: (x) => powers(exactly(x)).exp,
  expm1: (x) => powers(exactly(x)).expm1,
  log: (x) => logOf(exactly(x)),
  log1p: (x) => logOf(ONE + exactly(x)),
  tanh: (x) => {
    // As near to ±1 as BITS can tell.
    if (Math.abs(x) > 500) return x > 0 ? ONE : -ONE;
    const t = powers(2n * exactly(x)).expm1;
    return (t << BigInt(BITS)) / (t + 2n * ONE);
  },
};
