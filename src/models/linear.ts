import type { Model } from './model.ts';

/** Least squares: loss ½(z − y)², prediction z. */
export const linear: Model = {
  name: 'linear',
  loss: 'squared',
  quadratic: true,
  curvatureBound: 1,
  target: 'number',
  nullIntercept: ({ v, vy, vOffset }) => ({ intercept: (vy - vOffset) / v }),
  predict: (z) => z,
};
