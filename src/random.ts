import { assert, ParagradError } from './errors.ts';
import { log } from './math.ts';

/**
 * Counter-based random numbers (docs/numerics.md §7): Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random
 * numbers: as easy as 1, 2, 3, SC 2011). A number is a function of (seed, purpose, epoch, position), so any worker can
 * compute any of them, in any order.
 */

/** The fourth counter word: what a number is for. The values are part of the numerical contract: never renumber. */
export const PURPOSES = {
  /** Validation or training, position = row number. */
  split: 1,
  /** Where a row of a window is stored, epoch = window. */
  shuffle: 2,
  /** Order of panels in an epoch of mini-batches. */
  epoch: 3,
  /** Generated data. */
  generate: 4,
  /** Initial weights, where a model needs them. */
  start: 5,
  /** Tests and benchmarks. */
  test: 6,
  /** Which clients take part in a round of local SGD, epoch = round. */
  clients: 7,
  /** Who averages with whom in a round of gossip, epoch = round. */
  partner: 8,
} as const;

export type Purpose = keyof typeof PURPOSES;

const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;
const ROUNDS = 10;
const TWO_32 = 2 ** 32;

/** Upper 32 bits of the product of two 32-bit words taken as unsigned, as a signed word; no part of it exceeds 2³². */
function mulHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + (middle >>> 16) + (carry >>> 16)) | 0;
}

/**
 * One Philox4x32-10 block: counter (c0 … c3) and key (k0, k1) to four words in `out` (as unsigned when `out` is a
 * Uint32Array).
 */
export function philox(c0: number, c1: number, c2: number, c3: number, k0: number, k1: number, out: Uint32Array): void {
  let x0 = c0 | 0;
  let x1 = c1 | 0;
  let x2 = c2 | 0;
  let x3 = c3 | 0;
  let key0 = k0 | 0;
  let key1 = k1 | 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const high0 = mulHigh(MULTIPLIER_0, x0);
    const low0 = Math.imul(MULTIPLIER_0, x0);
    const high1 = mulHigh(MULTIPLIER_1, x2);
    const low1 = Math.imul(MULTIPLIER_1, x2);
    x0 = high1 ^ x1 ^ key0;
    x1 = low1;
    x2 = high0 ^ x3 ^ key1;
    x3 = low0;
    key0 = (key0 + WEYL_0) | 0;
    key1 = (key1 + WEYL_1) | 0;
  }
  out[0] = x0;
  out[1] = x1;
  out[2] = x2;
  out[3] = x3;
}

/** Refuses a seed that is not a whole number from 0 to 2⁵³ − 1. @throws PARAGRAD_OPTION */
export function checkSeed(seed: number): void {
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new ParagradError('PARAGRAD_OPTION', `--seed must be a whole number from 0 to 9007199254740991, not ${seed}`, {
      place: { option: '--seed' },
    });
}

const words = new Uint32Array(4);

/** A number of [0, 1) on 53 bits: ((w0 >>> 5)·2²⁶ + (w1 >>> 6))·2⁻⁵³. */
export function uniform(seed: number, purpose: Purpose, position: number, epoch = 0): number {
  philox(position >>> 0, Math.floor(position / TWO_32), epoch, PURPOSES[purpose], seed >>> 0, Math.floor(seed / TWO_32), words);
  return (((words[0] as number) >>> 5) * 2 ** 26 + ((words[1] as number) >>> 6)) * 2 ** -53;
}

/** The same at a position of 64 bits, in two words. */
export function uniform64(seed: number, purpose: Purpose, low: number, high: number, epoch = 0): number {
  philox(low >>> 0, high >>> 0, epoch, PURPOSES[purpose], seed >>> 0, Math.floor(seed / TWO_32), words);
  return (((words[0] as number) >>> 5) * 2 ** 26 + ((words[1] as number) >>> 6)) * 2 ** -53;
}

/** `out[i]` = uniform at position `first + i`. */
export function fillUniform(out: Float64Array, seed: number, purpose: Purpose, first: number, epoch = 0): void {
  for (let i = 0; i < out.length; i += 1) out[i] = uniform(seed, purpose, first + i, epoch);
}

/** Coefficients of PPND16, constant term first: numerator and denominator of the middle, and of the near and far tails. */
const MIDDLE = [
  [
    3.3871328727963665, 133.14166789178438, 1971.5909503065513, 13731.69376550946, 45921.95393154987, 67265.7709270087, 33430.57558358813,
    2509.0809287301227,
  ],
  [
    1, 42.31333070160091, 687.1870074920579, 5394.196021424751, 21213.794301586597, 39307.89580009271, 28729.085735721943,
    5226.495278852854,
  ],
] as const;
const NEAR = [
  [
    1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045, 1.2704582524523684, 0.2417807251774506,
    0.022723844989269184, 0.0007745450142783414,
  ],
  [
    1, 2.053191626637759, 1.6763848301838038, 0.6897673349851, 0.14810397642748008, 0.015198666563616457, 0.0005475938084995345,
    1.0507500716444169e-9,
  ],
] as const;
const FAR = [
  [
    6.657904643501103, 5.463784911164114, 1.7848265399172913, 0.29656057182850487, 0.026532189526576124, 0.0012426609473880784,
    2.7115555687434876e-5, 2.0103343992922881e-7,
  ],
  [
    1, 0.599832206555888, 0.1369298809227358, 0.014875361290850615, 0.0007868691311456133, 1.8463183175100548e-5, 1.421511758316446e-7,
    2.0442631033899397e-15,
  ],
] as const;

function ratio([numerator, denominator]: readonly [readonly number[], readonly number[]], x: number): number {
  let above = 0;
  let below = 0;
  for (let i = numerator.length - 1; i >= 0; i -= 1) {
    above = above * x + (numerator[i] as number);
    below = below * x + (denominator[i] as number);
  }
  return above / below;
}

/**
 * Inverse of the normal distribution function at 0 < p < 1, to about 16 digits (Wichura 1988, algorithm AS 241, PPND16),
 * on `math.ts`, so that it is the same everywhere.
 */
export function normalQuantile(p: number): number {
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) return q * ratio(MIDDLE, 0.180625 - q * q);
  const r = Math.sqrt(-log(q < 0 ? p : 1 - p));
  const x = r <= 5 ? ratio(NEAR, r - 1.6) : ratio(FAR, r - 5);
  return q < 0 ? -x : x;
}

/** A standard normal number: the quantile of `uniform` at the same place (2⁻⁵⁴ for 0). */
export function normal(seed: number, purpose: Purpose, position: number, epoch = 0): number {
  return normalQuantile(Math.max(uniform(seed, purpose, position, epoch), 2 ** -54));
}

/** The smallest b with n < 2ᵇ, for n above 2³² as well. */
function bitLength(n: number): number {
  let bits = 0;
  while (2 ** bits <= n) bits += 1;
  return bits;
}

const FEISTEL_ROUNDS = 6;
/** Round functions with at most this many inputs are tabulated: a permutation then costs a few table look-ups a value. */
const MAX_TABLE_BITS = 16;

/** A permutation of 0 … n − 1 of which any value can be had alone. */
export interface Permutation {
  readonly n: number;
  /** Value at a position. */
  at(position: number): number;
  /** Position of a value. */
  positionOf(value: number): number;
}

/**
 * The permutation of (seed, purpose, epoch) on n values: a Feistel network of 2h bits, h = max(1, ⌈bits(n − 1)/2⌉), six
 * rounds (L, R) ← (R, L xor F(R)), F = word 0 at position round·2³² + R, mod 2ʰ; walked until the value is < n.
 */
export function permutation(seed: number, purpose: Purpose, epoch: number, n: number): Permutation {
  assert(Number.isSafeInteger(n) && n >= 0 && n <= 2 ** 52, 'size of a permutation out of range');
  return new Feistel(seed, purpose, epoch, n);
}

/** A class, not closures: there is one for every chunk, and code that was optimised for the last one holds for the next. */
class Feistel implements Permutation {
  readonly n: number;
  readonly #size: number;
  readonly #key: readonly [epoch: number, purpose: number, low: number, high: number];
  /** F of every round and R, where it pays. */
  readonly #table: Uint32Array | undefined;

  constructor(seed: number, purpose: Purpose, epoch: number, n: number) {
    const half = Math.max(1, Math.ceil(bitLength(Math.max(0, n - 1)) / 2));
    const size = 2 ** half;
    this.n = n;
    this.#size = size;
    this.#key = [epoch, PURPOSES[purpose], seed >>> 0, Math.floor(seed / TWO_32)];
    if (half > MAX_TABLE_BITS || n <= size) return;
    const table = new Uint32Array(FEISTEL_ROUNDS * size);
    for (let round = 0; round < FEISTEL_ROUNDS; round += 1)
      for (let right = 0; right < size; right += 1) table[round * size + right] = this.#word(round, right);
    this.#table = table;
  }

  at(position: number): number {
    this.#check(position);
    let value = this.#forward(position);
    while (value >= this.n) value = this.#forward(value);
    return value;
  }

  positionOf(value: number): number {
    this.#check(value);
    let position = this.#backward(value);
    while (position >= this.n) position = this.#backward(position);
    return position;
  }

  #check(value: number): void {
    assert(value >= 0 && value < this.n, 'position out of range of a permutation');
  }

  #word(round: number, right: number): number {
    const [epoch, purpose, low, high] = this.#key;
    philox(right, round, epoch, purpose, low, high, words);
    return (words[0] as number) & (this.#size - 1);
  }

  #F(round: number, right: number): number {
    const table = this.#table;
    return table === undefined ? this.#word(round, right) : (table[round * this.#size + right] as number);
  }

  #forward(value: number): number {
    const size = this.#size;
    let left = Math.floor(value / size);
    let right = value - left * size;
    for (let round = 0; round < FEISTEL_ROUNDS; round += 1) {
      const next = left ^ this.#F(round, right);
      left = right;
      right = next;
    }
    return left * size + right;
  }

  #backward(value: number): number {
    const size = this.#size;
    let left = Math.floor(value / size);
    let right = value - left * size;
    for (let round = FEISTEL_ROUNDS - 1; round >= 0; round -= 1) {
      const before = right ^ this.#F(round, left);
      right = left;
      left = before;
    }
    return left * size + right;
  }
}
