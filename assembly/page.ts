// Each instance has a page of the memory for itself. It holds the constants of math.ts, written when the instance starts:
// V8 builds a vector constant in three instructions, two of them on a port that is busy, each time it is used, but loads one
// in a single instruction. And it holds partial dots that wait for their sibling, and intermediate values of rows.

/** Address of this instance's page. */
let page: usize = 0;

/** f64 arrays of a panel's rows, on their way through the stages of a loss (rows.ts). */
export const ROWS_Z: usize = 512;
export const ROWS_E: usize = 640;
export const ROWS_V: usize = 768;
/** Waiting dots, 48 levels of two lines each: of one panel, or of a pair. */
const WAITING_DOTS: usize = 1024;

export const ONE: usize = 0;
export const TWO: usize = 8;
export const HALF: usize = 16;
export const SIGN: usize = 24;
export const ROUND: usize = 32;
export const LOG2E: usize = 40;
export const LN2_HIGH: usize = 48;
export const LN2_LOW: usize = 56;
export const EXP_LOW: usize = 64;
/** 2⁻¹⁰⁰⁰, and what makes an exponent field of k + 1000. */
export const SCALE_DOWN: usize = 72;
export const SCALE_FIELD: usize = 80;
/** Where log1p, for arguments from 0 to 1, begins to halve 1 + x: √2 with the low half of its bits 0. */
export const SQRT_TWO: usize = 88;
/** 1 off an exponent field. */
export const HALVE: usize = 96;
/** Coefficients of what the tail of eʳ is made of, r² to r¹⁰ (src/math.ts). */
export const EXP_TAIL: usize = 104;
/** Coefficients of (log(1 + f) − 2s) / s, s = f / (2 + f), s² to s¹⁴. */
export const LOG_TAIL: usize = 144;

function writeConstants(at: usize): void {
  store<f64>(at + ONE, 1);
  store<f64>(at + TWO, 2);
  store<f64>(at + HALF, 0.5);
  store<u64>(at + SIGN, 1 << 63);
  store<f64>(at + ROUND, 6755399441055744.0);
  store<f64>(at + LOG2E, 1.4426950408889634);
  store<f64>(at + LN2_HIGH, 0.6931471803691238);
  store<f64>(at + LN2_LOW, 1.9082149292705877e-10);
  store<f64>(at + EXP_LOW, -746);
  store<u64>(at + SCALE_DOWN, <u64>(1023 - 1000) << 52);
  store<u64>(at + SCALE_FIELD, 1023 + 1000);
  store<u64>(at + SQRT_TWO, 0x3ff6a09e00000000);
  store<u64>(at + HALVE, <u64>-1 << 52);
  store<f64>(at + EXP_TAIL, 0.1666666666666666);
  store<f64>(at + EXP_TAIL + 8, -0.002777777777756372);
  store<f64>(at + EXP_TAIL + 16, 6.61375647128222e-5);
  store<f64>(at + EXP_TAIL + 24, -1.6534059504897808e-6);
  store<f64>(at + EXP_TAIL + 32, 4.1437411344187316e-8);
  store<f64>(at + LOG_TAIL, 0.666666666666667);
  store<f64>(at + LOG_TAIL + 8, 0.399999999998992);
  store<f64>(at + LOG_TAIL + 16, 0.2857142862611452);
  store<f64>(at + LOG_TAIL + 24, 0.22222211112104948);
  store<f64>(at + LOG_TAIL + 32, 0.1818289077802613);
  store<f64>(at + LOG_TAIL + 40, 0.15331666676597175);
  store<f64>(at + LOG_TAIL + 48, 0.146171283998073);
}

/** Gives this instance 8 KiB of its own. */
export function initialize(at: usize): void {
  page = at;
  writeConstants(at);
}

/** A constant, in both lanes. */
// @ts-ignore: decorator
@inline export function constant(which: usize): v128 {
  return v128.load_splat<f64>(page + which);
}

/** Where partial dots wait. */
// @ts-ignore: decorator
@inline export function waitingDots(): usize {
  return page + WAITING_DOTS;
}

/** Where an array of a panel's rows stands. */
// @ts-ignore: decorator
@inline export function rowsAt(which: usize): usize {
  return page + which;
}
