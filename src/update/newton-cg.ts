import { assert } from '../errors.ts';
import { Descent, type Method, type Place, type Step } from './descent.ts';
import { type LineSearch, searched, searchFrom, searchPass } from './line-search.ts';
import type { MetricRules } from './metric.ts';
import { curvatureOf } from './objective.ts';
import type { Optimizer, OptimizerOptions } from './optimizer.ts';
import type { CurvatureSums, Vector } from './pass.ts';
import { axpy, dot, scale } from './vectors.ts';

/** Conjugate gradient iterations for one Newton step, at most. */
const MAX_INNER = 20;
/** They end when ½ rᵀM⁻¹r is below this share of the gap, and less the nearer the optimum is … */
const LOOSEST = 0.1;
/** … but not below this. */
const TIGHTEST = 1e-10;

/** Conjugate gradient on H·p = −g. */
interface Inner {
  readonly solution: Vector;
  /** H·p + g */
  readonly residual: Vector;
  readonly direction: Vector;
  /** rᵀM⁻¹r now, and at the start. */
  readonly square: number;
  readonly first: number;
  readonly iterations: number;
}

interface Own {
  readonly inner: Inner | undefined;
  readonly search: LineSearch | undefined;
}

/** Truncated Newton: the Newton step by conjugate gradient on M, as exactly as it pays, then a line search along it. */
const METHOD: Method<Own> = {
  name: 'newton-cg',
  maxIdle: 4,
  sample: 'growing',
  begin: () => ({ inner: undefined, search: undefined }),
  start: ({ problem, point, solve }) => {
    const u = solve(point.gradient);
    const square = dot(problem.layout, point.gradient, u);
    const inner = { solution: scale(0, u), residual: point.gradient, direction: scale(-1, u), square, first: square, iterations: 0 };
    return square > 0 && Number.isFinite(square) ? { inner, search: undefined } : undefined;
  },
  pass: ({ point, own: { inner, search } }) =>
    search === undefined ? { kind: 'curvature', at: point.vector, direction: (inner as Inner).direction } : searchPass(point, search),
  absorb: (place, sums) => {
    const { problem, point, own } = place;
    if (own.search === undefined) {
      assert(sums.kind === 'curvature', `Newton-CG did not ask for a ${sums.kind} pass`);
      return iterated(place, own.inner as Inner, sums.sums);
    }
    const result = searched(problem, point, own.search, sums);
    if (result.kind === 'failed') return { kind: 'stuck' };
    if (result.kind === 'search') return { kind: 'ask', own: { ...own, search: result.search } };
    return { kind: 'moved', point: result.point, own: { inner: undefined, search: undefined } };
  },
};

function iterated(place: Place<Own>, inner: Inner, sums: CurvatureSums): Step<Own> {
  const { problem, gap, gained, solve } = place;
  const { quadratic, product } = curvatureOf(problem, inner.direction, sums);
  // Without curvature along M⁻¹g there is its own step to try; later, what was solved so far.
  if (!(quadratic > 0 && Number.isFinite(quadratic))) return search(place, inner.iterations === 0 ? inner.direction : inner.solution);
  const alpha = inner.square / quadratic;
  const solution = axpy(alpha, inner.direction, inner.solution);
  const residual = axpy(alpha, product, inner.residual);
  const u = solve(residual);
  const square = dot(problem.layout, residual, u);
  const iterations = inner.iterations + 1;
  const enough = Math.max(TIGHTEST, Math.min(LOOSEST, gap / (gap + gained))) * inner.first;
  if (iterations >= MAX_INNER || !(square > enough)) return search(place, solution);
  const direction = axpy(square / inner.square, inner.direction, scale(-1, u));
  return { kind: 'ask', own: { inner: { ...inner, solution, residual, direction, square, iterations }, search: undefined } };
}

function search({ problem, point }: Place<Own>, direction: Vector): Step<Own> {
  const begun = searchFrom(problem, point, direction, 1, 'trial');
  return begun === undefined ? { kind: 'stuck' } : { kind: 'ask', own: { inner: undefined, search: begun } };
}

export function newtonCg(options: OptimizerOptions, rules?: MetricRules): Optimizer {
  return new Descent(METHOD, options, rules);
}
