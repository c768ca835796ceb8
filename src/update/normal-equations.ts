import { assert, ParagradError } from '../errors.ts';
import { Descent, type Method } from './descent.ts';
import { METRIC_RULES, type MetricRules } from './metric.ts';
import { pointOf } from './objective.ts';
import type { Optimizer, OptimizerOptions, Problem } from './optimizer.ts';
import type { Vector } from './pass.ts';
import { axpy, isFiniteVector, scale } from './vectors.ts';

interface Own {
  readonly trial: Vector | undefined;
}

/**
 * The normal equations of least squares: one reading gives the whole Gram matrix, its Cholesky factor the weights, and a true
 * gradient there what is missing still. While that pays, the same factor refines them. M of all rows is that factor.
 */
function method(maxColumns: number): Method<Own> {
  return {
    name: 'normal-equations',
    maxIdle: 2,
    sample: 'all',
    begin: (problem) => {
      requireSquared(problem, maxColumns);
      return { trial: undefined };
    },
    start: ({ point, solve }) => {
      const step = scale(-1, solve(point.gradient));
      return isFiniteVector(step) ? { trial: axpy(1, step, point.vector) } : undefined;
    },
    pass: ({ own }) => ({ kind: 'gradient', at: [own.trial as Vector] }),
    absorb: ({ problem, own }, sums) => {
      assert(sums.kind === 'gradient', `the normal equations did not ask for a ${sums.kind} pass`);
      const point = pointOf(problem, own.trial as Vector, sums.sums[0]);
      if (!Number.isFinite(point.objective) || !isFiniteVector(point.gradient)) return { kind: 'stuck' };
      return { kind: 'moved', point, own: { trial: undefined } };
    },
  };
}

function requireSquared({ quadratic, loss, layout }: Problem, maxColumns: number): void {
  const place = { place: { option: '--optimizer' } };
  if (!quadratic)
    throw new ParagradError('PARAGRAD_OPTIMIZER', `--optimizer normal-equations is for squared loss, not ${loss}: use lbfgs`, place);
  if (layout.columns > maxColumns)
    throw new ParagradError(
      'PARAGRAD_OPTIMIZER',
      `--optimizer normal-equations takes up to ${maxColumns} columns, and there are ${layout.columns}: use conjugate-gradient`,
      place,
    );
}

/** @throws (init) PARAGRAD_OPTIMIZER when the loss is not quadratic, or there are more than 4,096 columns. */
export function normalEquations(options: OptimizerOptions, rules: MetricRules = METRIC_RULES): Optimizer {
  return new Descent(method(rules.maxFullColumns), options, rules);
}
