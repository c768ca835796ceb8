import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RULES, type RuleState, sgdRule, type UpdateRule } from '../../../src/update/batch/rules.ts';

const ALL: [string, UpdateRule][] = [
  ...Object.entries(RULES).map(([name, make]): [string, UpdateRule] => [name, make()]),
  ['sgd with momentum', sgdRule({ momentum: 0.9 })],
  ['sgd with Nesterov’s momentum', sgdRule({ momentum: 0.5, nesterov: true })],
];
const values = (length: number) => fc.array(fc.double({ min: -1e3, max: 1e3, noNaN: true }), { minLength: length, maxLength: length });

/** Runs a rule over some gradients; every step uses a copy of the state, as one that went through a checkpoint. */
function steps(rule: UpdateRule, start: readonly number[], gradients: readonly (readonly number[])[], decay: readonly number[]): number[] {
  const weights = Float64Array.from(start);
  let state: RuleState = rule.init(weights.length);
  for (const gradient of gradients) {
    state = structuredClone(state);
    rule.apply(state, weights, Float64Array.from(gradient), 0.01, Float64Array.from(decay));
  }
  expect(state.steps).toBe(gradients.length);
  return [...weights];
}

describe.each(ALL)('%s', (_name, rule) => {
  test('a segment has the bits that the whole has there', () => {
    const cases = fc.integer({ min: 1, max: 12 }).chain((length) =>
      fc.record({
        start: values(length),
        decay: values(length).map((all) => all.map(Math.abs)),
        gradients: fc.array(values(length), { minLength: 1, maxLength: 5 }),
        border: fc.integer({ min: 0, max: length }),
      }),
    );
    fc.assert(
      fc.property(cases, ({ start, decay, gradients, border }) => {
        const part = (begin: number, end: number): number[] =>
          steps(
            rule,
            start.slice(begin, end),
            gradients.map((gradient) => gradient.slice(begin, end)),
            decay.slice(begin, end),
          );
        expect([...part(0, border), ...part(border, start.length)]).toEqual(steps(rule, start, gradients, decay));
      }),
      { numRuns: 50 },
    );
  });

  test('a quadratic is descended', () => {
    const weights = Float64Array.of(3, -2);
    const state = rule.init(2);
    for (let i = 0; i < 4000; i += 1) rule.apply(state, weights, Float64Array.of(2 * weights[0], 0.5 * weights[1]), 0.02);
    expect(Math.hypot(...weights)).toBeLessThan(1);
  });
});

test('the formulas, step by step', () => {
  const two = (rule: UpdateRule): number => {
    const w = Float64Array.of(1);
    const state = rule.init(1);
    rule.apply(state, w, Float64Array.of(0.5), 0.1, Float64Array.of(0.3));
    rule.apply(state, w, Float64Array.of(-0.25), 0.1, Float64Array.of(0.3));
    return w[0];
  };
  expect(two(sgdRule())).toBeCloseTo(1 - 0.05 + 0.025, 15);
  expect(two(sgdRule({ momentum: 0.9 }))).toBeCloseTo(1 - 0.05 - 0.1 * (0.9 * 0.5 - 0.25), 15);
  const u = 0.9 * 0.5 - 0.25;
  expect(two(sgdRule({ momentum: 0.9, nesterov: true }))).toBeCloseTo(1 - 0.1 * (0.5 + 0.9 * 0.5) - 0.1 * (-0.25 + 0.9 * u), 15);
  // Adam: m̂ = 0.5 at first, √v̂ = 0.5; then both are weighted means.
  const m = (0.9 * 0.1 * 0.5 + 0.1 * -0.25) / (1 - 0.9 ** 2);
  const v = (0.999 * 0.001 * 0.25 + 0.001 * 0.0625) / (1 - 0.999 ** 2);
  expect(two(RULES.adam())).toBeCloseTo(1 - 0.1 - (0.1 * m) / Math.sqrt(v), 6);
  const first = (1 - 0.1) / (1 + (0.1 / 0.5) * 0.3);
  expect(two(RULES.adamw())).toBeCloseTo((first - (0.1 * m) / Math.sqrt(v)) / (1 + (0.1 / Math.sqrt(v)) * 0.3), 6);
  expect(two(RULES.adagrad())).toBeCloseTo(1 - 0.1 + (0.1 * 0.25) / Math.sqrt(0.25 + 0.0625), 6);
  expect(two(RULES.rmsprop())).toBeCloseTo(1 - 1 + (0.1 * 0.25) / Math.sqrt(0.99 * 0.0025 + 0.01 * 0.0625), 6);
});

test('only AdamW reads the penalty', () => {
  for (const [name, rule] of ALL) {
    const run = (decay: number): number[] => steps(rule, [1, 2], [[0.1, -0.3]], [decay, decay]);
    expect(JSON.stringify(run(0)) === JSON.stringify(run(5)), name).toBe(!rule.decays);
  }
});
