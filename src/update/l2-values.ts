import { exp } from '../math.ts';
import type { Problem } from './optimizer.ts';

/** How many penalties `--l2 auto` tries, and over how many powers of ten. */
const COUNT = 20;
const DECADES = 8;
/** The largest: this × the curvature that an average column has at most. There, weights are a small part of what they could be. */
const TOP = 10;
const DIGITS = 3;

/** Penalties from large to small, evenly spaced in their logarithm; rounded, so that what is printed is what was used. */
export function l2Values({ layout, curvatureBound, columnMeans, columnVariances, indicators }: Problem): number[] {
  let spread = 0;
  for (let j = 0; j < layout.columns; j += 1) spread += indicators[j] === 1 ? columnMeans[j] * (1 - columnMeans[j]) : columnVariances[j];
  const mean = spread / layout.columns;
  const top = TOP * (curvatureBound ?? 1) * (mean > 0 && Number.isFinite(mean) ? mean : 1);
  return Array.from({ length: COUNT }, (_, i) => Number((top * exp((-i * DECADES * Math.LN10) / (COUNT - 1))).toPrecision(DIGITS)));
}
