import { type LargestCurvature, largestCurvature, refined } from './curvature-estimate.ts';
import { curvatureOf, type Point } from './objective.ts';
import type { Problem } from './optimizer.ts';
import type { CurvatureSums, GramSums, Pass } from './pass.ts';

/** Most curvature passes that refine the sample's estimate, and the relative change that ends them. */
const MAX_REFINEMENTS = 4;
const REFINED = 0.05;

/** The learning rate of the methods that have one: given, or 1/λmax. */
export interface Rate {
  readonly automatic: boolean;
  /** NaN until it is known. */
  readonly value: number;
  /** λmax as far as known: of the sample, then (automatic rate) of all rows. With a given rate the largest on the way. */
  readonly curvature: LargestCurvature;
  /** λmax of all rows / λmax of the sample. */
  readonly correction: number;
  /** Curvature passes made; as many as it takes with an automatic rate. */
  readonly refinements: number;
}

export function beginRate(problem: Problem, given: number | 'auto'): Rate {
  const automatic = given === 'auto';
  const curvature = { value: NaN, direction: problem.start };
  return { automatic, value: automatic ? NaN : given, curvature, correction: 1, refinements: 0 };
}

/** A new estimate of the sample: an automatic rate that is known follows it. */
export function sampledRate(problem: Problem, rate: Rate, gram: GramSums, columns: Uint32Array | undefined): Rate {
  const sampled = largestCurvature(problem, gram, columns);
  // A given rate is judged by the steepest place it has met: where it overshot to, a logistic loss has next to no curvature.
  if (!rate.automatic && sampled.value <= rate.curvature.value) return rate;
  const value = sampled.value * rate.correction;
  const follow = rate.automatic && !Number.isNaN(rate.value) && value > 0;
  return { ...rate, curvature: { ...sampled, value }, value: follow ? 1 / value : rate.value };
}

/** The pass that an automatic rate needs before it is known. */
export function ratePass(rate: Rate, point: Point): Pass | undefined {
  if (!Number.isNaN(rate.value)) return undefined;
  return { kind: 'curvature', at: point.vector, direction: rate.curvature.direction };
}

/** The answer to it: known when the estimate has settled. */
export function refinedRate(problem: Problem, rate: Rate, sums: CurvatureSums): Rate {
  const { curvature } = rate;
  const better = refined(problem, curvatureOf(problem, curvature.direction, sums).product);
  const refinements = rate.refinements + 1;
  const settled = Math.abs(better.value - curvature.value) <= REFINED * better.value || refinements >= MAX_REFINEMENTS;
  const correction = curvature.value > 0 ? (rate.correction * better.value) / curvature.value : 1;
  return { ...rate, curvature: better, correction, refinements, value: settled ? 1 / (better.value || 1) : NaN };
}

/** Half the rate, now and when the sample is a new one. */
export function halvedRate(rate: Rate): Rate {
  return { ...rate, value: rate.value / 2, correction: rate.correction * 2 };
}
