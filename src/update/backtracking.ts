import { largestCurvature } from './curvature-estimate.ts';
import { Descent, type Method } from './descent.ts';
import { type LineSearch, searched, searchFrom, searchPass } from './line-search.ts';
import type { MetricRules } from './metric.ts';
import type { Optimizer, OptimizerOptions } from './optimizer.ts';
import { scale } from './vectors.ts';

/** The first step that an iteration tries: this × the last one accepted. */
const GROWTH = 2;

interface Own {
  /** The step to begin with; NaN until the first sample is there. */
  readonly step: number;
  readonly search: LineSearch | undefined;
}

/** Gradient descent whose every step is searched for: two readings an iteration, one for the losses along −g, one for the gradient. */
function method(options: OptimizerOptions): Method<Own> {
  return {
    name: 'gradient-descent',
    maxIdle: 50,
    sample: 'first',
    begin: () => ({ step: options.learningRate === 'auto' ? NaN : options.learningRate, search: undefined }),
    sampled: (problem, own, gram, columns) => {
      if (!Number.isNaN(own.step)) return own;
      const { value } = largestCurvature(problem, gram, columns);
      return { ...own, step: value > 0 ? GROWTH / value : 1 };
    },
    start: ({ problem, point, own }) => {
      const search = searchFrom(problem, point, scale(-1, point.gradient), own.step, 'along');
      return search === undefined ? undefined : { ...own, search };
    },
    pass: ({ point, own }) => searchPass(point, own.search as LineSearch),
    absorb: ({ problem, point, own }, sums) => {
      const search = own.search as LineSearch;
      const result = searched(problem, point, search, sums);
      if (result.kind === 'failed') return { kind: 'stuck' };
      if (result.kind === 'search') return { kind: 'ask', own: { ...own, search: result.search } };
      return { kind: 'moved', point: result.point, own: { step: GROWTH * search.step, search: undefined } };
    },
  };
}

export function backtracking(options: OptimizerOptions, rules?: MetricRules): Optimizer {
  return new Descent(method(options), options, rules);
}
