import { exp, log } from '../math.ts';
import type { OutputModel } from './model.ts';

/** Logistic regression: loss log(1 + exp(z)) − y·z for y in {0, 1}, prediction 1/(1 + exp(−z)). */
export const logistic: OutputModel = {
  name: 'logistic',
  loss: 'logistic',
  quadratic: false,
  curvatureBound: 0.25,
  target: 'classes',
  nullIntercept: ({ v, vy }) => {
    const oneClass = vy <= 0 || vy >= v;
    // Half a row is added to both classes, or the log-odds of a single class would be infinite.
    const positive = oneClass ? vy + 0.5 : vy;
    const negative = oneClass ? v - vy + 0.5 : v - vy;
    const intercept = log(positive / negative);
    return oneClass ? { intercept, note: 'only one class is present in the training rows' } : { intercept };
  },
  predict: (z) => {
    const e = exp(-Math.abs(z));
    return (z >= 0 ? 1 : e) / (1 + e);
  },
};
