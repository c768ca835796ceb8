import { ParagradError } from '../errors.ts';
import type { Problem } from './optimizer.ts';
import type { Vector } from './pass.ts';
import { isFiniteVector } from './vectors.ts';

/** When plain gradient descent at a fixed rate has diverged, and why. */

/** Passes in a row above the lowest objective: a quadratic one never rises below the largest stable rate. */
const MAX_RISING_QUADRATIC = 10;
const MAX_RISING = 30;
/** A quadratic objective above this × where it started is on its way to infinity: told before the arithmetic overflows. */
const RUNAWAY = 1e3;

export function isRunaway(problem: Problem, seen: { objective: number; gradient: Vector; start: number; rising: number }): boolean {
  if (!Number.isFinite(seen.objective) || !isFiniteVector(seen.gradient)) return true;
  if (problem.quadratic && seen.objective > RUNAWAY * seen.start) return true;
  return seen.rising >= (problem.quadratic ? MAX_RISING_QUADRATIC : MAX_RISING);
}

/** The error that names the rate, the largest curvature and a rate that works. */
export function diverged(problem: Problem, rate: number, curvature: number, objective: number): ParagradError {
  const limit = 2 / curvature;
  const bound = `the largest curvature of the objective is about ${show(curvature)}`;
  const cause =
    rate >= limit
      ? `${bound}, and the rate must stay below 2 / ${show(curvature)} = ${show(limit)}: try --learning-rate ${show(0.5 * limit)}`
      : `${bound} where it was measured${problem.l2 === 0 && !problem.quadratic ? ', and without --l2 weights may grow without bound where columns separate the classes' : ''}: try --learning-rate ${show(0.25 * Math.min(rate, limit))}`;
  return new ParagradError(
    'PARAGRAD_DIVERGED',
    `training diverged (objective ${show(objective)}) at --learning-rate ${show(rate)}: ${cause}, or auto`,
    {
      place: { option: '--learning-rate' },
    },
  );
}

function show(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(3))) : String(value);
}
