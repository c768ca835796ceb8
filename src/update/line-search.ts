import { assert } from '../errors.ts';
import { type Point, pointOf } from './objective.ts';
import type { Problem } from './optimizer.ts';
import type { Pass, Sums, SumsOf, Vector } from './pass.ts';
import { NOISE } from './stop.ts';
import { axpy, dot, dotWeights } from './vectors.ts';

/** Sufficient decrease of the objective, as a share of what the slope promises. */
const ARMIJO = 1e-4;
/** Where the objective is lost in noise, the slope must at least not have grown: this × the first slope. */
const MAX_SLOPE = 0.9998;
/** Steps of one `lossAlong` pass, each half of the one before, and passes that are tried. */
const STEPS = 8;
const MAX_ROUNDS = 4;

/** A backtracking search along a direction: a reading of the data tries several steps, and only the chosen one gets a gradient. */
export interface LineSearch {
  readonly direction: Vector;
  /** Of the objective at the point, along the direction; < 0. */
  readonly slope: number;
  /** The longest step that may still be taken. */
  readonly step: number;
  /** `trial`: its gradient is asked for at once; `along`: it and shorter ones are compared first; `chosen`: after that. */
  readonly stage: 'trial' | 'along' | 'chosen';
  readonly rounds: number;
}

export type SearchResult =
  | { readonly kind: 'search'; readonly search: LineSearch }
  | { readonly kind: 'accepted'; readonly point: Point }
  | { readonly kind: 'failed' };

/** Undefined where the direction does not descend. */
export function searchFrom(
  problem: Problem,
  point: Point,
  direction: Vector,
  step: number,
  stage: 'trial' | 'along',
): LineSearch | undefined {
  const slope = dot(problem.layout, point.gradient, direction);
  return slope < 0 && Number.isFinite(slope) ? { direction, slope, step, stage, rounds: 0 } : undefined;
}

export function searchPass(point: Point, search: LineSearch): Pass {
  const { direction, step, stage } = search;
  if (stage !== 'along') return { kind: 'gradient', at: [axpy(step, direction, point.vector)] };
  return { kind: 'lossAlong', at: point.vector, direction, steps: [0, ...stepsOf(step)] };
}

function stepsOf(longest: number): number[] {
  return Array.from({ length: STEPS }, (_, i) => longest * 2 ** -i);
}

export function searched(problem: Problem, from: Point, search: LineSearch, sums: Sums): SearchResult {
  if (search.stage === 'along') {
    assert(sums.kind === 'lossAlong', `a line search waits for losses, not ${sums.kind}`);
    return choose(problem, from, search, sums.sums);
  }
  assert(sums.kind === 'gradient', `a line search waits for a gradient, not ${sums.kind}`);
  const point = pointOf(problem, axpy(search.step, search.direction, from.vector), sums.sums[0]);
  const slope = dot(problem.layout, point.gradient, search.direction);
  if (isAccepted(problem, search, search.step, from.objective, { objective: point.objective, slope })) return { kind: 'accepted', point };
  return search.stage === 'chosen' ? { kind: 'failed' } : { kind: 'search', search: { ...search, step: search.step / 2, stage: 'along' } };
}

/** The longest step that lowers the objective enough; all compared with the one at 0 of the same pass. */
function choose(problem: Problem, from: Point, search: LineSearch, sums: SumsOf<'lossAlong'>): SearchResult {
  const values = objectivesAlong(problem, from, search, sums);
  const steps = stepsOf(search.step);
  const chosen = steps.find((step, i) => isAccepted(problem, search, step, values[0].objective, values[i + 1]));
  if (chosen !== undefined) return { kind: 'search', search: { ...search, step: chosen, stage: 'chosen' } };
  const rounds = search.rounds + 1;
  if (rounds >= MAX_ROUNDS) return { kind: 'failed' };
  return { kind: 'search', search: { ...search, step: steps[STEPS - 1] / 2, rounds } };
}

interface Along {
  readonly objective: number;
  readonly slope: number;
}

/** Objectives and slopes, penalty included, of step 0 and the others. */
function objectivesAlong(problem: Problem, from: Point, search: LineSearch, sums: SumsOf<'lossAlong'>): Along[] {
  const { layout, l2, weightSum } = problem;
  const w = from.vector.weights;
  const p = search.direction.weights;
  const [ww, wp, pp] = [dotWeights(layout, w, w), dotWeights(layout, w, p), dotWeights(layout, p, p)];
  const steps = [0, ...stepsOf(search.step)];
  return sums.map(({ loss, slope }, i) => ({
    objective: loss / weightSum + (l2 / 2) * (ww + steps[i] * (2 * wp + steps[i] * pp)),
    slope: slope / weightSum + l2 * (wp + steps[i] * pp),
  }));
}

function isAccepted(problem: Problem, search: LineSearch, step: number, before: number, after: Along): boolean {
  if (!(Number.isFinite(after.objective) && Number.isFinite(after.slope))) return false;
  if (after.objective <= before + ARMIJO * step * search.slope) return true;
  const noise = NOISE[problem.layout.dtype] * Math.abs(before);
  return after.objective <= before + noise && after.slope <= MAX_SLOPE * Math.abs(search.slope);
}
