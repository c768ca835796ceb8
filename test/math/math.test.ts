import { describe, expect, test } from 'vitest';
import { WasmInstance } from '../../src/kernels/instance.ts';
import { exp, expm1, log, log1p, tanh } from '../../src/math.ts';
import { numbers } from '../kernels/arena.ts';
import { exact, ulps } from './exact.ts';

const functions = { exp, log, log1p, expm1, tanh };
type Name = keyof typeof functions;
/** In the order of `mapMath`. */
const names: readonly Name[] = ['exp', 'log', 'log1p', 'expm1', 'tanh'];

const special = [
  ...[0, 5e-324, 1e-310, 2.2250738585072014e-308, 1e-300, 1e-20, 2 ** -53, 2 ** -52, 1e-8, 0.25, 0.3465735902799726, 0.34657359027997264],
  ...[0.4142131805419922, 0.41421356237309503, 0.41421356237309515, 0.5, Math.LN2, 0.9999999999999999, 1, 1.0000000000000002],
  ...[
    1.4142131805419922,
    Math.SQRT2,
    1.5,
    2,
    3,
    36.7,
    37,
    40,
    41.9,
    42,
    708.3,
    709.782712893384,
    709.7827128933841,
    710,
    745.1332191019411,
  ],
  ...[
    745.1332191019412,
    746,
    747,
    1e3,
    2 ** 31,
    2 ** 52,
    2 ** 53,
    2 ** 54,
    2 ** 55,
    2 ** 56,
    1e300,
    Number.MAX_VALUE,
    Number.POSITIVE_INFINITY,
  ],
].flatMap((x) => [x, -x]);

/** Arguments where a function is neither 0, ∞ nor its argument, and others, of every size. */
function argumentsOf(name: Name, count: number, seed: number): Float64Array {
  const random = numbers(seed);
  const spread: Record<Name, () => number> = {
    exp: () => (random() - 0.5) * 1500,
    log: () => 0.5 + random() * 2,
    log1p: () => random() * 2.5 - 1,
    expm1: () => (random() - 0.5) * (random() < 0.5 ? 4 : 90),
    tanh: () => (random() - 0.5) * (random() < 0.5 ? 1 : 40),
  };
  const anySize = (): number => (random() - 0.5) * 2 ** Math.floor(random() * 2098 - 1074);
  const values = new Float64Array(count);
  for (let i = 0; i < count; i += 1) values[i] = i < special.length ? (special[i] as number) : i % 4 === 0 ? anySize() : spread[name]();
  return values;
}

const COUNT = 1 << 20;
const FROM = 1024;
const TO = FROM + COUNT * 8;
const memory = new WebAssembly.Memory({ initial: 1 + (COUNT * 16) / 65_536, maximum: 65_536, shared: true });
const instance = new WasmInstance(memory);
const from = new Float64Array(memory.buffer, FROM, COUNT);
const to = new Float64Array(memory.buffer, TO, COUNT);

/** First argument where SIMD and TypeScript differ by a bit; NaN equals NaN. */
function firstDifference(f: (x: number) => number): number | undefined {
  for (let i = 0; i < COUNT; i += 1) if (!Object.is(to[i], f(from[i] as number))) return from[i];
  return undefined;
}

describe.each(names)('%s', (name) => {
  const f = functions[name];

  test('SIMD has the bits of src/math.ts', () => {
    for (const seed of [1, 2]) {
      from.set(argumentsOf(name, COUNT, seed));
      instance.named('mapMath')(names.indexOf(name), FROM, TO, COUNT);
      expect(firstDifference(f)).toBeUndefined();
    }
  });

  test('at most 2 ulp from the true value', () => {
    const inside = (x: number): boolean => Number.isFinite(x) && (name !== 'log' || x > 0) && (name !== 'log1p' || x > -1);
    let worst = 0;
    for (const x of argumentsOf(name, 6000, 7)) {
      const y = f(x);
      if (inside(x) && Number.isFinite(y) && !(name === 'exp' && x < -800)) worst = Math.max(worst, ulps(y, exact[name](x)));
    }
    expect(worst).toBeGreaterThan(0.4);
    expect(worst).toBeLessThanOrEqual(2);
  });

  test('odd functions and signed zeros', () => {
    if (name === 'exp') expect([f(0), f(-0)]).toEqual([1, 1]);
    else if (name === 'log') expect([f(0), f(-0), f(1)]).toEqual([Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, 0]);
    else expect([f(0), f(-0), f(5e-324), f(-5e-324)]).toEqual([0, -0, 5e-324, -5e-324]);
    if (name === 'tanh') for (const x of argumentsOf(name, 1000, 3)) expect(f(-x)).toBe(-f(x));
  });
});

test('the ends of the range', () => {
  const { POSITIVE_INFINITY: up, NEGATIVE_INFINITY: down, NaN: nan, MAX_VALUE: max } = Number;
  const ends = [up, down, nan, max, -max];
  const at = (f: (x: number) => number): number[] => ends.map(f);
  expect(at(exp)).toEqual([up, 0, nan, up, 0]);
  expect(at(expm1)).toEqual([up, -1, nan, up, -1]);
  expect(at(log)).toEqual([up, nan, nan, 709.782712893384, nan]);
  expect(at(log1p)).toEqual([up, nan, nan, 709.782712893384, nan]);
  expect(at(tanh)).toEqual([1, -1, nan, 1, -1]);
  expect([exp(709.782712893384) < up, exp(709.7827128933841)]).toEqual([true, up]);
  expect([exp(-745.1332191019411), exp(-745.1332191019412)]).toEqual([5e-324, 0]);
  expect([log1p(-1), log1p(-1.0000000000000002)]).toEqual([down, nan]);
});

describe('the narrow forms of the logistic loss have the same bits', () => {
  test('exp of x ≤ 0', () => {
    from.set(argumentsOf('exp', COUNT, 4).map((x) => -Math.abs(x)));
    instance.named('mapUnit')(0, FROM, TO, COUNT);
    expect(firstDifference(exp)).toBeUndefined();
  });

  test('log1p of 0 ≤ x ≤ 1', () => {
    const random = numbers(5);
    const edges = special.filter((x) => Object.is(Math.abs(x), x) && x <= 1);
    from.set(
      Float64Array.from({ length: COUNT }, (_, i) => edges[i] ?? (i % 2 === 0 ? random() : random() * 2 ** -Math.floor(random() * 1100))),
    );
    instance.named('mapUnit')(1, FROM, TO, COUNT);
    expect(firstDifference(log1p)).toBeUndefined();
  });
});
