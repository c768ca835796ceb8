import { EXP_LOW, EXP_TAIL, HALF, HALVE, LN2_HIGH, LN2_LOW, LOG2E, LOG_TAIL, ONE, ROUND, SCALE_DOWN, SCALE_FIELD, SQRT_TWO, TWO, constant } from './page';

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

const TWO54: f64 = 18014398509481984.0;
const SMALLEST_NORMAL: f64 = 2.2250738585072014e-308;
const EXP_HIGH: f64 = 710;
const EXPM1_LOW: f64 = -40;
/** From √½ to 1, in bits. */
const TO_ONE: i64 = 0x3ff0000000000000 - 0x3fe6a09e00000000;
const SQRT_HALF: i64 = 0x3fe6a09e00000000;
const MANTISSA: i64 = 0x000fffffffffffff;
/** 2ⁿ, n in the low half of each lane. */
// @ts-ignore: decorator
@inline function power(n: v128): v128 {
  return i64x2.shl(i32x4.add(n, i32x4.splat(1023)), 52);
}

/** eʳ − 1 − r */
// @ts-ignore: decorator
@inline function expTail(r: v128): v128 {
  const t = mul(r, r);
  let even = add(constant(EXP_TAIL + 24), mul(t, constant(EXP_TAIL + 32)));
  even = add(constant(EXP_TAIL + 16), mul(t, even));
  even = add(constant(EXP_TAIL + 8), mul(t, even));
  even = mul(t, add(constant(EXP_TAIL), mul(t, even)));
  const c = sub(r, even);
  return f64x2.div(mul(r, c), sub(constant(TWO), c));
}

// @ts-ignore: decorator
@inline export function exp(x: v128): v128 {
  const c = f64x2.pmin(f64x2.pmax(x, constant(EXP_LOW)), splat(EXP_HIGH));
  const rounded = add(mul(c, constant(LOG2E)), constant(ROUND));
  const k = sub(rounded, constant(ROUND));
  const r = sub(sub(c, mul(k, constant(LN2_HIGH))), mul(k, constant(LN2_LOW)));
  const p = add(constant(ONE), add(r, expTail(r)));
  const half = i32x4.shr_s(rounded, 1);
  return mul(mul(p, power(half)), power(i32x4.sub(rounded, half)));
}

/** exp for x ≤ 0 or NaN: scales by a power that exists for every k, then by a constant. The same bits. */
// @ts-ignore: decorator
@inline export function expNegative(x: v128): v128 {
  const c = f64x2.pmax(x, constant(EXP_LOW));
  const rounded = add(mul(c, constant(LOG2E)), constant(ROUND));
  const k = sub(rounded, constant(ROUND));
  const r = sub(sub(c, mul(k, constant(LN2_HIGH))), mul(k, constant(LN2_LOW)));
  const p = add(constant(ONE), add(r, expTail(r)));
  const scale = i64x2.shl(i32x4.add(rounded, constant(SCALE_FIELD)), 52);
  return mul(mul(p, scale), constant(SCALE_DOWN));
}

// @ts-ignore: decorator
@inline export function expm1(x: v128): v128 {
  const c = f64x2.pmin(f64x2.pmax(x, splat(EXPM1_LOW)), splat(EXP_HIGH));
  const rounded = add(mul(c, constant(LOG2E)), constant(ROUND));
  const k = sub(rounded, constant(ROUND));
  const high = sub(c, mul(k, constant(LN2_HIGH)));
  const low = mul(k, constant(LN2_LOW));
  const r = sub(high, low);
  const lost = sub(sub(high, r), low);
  const tail = add(expTail(r), lost);
  const half = i32x4.shr_s(rounded, 1);
  const large = mul(mul(add(constant(ONE), add(r, tail)), power(half)), power(i32x4.sub(rounded, half)));
  const scale = power(i32x4.min_s(rounded, i32x4.splat(60)));
  const less = sub(scale, constant(ONE));
  const scaled = mul(scale, r);
  const sum = add(less, scaled);
  const rest = sub(scaled, sub(sum, less));
  const small = add(sum, add(mul(scale, tail), rest));
  return v128.bitselect(x, v128.bitselect(large, small, f64x2.gt(k, splat(53))), f64x2.eq(x, splat(0)));
}

/** k·log 2 + log(1 + f), given k times both parts of log 2. */
// @ts-ignore: decorator
@inline function logOf(f: v128, kHigh: v128, kLow: v128): v128 {
  const s = f64x2.div(f, add(constant(TWO), f));
  const z = mul(s, s);
  const w = mul(z, z);
  let odd = add(constant(LOG_TAIL + 32), mul(w, constant(LOG_TAIL + 48)));
  odd = add(constant(LOG_TAIL + 16), mul(w, odd));
  odd = mul(z, add(constant(LOG_TAIL), mul(w, odd)));
  let even = add(constant(LOG_TAIL + 24), mul(w, constant(LOG_TAIL + 40)));
  even = mul(w, add(constant(LOG_TAIL + 8), mul(w, even)));
  return sub(kHigh, sub(sub(mul(s, sub(f, add(odd, even))), kLow), f));
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
  const result = logOf(sub(mantissa(bits), constant(ONE)), mul(k, constant(LN2_HIGH)), mul(k, constant(LN2_LOW)));
  const finite = v128.bitselect(result, x, f64x2.lt(x, splat(f64.POSITIVE_INFINITY)));
  const outside = v128.bitselect(splat(f64.NEGATIVE_INFINITY), splat(f64.NaN), f64x2.eq(x, splat(0)));
  return v128.bitselect(finite, outside, f64x2.gt(x, splat(0)));
}

// @ts-ignore: decorator
@inline export function log1p(x: v128): v128 {
  const bits = i64x2.add(add(constant(ONE), x), i64x2.splat(TO_ONE));
  const k = exponent(bits);
  const far = f64x2.gt(k, splat(54));
  const scale = power(add(f64x2.pmax(f64x2.neg(k), splat(-54)), constant(ROUND)));
  const near = add(mul(x, scale), sub(scale, constant(ONE)));
  const f = v128.bitselect(sub(mantissa(bits), constant(ONE)), near, far);
  const result = logOf(f, mul(k, constant(LN2_HIGH)), mul(k, constant(LN2_LOW)));
  const finite = v128.bitselect(result, x, f64x2.lt(x, splat(f64.POSITIVE_INFINITY)));
  const outside = v128.bitselect(splat(f64.NEGATIVE_INFINITY), splat(f64.NaN), f64x2.eq(x, splat(-1)));
  const inside = v128.bitselect(finite, outside, f64x2.gt(x, splat(-1)));
  return v128.bitselect(x, inside, f64x2.eq(x, splat(0)));
}

/** log1p for x from +0 to 1, or NaN, given 1 + x: k is 0 or 1. The same bits. */
// @ts-ignore: decorator
@inline export function log1pUnit(x: v128, sum: v128): v128 {
  const one = f64x2.ge(sum, constant(SQRT_TWO));
  // Half of x less a half where 1 + x is halved, else x less 0.
  const f = sub(i64x2.add(x, v128.and(one, constant(HALVE))), v128.and(one, constant(HALF)));
  return logOf(f, v128.and(one, constant(LN2_HIGH)), v128.and(one, constant(LN2_LOW)));
}

// @ts-ignore: decorator
@inline export function tanh(x: v128): v128 {
  const a = v128.bitselect(f64x2.neg(x), x, f64x2.lt(x, splat(0)));
  const t = expm1(mul(constant(TWO), a));
  const large = f64x2.gt(t, constant(TWO));
  const sum = add(t, constant(TWO));
  const lost = sub(t, sub(sum, constant(TWO)));
  const q = f64x2.div(v128.bitselect(constant(TWO), t, large), sum);
  const result = v128.bitselect(sub(constant(ONE), q), sub(q, f64x2.div(mul(q, lost), sum)), large);
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
    v128.store(to + at, f == 0 ? expNegative(x) : log1pUnit(x, add(constant(ONE), x)));
  }
}
