import { ParagradError } from '../errors.ts';
import type { Dtype } from '../partition/layout.ts';
import type { MetricState } from './metric-keeper.ts';
import type { Point } from './objective.ts';
import type { Problem } from './optimizer.ts';
import type { Vector } from './pass.ts';
import { isFiniteVector } from './vectors.ts';

/** The stop rule that all optimizers share, and what they say at the end (docs/numerics.md §6). */

/** Relative noise of the objective. */
export const NOISE: Record<Dtype, number> = { f32: 1e-6, f64: 1e-12 };
/** A lower objective counts as progress from this × nullLoss on. */
export const LEAST_PROGRESS: Record<Dtype, number> = { f32: 1e-7, f64: 1e-14 };
/** M is built again before "converged" when the objective fell below this × that at M's building. */
export const STALE = 0.9;
/**
 * Without a penalty, and where the best objective is that of no finite weights (classes that columns separate), gaps halve
 * until curvatures underflow: a thousand passes for nothing. No loss is below 0, so an objective of less than LEAST_PROGRESS ×
 * nullLoss is as good as the optimum. Not for squared loss, whose weights are determined even where the fit is perfect.
 */
export function isExhausted(problem: Problem, nullLoss: number, objective: number): boolean {
  return !problem.quadratic && problem.l2 === 0 && objective <= LEAST_PROGRESS[problem.layout.dtype] * nullLoss;
}

/** Below this × nullLoss, without a penalty, all rows are on their side: no finite weights are best. */
const SEPARATED = 1e-4;

/** The weights of the smallest gap under the latest M. */
export interface Best {
  readonly vector: Vector;
  readonly objective: number;
  readonly gap: number;
}

export function bestOf(point: Point, gap: number): Best {
  return { vector: point.vector, objective: point.objective, gap };
}

/** gap ≤ tolerance × max(0, nullLoss − objective), or gap = 0. */
export function isConverged(gap: number, tolerance: number, nullLoss: number, objective: number): boolean {
  return gap === 0 || gap <= tolerance * Math.max(0, nullLoss - objective);
}

/** Remarks on a finished run. */
export function notesOf(problem: Problem, metric: MetricState, nullLoss: number, objective: number): string[] {
  const notes: string[] = [];
  const weak = metric.record?.weak ?? 0;
  if (problem.l2 === 0 && weak > 0)
    notes.push(
      `--l2 0: ${weak} of ${problem.layout.columns} columns are (nearly) combinations of others, so that the objective is determined but the weights are not; a small --l2 makes them so`,
    );
  if (problem.l2 > 0 && weak > 0 && problem.layout.dtype === 'f32')
    notes.push(
      `${weak} of ${problem.layout.columns} columns are combinations of others as far as f32 shows, and --l2 ${problem.l2} is too small to settle their weights: --dtype f64 does, or a larger --l2`,
    );
  if (problem.l2 === 0 && !problem.quadratic && objective <= SEPARATED * nullLoss)
    notes.push(
      `--l2 0: the columns separate the ${problem.classes ?? 'two'} classes completely, so that the weights grow without bound the longer one trains; a small --l2 gives finite ones`,
    );
  return notes;
}

/** @throws PARAGRAD_DIVERGED when the objective or gradient of a point that an optimizer cannot step back from is not finite. */
export function requireFinite(problem: Problem, { objective, gradient }: Point): void {
  // In f32 derivatives overflow long before the objective does.
  if (Number.isFinite(objective) && isFiniteVector(gradient)) return;
  throw new ParagradError(
    'PARAGRAD_DIVERGED',
    `the ${Number.isFinite(objective) ? 'gradient is not finite' : `objective is ${objective}`}: the values of the target or of a column are too large for ${problem.layout.dtype} arithmetic. Use --dtype f64, or a larger unit; --no-standardize, where it is given, leaves columns as they are`,
  );
}

/** Outer iterations 1, 2, 4, 8, … are those at which M is built again. */
export function isPowerOfTwo(n: number): boolean {
  let power = 1;
  while (power < n) power *= 2;
  return power === n;
}
