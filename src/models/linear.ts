import type { OutputModel } from './model.ts';

/** Least squares: loss ½(z − y)², prediction z. */
export const linear: OutputModel = {
  name: 'linear',
  loss: 'squared',
  quadratic: true,
  curvatureBound: 1,
  target: 'number',
  nullIntercept: ({ v, vy, vOffset }) => ({ intercept: (vy - vOffset) / v }),
  predict: (z) => z,
};
