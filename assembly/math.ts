// The elementary functions of src/math.ts, two at a time: the same operations in the same order, so the same bits.
// Selections stand where src/math.ts has `? :`; see there for what the numbers mean.

// @ts-ignore: decorator
@inline export function splat(x: f64): v128 {
  return f64x2.splat(x);
}

// @ts-ignore: decorator
@inline function add(a: v128, b: v128): v128 {
  return f64x2.add(a, b);
}

// @ts-ignore: decorator
@inline function sub(a: v128, b: v128): v128 {
  return f64x2.sub(a, b);
}

// @ts-ignore: decorator
@inline function mul(a: v128, b: v128): v128 {
  return f64x2.mul(a, b);
}

const ROUND: f64 = 6755399441055744.0;
const LOG2E: f64 = 1.4426950408889634;
const LN2_HIGH: f64 = 0.6931471803691238;
const LN2_LOW: f64 = 1.9082149292705877e-10;
const TWO54: f64 = 18014398509481984.0;
const SMALLEST_NORMAL: f64 = 2.2250738585072014e-308;
const EXP_LOW: f64 = -746;
const EXP_HIGH: f64 = 710;
const EXPM1_LOW: f64 = -40;
/** From √½ to 1, in bits. */
const TO_ONE: i64 = 0x3ff0000000000000 - 0x3fe6a09e00000000;
const SQRT_HALF: i64 = 0x3fe6a09e00000000;
const MANTISSA: i64 = 0x000fffffffffffff;
/** Where log1p, for arguments from 0 to 1, begins to halve 1 + x: √2 with the low half of its bits 0. */
const SQRT_TWO: f64 = 1.4142131805419922;

/** 2ⁿ, n in the low half of each lane. */
// @ts-ignore: decorator
@inline function power(n: v128): v128 {
  return i64x2.shl(i32x4.add(n, i32x4.splat(1023)), 52);
}

// @ts-ignore: decorator
@inline function expTail(r: v128, s: v128): v128 {
  let even = add(mul(s, splat(2.7620138719733994e-7)), splat(2.480152119021773e-5));
  even = add(splat(0.0013888888917281794), mul(s, even));
  even = add(splat(0.04166666666662399), mul(s, even));
  even = add(splat(0.5000000000000001), mul(s, even));
  let odd = add(mul(s, splat(2.5100424157005067e-8)), splat(2.7557268378684192e-6));
  odd = add(splat(0.00019841269863105968), mul(s, odd));
  odd = add(splat(0.008333333333330051), mul(s, odd));
  odd = add(splat(0.16666666666666669), mul(s, odd));
  return add(even, mul(r, odd));
}

// @ts-ignore: decorator
@inline export function exp(x: v128): v128 {
  const c = f64x2.pmin(f64x2.pmax(x, splat(EXP_LOW)), splat(EXP_HIGH));
  const rounded = add(mul(c, splat(LOG2E)), splat(ROUND));
  const k = sub(rounded, splat(ROUND));
  const r = sub(sub(c, mul(k, splat(LN2_HIGH))), mul(k, splat(LN2_LOW)));
  const s = mul(r, r);
  const p = add(splat(1), add(r, mul(s, expTail(r, s))));
  const half = i32x4.shr_s(rounded, 1);
  return mul(mul(p, power(half)), power(i32x4.sub(rounded, half)));
}

/** exp for x ≤ 0 or NaN: scales by a power that exists for every k, then by a constant. The same bits. */
// @ts-ignore: decorator
@inline export function expNegative(x: v128): v128 {
  const c = f64x2.pmax(x, splat(EXP_LOW));
  const rounded = add(mul(c, splat(LOG2E)), splat(ROUND));
  const k = sub(rounded, splat(ROUND));
  const r = sub(sub(c, mul(k, splat(LN2_HIGH))), mul(k, splat(LN2_LOW)));
  const s = mul(r, r);
  const p = add(splat(1), add(r, mul(s, expTail(r, s))));
  const scale = i64x2.shl(i32x4.add(rounded, i32x4.splat(1023 + 1000)), 52);
  return mul(mul(p, scale), splat(reinterpret<f64>(<i64>(1023 - 1000) << 52)));
}

// @ts-ignore: decorator
@inline export function expm1(x: v128): v128 {
  const c = f64x2.pmin(f64x2.pmax(x, splat(EXPM1_LOW)), splat(EXP_HIGH));
  const rounded = add(mul(c, splat(LOG2E)), splat(ROUND));
  const k = sub(rounded, splat(ROUND));
  const high = sub(c, mul(k, splat(LN2_HIGH)));
  const low = mul(k, splat(LN2_LOW));
  const r = sub(high, low);
  const lost = sub(sub(high, r), low);
  const s = mul(r, r);
  const tail = add(mul(s, expTail(r, s)), lost);
  const half = i32x4.shr_s(rounded, 1);
  const large = mul(mul(add(splat(1), add(r, tail)), power(half)), power(i32x4.sub(rounded, half)));
  const scale = power(i32x4.min_s(rounded, i32x4.splat(60)));
  const less = sub(scale, splat(1));
  const scaled = mul(scale, r);
  const sum = add(less, scaled);
  const rest = sub(scaled, sub(sum, less));
  const small = add(sum, add(mul(scale, tail), rest));
  return v128.bitselect(x, v128.bitselect(large, small, f64x2.gt(k, splat(53))), f64x2.eq(x, splat(0)));
}

/** k·log 2 + log(1 + f), given k times both parts of log 2. */
// @ts-ignore: decorator
@inline function logOf(f: v128, kHigh: v128, kLow: v128): v128 {
  const s = f64x2.div(f, add(splat(2), f));
  const z = mul(s, s);
  const w = mul(z, z);
  let odd = add(splat(0.1818289077802613), mul(w, splat(0.146171283998073)));
  odd = add(splat(0.2857142862611452), mul(w, odd));
  odd = mul(z, add(splat(0.666666666666667), mul(w, odd)));
  let even = add(splat(0.22222211112104948), mul(w, splat(0.15331666676597175)));
  even = mul(w, add(splat(0.399999999998992), mul(w, even)));
  const half = mul(mul(splat(0.5), f), f);
  return sub(kHigh, sub(sub(half, add(mul(s, add(half, add(odd, even))), kLow)), f));
}

/** Exponent field, as f64 less 1023, of lanes that were moved up by TO_ONE. */
// @ts-ignore: decorator
@inline function exponent(bits: v128): v128 {
  return sub(v128.or(i64x2.shr_u(bits, 52), i64x2.splat(0x4330000000000000)), splat(4503599627370496.0 + 1023));
}

// @ts-ignore: decorator
@inline function mantissa(bits: v128): v128 {
  return i64x2.add(v128.and(bits, i64x2.splat(MANTISSA)), i64x2.splat(SQRT_HALF));
}

// @ts-ignore: decorator
@inline export function log(x: v128): v128 {
  const tiny = f64x2.lt(x, splat(SMALLEST_NORMAL));
  const bits = i64x2.add(v128.bitselect(mul(x, splat(TWO54)), x, tiny), i64x2.splat(TO_ONE));
  const k = sub(exponent(bits), v128.and(tiny, splat(54)));
  const result = logOf(sub(mantissa(bits), splat(1)), mul(k, splat(LN2_HIGH)), mul(k, splat(LN2_LOW)));
  const finite = v128.bitselect(result, x, f64x2.lt(x, splat(f64.POSITIVE_INFINITY)));
  const outside = v128.bitselect(splat(f64.NEGATIVE_INFINITY), splat(f64.NaN), f64x2.eq(x, splat(0)));
  return v128.bitselect(finite, outside, f64x2.gt(x, splat(0)));
}

// @ts-ignore: decorator
@inline export function log1p(x: v128): v128 {
  const bits = i64x2.add(add(splat(1), x), i64x2.splat(TO_ONE));
  const k = exponent(bits);
  const far = f64x2.gt(k, splat(54));
  const scale = power(add(f64x2.pmax(f64x2.neg(k), splat(-54)), splat(ROUND)));
  const near = add(mul(x, scale), sub(scale, splat(1)));
  const f = v128.bitselect(sub(mantissa(bits), splat(1)), near, far);
  const result = logOf(f, mul(k, splat(LN2_HIGH)), mul(k, splat(LN2_LOW)));
  const finite = v128.bitselect(result, x, f64x2.lt(x, splat(f64.POSITIVE_INFINITY)));
  const outside = v128.bitselect(splat(f64.NEGATIVE_INFINITY), splat(f64.NaN), f64x2.eq(x, splat(-1)));
  const inside = v128.bitselect(finite, outside, f64x2.gt(x, splat(-1)));
  return v128.bitselect(x, inside, f64x2.eq(x, splat(0)));
}

/** log1p for x from +0 to 1, or NaN, given 1 + x: k is 0 or 1. The same bits. */
// @ts-ignore: decorator
@inline export function log1pUnit(x: v128, sum: v128): v128 {
  const one = f64x2.ge(sum, splat(SQRT_TWO));
  // Half of x less a half where 1 + x is halved, else x: scale·x + (scale − 1).
  const f = v128.bitselect(sub(mul(x, splat(0.5)), splat(0.5)), x, one);
  return logOf(f, v128.and(one, splat(LN2_HIGH)), v128.and(one, splat(LN2_LOW)));
}

// @ts-ignore: decorator
@inline export function tanh(x: v128): v128 {
  const a = v128.bitselect(f64x2.neg(x), x, f64x2.lt(x, splat(0)));
  const t = expm1(mul(splat(2), a));
  const large = f64x2.gt(t, splat(2));
  const sum = add(t, splat(2));
  const lost = sub(t, sub(sum, splat(2)));
  const q = f64x2.div(v128.bitselect(splat(2), t, large), sum);
  const result = v128.bitselect(sub(splat(1), q), sub(q, f64x2.div(mul(q, lost), sum)), large);
  const signed = v128.bitselect(f64x2.neg(result), result, f64x2.lt(x, splat(0)));
  return v128.bitselect(x, signed, f64x2.eq(x, splat(0)));
}

/** to[i] = f(from[i]) for an even number of f64; f: 0 exp, 1 log, 2 log1p, 3 expm1, 4 tanh. */
export function mapMath(f: i32, from: usize, to: usize, count: usize): void {
  for (let at: usize = 0; at < count << 3; at += 16) {
    const x = v128.load(from + at);
    let y = x;
    if (f == 0) y = exp(x);
    else if (f == 1) y = log(x);
    else if (f == 2) y = log1p(x);
    else if (f == 3) y = expm1(x);
    else if (f == 4) y = tanh(x);
    v128.store(to + at, y);
  }
}

/** The narrow forms that the logistic loss uses: 0 exp of x ≤ 0, 1 log1p of 0 ≤ x ≤ 1. */
export function mapUnit(f: i32, from: usize, to: usize, count: usize): void {
  for (let at: usize = 0; at < count << 3; at += 16) {
    const x = v128.load(from + at);
    v128.store(to + at, f == 0 ? expNegative(x) : log1pUnit(x, add(splat(1), x)));
  }
}
