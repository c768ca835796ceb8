import { exp, log } from '../math.ts';
import type { ClassesModel } from './model.ts';

/**
 * Softmax (multinomial logistic) regression over k classes: loss log Σ exp(z_c) − z_y, probabilities exp(z_c) / Σ exp(z_j). What is
 * common to all z_c changes nothing: weights and intercepts have mean 0 over the classes.
 */
export const softmax: ClassesModel = {
  name: 'softmax',
  loss: 'softmax',
  quadratic: false,
  curvatureBound: 0.5,
  target: 'labels',
  nullIntercepts: (weights) => {
    const unseen = [...weights.keys()].filter((c) => !((weights[c] as number) > 0));
    // Half a row is added to every class, or the logarithm of a class without rows would be infinite.
    const logs = (unseen.length > 0 ? weights.map((weight) => weight + 0.5) : weights).map(log);
    const mean = logs.reduce((total, value) => total + value, 0) / logs.length;
    return { intercepts: logs.map((value) => value - mean), unseen };
  },
  predict: (z) => {
    let largest = z[0] as number;
    for (let c = 1; c < z.length; c += 1) largest = largest < (z[c] as number) ? (z[c] as number) : largest;
    let sum = 0;
    for (let c = 0; c < z.length; c += 1) {
      z[c] = exp((z[c] as number) - largest);
      sum += z[c] as number;
    }
    for (let c = 0; c < z.length; c += 1) z[c] = (z[c] as number) / sum;
  },
};
