import { expect, test } from 'vitest';
import { cosineOfPi, factorAt, type Schedule } from '../../../src/update/batch/schedule.ts';

const at = (schedule: Schedule, step: number, warmup = 0): number => factorAt({ schedule, warmup, epochs: 10 }, step, 8);

test('constant, step, cosine and inverse square root', () => {
  for (const step of [0, 1, 79, 1000]) expect([at('constant', step), at('auto', step)]).toEqual([1, 1]);
  expect([0, 39, 40, 79, 80].map((step) => at('step', step))).toEqual([1, 1, 0.5, 0.5, 0.25]);
  expect(at('cosine', 0)).toBe(1);
  expect(at('cosine', 40)).toBeCloseTo(0.5, 15);
  expect(at('cosine', 80)).toBeCloseTo(0, 15);
  expect(at('cosine', 200)).toBe(at('cosine', 80));
  expect(at('inverse-sqrt', 0)).toBe(1);
  expect(at('inverse-sqrt', 24)).toBe(0.5);
});

test('warm-up rises in equal steps, over a part of an epoch too', () => {
  expect([0, 1, 7, 8, 15, 16, 100].map((step) => at('constant', step, 2))).toEqual([1 / 16, 2 / 16, 0.5, 9 / 16, 1, 1, 1]);
  expect([0, 1, 2, 3].map((step) => at('constant', step, 0.25))).toEqual([0.5, 1, 1, 1]);
  expect(at('step', 45, 100)).toBe((46 / 800) * 0.5);
});

test('the cosine is that of Math.cos to the last digits', () => {
  for (let t = 0; t <= 1; t += 1 / 512) expect(Math.abs(cosineOfPi(t) - Math.cos(Math.PI * t))).toBeLessThan(2e-15);
});
