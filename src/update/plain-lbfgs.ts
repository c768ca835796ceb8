import { assert } from '../errors.ts';
import { Descent, type Method, type Place, type Step } from './descent.ts';
import { type LineSearch, searched, searchFrom, searchPass } from './line-search.ts';
import type { MetricRules } from './metric.ts';
import { curvatureOf, type Point } from './objective.ts';
import type { Optimizer, OptimizerOptions } from './optimizer.ts';
import { inverseHessian, LEAST_CURVATURE, type Pair, withPair } from './pairs.ts';
import type { CurvatureSums } from './pass.ts';
import { dot, norm, scale, subtract } from './vectors.ts';

interface Own {
  readonly pairs: readonly Pair[];
  /** The inverse curvature that stands for all directions without a pair; NaN until it is known. */
  readonly step: number;
  readonly search: LineSearch | undefined;
}

/** L-BFGS as the textbooks have it: the last pair's sᵀy / yᵀy in the place of an initial metric. M serves the stop rule only. */
const METHOD: Method<Own> = {
  name: 'plain-lbfgs',
  maxIdle: 10,
  sample: 'first',
  begin: () => ({ pairs: [], step: NaN, search: undefined }),
  start: (place) => (Number.isNaN(place.own.step) ? place.own : directed(place, place.own)),
  pass: ({ point, own }) =>
    own.search === undefined
      ? { kind: 'curvature', at: point.vector, direction: scale(-1, point.gradient) }
      : searchPass(point, own.search),
  absorb: (place, sums) => {
    const { problem, point, own } = place;
    if (own.search === undefined) {
      assert(sums.kind === 'curvature', `plain L-BFGS did not ask for a ${sums.kind} pass`);
      return asked(directed(place, { ...own, step: firstStep(place, sums.sums) }));
    }
    const result = searched(problem, point, own.search, sums);
    if (result.kind === 'search') return { kind: 'ask', own: { ...own, search: result.search } };
    if (result.kind === 'accepted') return moved(place, own.search, result.point);
    return own.pairs.length === 0 ? { kind: 'stuck' } : asked(directed(place, { ...own, pairs: [] }));
  },
};

function asked(own: Own | undefined): Step<Own> {
  return own === undefined ? { kind: 'stuck' } : { kind: 'ask', own };
}

/** The best step along −g of a quadratic objective. */
function firstStep({ problem, point }: Place<Own>, sums: CurvatureSums): number {
  const { gradient } = point;
  const { quadratic } = curvatureOf(problem, gradient, sums);
  const step = dot(problem.layout, gradient, gradient) / quadratic;
  return step > 0 && Number.isFinite(step) ? step : 1 / norm(problem.layout, gradient);
}

/** A search along −H·g; along −g where that does not descend. */
function directed({ problem, point }: Place<Own>, own: Own): Own | undefined {
  const { pairs, step } = own;
  const direction = scale(
    -1,
    inverseHessian(problem.layout, pairs, point.gradient, (q) => scale(step, q)),
  );
  const search = searchFrom(problem, point, direction, 1, 'trial');
  if (search !== undefined) return { ...own, search };
  return pairs.length === 0 ? undefined : directed({ problem, point } as Place<Own>, { ...own, pairs: [] });
}

function moved({ problem, point: from, own }: Place<Own>, search: LineSearch, point: Point): Step<Own> {
  const s = scale(search.step, search.direction);
  const y = subtract(point.gradient, from.gradient);
  const product = dot(problem.layout, s, y);
  if (!(product > LEAST_CURVATURE * search.step * Math.abs(search.slope)))
    return { kind: 'moved', point, own: { ...own, search: undefined } };
  const step = product / dot(problem.layout, y, y);
  return { kind: 'moved', point, own: { pairs: withPair(own.pairs, { s, y, product }), step, search: undefined } };
}

export function plainLbfgs(options: OptimizerOptions, rules?: MetricRules): Optimizer {
  return new Descent(METHOD, options, rules);
}
