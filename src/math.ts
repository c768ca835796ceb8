/**
 * Elementary functions with + − × ÷ and bit operations only, branch-free, so that every engine and every version of V8
 * gives the same bits (docs/numerics.md §7); `assembly/math.ts` holds the same in SIMD, and tests hold the two together.
 * At most 2 ulp from the true value, over all doubles. Polynomials: interpolation at Chebyshev nodes, in exact arithmetic.
 */

/** 1.5 · 2⁵²: adding it rounds to an integer, which then stands in the low bits. */
const ROUND = 6_755_399_441_055_744;
// biome-ignore lint/suspicious/noApproximativeNumericConstant: its bits are fixed here, not by an engine
const LOG2E = 1.4426950408889634;
/** log 2 in two parts; the first has 32 bits, so that its product with an exponent is exact. */
const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;
const TWO54 = 18_014_398_509_481_984;
const SMALLEST_NORMAL = 2.2250738585072014e-308;

const EXP_LOW = -746;
const EXP_HIGH = 710;
/** Below this, expm1 is −1. */
const EXPM1_LOW = -40;

/** High word of √½ and of 1: mantissas are taken from [√½, √2). */
const SQRT_HALF_HIGH = 0x3fe6a09e;
const ONE_HIGH = 0x3ff00000;

const f64 = new Float64Array(1);
const i32 = new Int32Array(f64.buffer);

/** 2ⁿ, n from −1022 to 1023. */
function power(n: number): number {
  i32[0] = 0;
  i32[1] = (n + 1023) << 20;
  return f64[0] as number;
}

/** eʳ − 1 − r for |r| ≤ ½ log 2: r·c / (2 − c), where r − c is an even function of r. */
function expTail(r: number): number {
  const t = r * r;
  const even =
    t *
    (0.1666666666666666 +
      t * (-0.002777777777756372 + t * (6.61375647128222e-5 + t * (-1.6534059504897808e-6 + t * 4.1437411344187316e-8))));
  const c = r - even;
  return (r * c) / (2 - c);
}

/** eˣ */
export function exp(x: number): number {
  const low = x < EXP_LOW ? EXP_LOW : x;
  const c = low > EXP_HIGH ? EXP_HIGH : low;
  const k = c * LOG2E + ROUND - ROUND;
  const r = c - k * LN2_HIGH - k * LN2_LOW;
  const half = k >> 1;
  return (1 + (r + expTail(r))) * power(half) * power(k - half);
}

/** eˣ − 1 */
export function expm1(x: number): number {
  const low = x < EXPM1_LOW ? EXPM1_LOW : x;
  const c = low > EXP_HIGH ? EXP_HIGH : low;
  const k = c * LOG2E + ROUND - ROUND;
  const high = c - k * LN2_HIGH;
  const r = high - k * LN2_LOW;
  const lost = high - r - k * LN2_LOW;
  const tail = expTail(r) + lost;
  const half = k >> 1;
  const large = (1 + (r + tail)) * power(half) * power(k - half);
  const scale = power(k > 60 ? 60 : k);
  const sum = scale - 1 + scale * r;
  const rest = scale * r - (sum - (scale - 1));
  const result = k > 53 ? large : sum + (scale * tail + rest);
  return x === 0 ? x : result;
}

/** k·log 2 + log(1 + f) for 1 + f in [√½, √2). */
function logOf(f: number, k: number): number {
  const s = f / (2 + f);
  const z = s * s;
  const w = z * z;
  const odd = z * (0.666666666666667 + w * (0.2857142862611452 + w * (0.1818289077802613 + w * 0.146171283998073)));
  const even = w * (0.399999999998992 + w * (0.22222211112104948 + w * 0.15331666676597175));
  return k * LN2_HIGH - (s * (f - (odd + even)) - k * LN2_LOW - f);
}

/** log x; −∞ at 0, NaN below. */
export function log(x: number): number {
  const tiny = x < SMALLEST_NORMAL;
  f64[0] = tiny ? x * TWO54 : x;
  const bits = (i32[1] as number) + (ONE_HIGH - SQRT_HALF_HIGH);
  i32[1] = (bits & 0xfffff) + SQRT_HALF_HIGH;
  const result = logOf((f64[0] as number) - 1, (bits >> 20) - 1023 - (tiny ? 54 : 0));
  const finite = x < Number.POSITIVE_INFINITY ? result : x;
  return x > 0 ? finite : x === 0 ? Number.NEGATIVE_INFINITY : Number.NaN;
}

/** log(1 + x); −∞ at −1, NaN below. */
export function log1p(x: number): number {
  f64[0] = 1 + x;
  const bits = (i32[1] as number) + (ONE_HIGH - SQRT_HALF_HIGH);
  i32[1] = (bits & 0xfffff) + SQRT_HALF_HIGH;
  const mantissa = f64[0] as number;
  const k = (bits >> 20) - 1023;
  // x is scaled, not 1 + x, which has lost digits; where k is large it has lost none that count.
  const scale = power(k > 54 ? -54 : -k);
  const result = logOf(k > 54 ? mantissa - 1 : x * scale + (scale - 1), k);
  const finite = x < Number.POSITIVE_INFINITY ? result : x;
  const inside = x > -1 ? finite : x === -1 ? Number.NEGATIVE_INFINITY : Number.NaN;
  return x === 0 ? x : inside;
}

/** tanh x */
export function tanh(x: number): number {
  const a = x < 0 ? -x : x;
  const t = expm1(2 * a);
  const large = t > 2;
  const sum = t + 2;
  const lost = t - (sum - 2);
  const q = (large ? 2 : t) / sum;
  const result = large ? 1 - q : q - (q * lost) / sum;
  return x < 0 ? -result : x === 0 ? x : result;
}
