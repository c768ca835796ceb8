import { expect, test } from 'vitest';
import { ClassTally, likeliest } from '../../src/models/class-metrics.ts';
import { MODELS } from '../../src/models/model.ts';

test('measures of four weighted rows by hand; a class that neither occurs nor is called does not count', () => {
  const tally = new ClassTally(4);
  // z of log 1, 2, 1, 0.5: probabilities of 2, 4, 2 and 1 ninths.
  const z = Float64Array.of(0, Math.log(2), 0, Math.log(0.5));
  tally.add(z, 1, 2);
  tally.add(z, 0, 1);
  tally.add(z.with(2, 5), 2, 1);
  tally.add(z, 3, 0);
  const lastLoss = Math.log(1 + 2 + Math.exp(5) + 0.5) - 5;
  const { logLoss, ...rest } = tally.metrics();
  // F1 of class 0 is 0, of class 1 2·2 / (2 + 3), of class 2 1; class 3 has no weight.
  expect(rest).toEqual({ rows: 3, accuracy: 3 / 4, macroF1: (0 + 4 / 5 + 1) / 3 });
  expect(logLoss).toBeCloseTo((2 * Math.log(9 / 4) + Math.log(9 / 2) + lastLoss) / 4, 14);
  expect(tally.matrix()).toEqual([
    [0, 1, 0, 0],
    [0, 2, 0, 0],
    [0, 0, 1, 0],
    [0, 0, 0, 0],
  ]);
  expect(tally.byClass()[1]).toEqual({ actual: 2, called: 3, precision: 2 / 3, recall: 1, f1: 4 / 5 });
  expect(tally.byClass()[3]?.precision).toBeNaN();
});

test('of equal z the first class is the likeliest; probabilities are finite for any z and add up to 1', () => {
  expect(likeliest(Float64Array.of(1, 3, 3, 2))).toBe(1);
  const z = Float64Array.of(-2000, 2000, 1999);
  MODELS.softmax.predict(z);
  expect([...z].reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 15);
  expect(z[0]).toBe(0);
  expect(z[1]).toBeCloseTo(1 / (1 + Math.exp(-1)), 14);
});
