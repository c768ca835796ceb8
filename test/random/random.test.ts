import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ParagradError } from '../../src/errors.ts';
import { checkSeed, fillUniform, normal, normalQuantile, PURPOSES, permutation, philox, uniform } from '../../src/random.ts';

const block = (counter: number[], key: number[]): string[] => {
  const out = new Uint32Array(4);
  const [c0, c1, c2, c3] = counter as [number, number, number, number];
  const [k0, k1] = key as [number, number];
  philox(c0, c1, c2, c3, k0, k1, out);
  return Array.from(out, (word) => word.toString(16).padStart(8, '0'));
};

/** Philox4x32-10 with BigInt, word for word as the paper has it. */
function philoxSlowly(counter: number[], key: number[]): number[] {
  const M = 2n ** 32n;
  let x = counter.map(BigInt);
  let k = key.map(BigInt);
  for (let round = 0; round < 10; round += 1) {
    const p0 = 0xd2511f53n * (x[0] as bigint);
    const p1 = 0xcd9e8d57n * (x[2] as bigint);
    x = [(p1 / M) ^ (x[1] as bigint) ^ (k[0] as bigint), p1 % M, (p0 / M) ^ (x[3] as bigint) ^ (k[1] as bigint), p0 % M];
    k = [((k[0] as bigint) + 0x9e3779b9n) % M, ((k[1] as bigint) + 0xbb67ae85n) % M];
  }
  return x.map(Number);
}

describe('philox', () => {
  it('gives the known answers of Random123', () => {
    expect(block([0, 0, 0, 0], [0, 0])).toEqual(['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']);
    const ones = 0xffffffff;
    expect(block([ones, ones, ones, ones], [ones, ones])).toEqual(['408f276d', '41c83b0e', 'a20bc7c6', '6d5451fd']);
    expect(block([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0])).toEqual([
      'd16cfe09',
      '94fdcceb',
      '5001e420',
      '24126ea1',
    ]);
  });

  it('agrees with big integers everywhere', () => {
    const word = fc.integer({ min: 0, max: 0xffffffff });
    fc.assert(
      fc.property(fc.array(word, { minLength: 4, maxLength: 4 }), fc.array(word, { minLength: 2, maxLength: 2 }), (counter, key) => {
        expect(block(counter, key)).toEqual(philoxSlowly(counter, key).map((x) => x.toString(16).padStart(8, '0')));
      }),
    );
  });
});

describe('uniform', () => {
  it('is the formula of the contract, above 2³² as well', () => {
    for (const [seed, position] of [
      [0, 0],
      [1, 5],
      [2 ** 40 + 3, 2 ** 45 + 7],
      [2 ** 53 - 1, 2 ** 53 - 1],
    ] as const) {
      const w = philoxSlowly(
        [position % 2 ** 32, Math.floor(position / 2 ** 32), 9, PURPOSES.split],
        [seed % 2 ** 32, Math.floor(seed / 2 ** 32)],
      );
      expect(uniform(seed, 'split', position, 9)).toBe((((w[0] as number) >>> 5) * 2 ** 26 + ((w[1] as number) >>> 6)) / 2 ** 53);
    }
  });

  it('lies in [0, 1), has the moments of a uniform, and fills as it gives', () => {
    const out = new Float64Array(20_000);
    fillUniform(out, 7, 'test', 11);
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < out.length; i += 1) {
      const x = out[i] as number;
      expect(x >= 0 && x < 1).toBe(true);
      sum += x;
      squares += x * x;
    }
    expect(out[3]).toBe(uniform(7, 'test', 14));
    expect(sum / out.length).toBeCloseTo(1 / 2, 2);
    expect(squares / out.length).toBeCloseTo(1 / 3, 2);
  });

  it('has purposes that differ', () => {
    const numbers = Object.values(PURPOSES);
    expect(new Set(numbers).size).toBe(numbers.length);
  });

  it('refuses seeds that are not whole numbers', () => {
    for (const seed of [-1, 0.5, Number.NaN, 2 ** 53]) expect(() => checkSeed(seed)).toThrow(ParagradError);
    checkSeed(2 ** 53 - 1);
  });
});

describe('normal', () => {
  it('is the quantile function, in the middle and in both tails', () => {
    const known = [
      [0.5, 0],
      [0.3, -0.5244005127080407],
      [0.9, 1.2815515655446008],
      [0.975, 1.9599639845400536],
      [1e-3, -3.090232306167813],
      [1e-12, -7.034483825301132],
      [1e-300, -37.0470962993612],
      [2 ** -54, -8.292361075813595],
      [1 - 2 ** -53, 8.209536151601386],
    ] as const;
    for (const [p, x] of known) expect(Math.abs(normalQuantile(p) - x)).toBeLessThanOrEqual(2 ** -51 * Math.abs(x));
  });

  it('has mean 0 and variance 1', () => {
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < 20_000; i += 1) {
      const x = normal(1, 'test', i);
      sum += x;
      squares += x * x;
    }
    expect(sum / 20_000).toBeCloseTo(0, 1);
    expect(squares / 20_000).toBeCloseTo(1, 1);
  });
});

/** The definition of docs/numerics.md §7 without tables. */
function feistelSlowly(seed: number, epoch: number, n: number, position: number): number {
  let bits = 0;
  while (2 ** bits <= Math.max(0, n - 1)) bits += 1;
  const h = Math.max(1, Math.ceil(bits / 2));
  let value = position;
  do {
    let left = Math.floor(value / 2 ** h);
    let right = value % 2 ** h;
    for (let round = 0; round < 6; round += 1) {
      const word = philoxSlowly([right, round, epoch, PURPOSES.shuffle], [seed, 0])[0] as number;
      [left, right] = [right, (left ^ (word % 2 ** h)) >>> 0];
    }
    value = left * 2 ** h + right;
  } while (value >= n);
  return value;
}

describe('permutation', () => {
  it('holds every value once, with the right inverse, for small and odd sizes', () => {
    for (const n of [0, 1, 2, 3, 4, 5, 7, 8, 16, 17, 63, 64, 65, 1000, 4097]) {
      const p = permutation(3, 'shuffle', n, n);
      const seen = new Uint8Array(n);
      for (let i = 0; i < n; i += 1) {
        const value = p.at(i);
        seen[value] = 1;
        expect(p.positionOf(value)).toBe(i);
      }
      expect(seen.every((s) => s === 1)).toBe(true);
    }
  });

  it('is the network of the contract', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 0, max: 2 ** 31 }), fc.nat(1000), (n, seed, epoch) => {
        const p = permutation(seed, 'shuffle', epoch, n);
        for (const position of [0, n - 1, n >> 1]) expect(p.at(position)).toBe(feistelSlowly(seed, epoch, n, position));
      }),
      { numRuns: 50 },
    );
  });

  it('differs by epoch and seed, and works on sizes above 2³²', () => {
    const at = (seed: number, epoch: number): string =>
      Array.from({ length: 50 }, (_, i) => permutation(seed, 'epoch', epoch, 50).at(i)).join();
    expect(new Set([at(0, 0), at(0, 1), at(1, 0), at(2 ** 32, 0)]).size).toBe(4);
    const big = permutation(1, 'epoch', 0, 2 ** 40 + 1);
    for (const i of [0, 1, 2 ** 40]) expect(big.positionOf(big.at(i))).toBe(i);
  });

  it('refuses positions outside', () => {
    expect(() => permutation(0, 'epoch', 0, 3).at(3)).toThrow('out of range');
  });
});
