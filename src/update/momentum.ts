import { assert } from '../errors.ts';
import { Descent, type Method, type Place, type Step } from './descent.ts';
import { diverged, isRunaway } from './divergence.ts';
import type { MetricRules } from './metric.ts';
import { type Point, pointOf } from './objective.ts';
import type { Optimizer, OptimizerOptions } from './optimizer.ts';
import type { GradientSums, Vector } from './pass.ts';
import { beginRate, halvedRate, type Rate, ratePass, refinedRate, sampledRate } from './rate.ts';
import { NOISE } from './stop.ts';
import { axpy, scale, zeroLike } from './vectors.ts';

export const DEFAULT_MOMENTUM = 0.9;
/** Points in a row above the lowest objective before an automatic rate is halved: a heavy ball rolls up the other side, too. */
const MAX_RISING = 30;
const MAX_HALVINGS = 40;

interface Own {
  readonly rate: Rate;
  /** The last step. */
  readonly velocity: Vector;
  /** The point of the lowest objective so far, and points since. */
  readonly lowest: Point | undefined;
  readonly rising: number;
  readonly halvings: number;
}

/** Heavy ball (Polyak 1964): velocity ← momentum · velocity − rate · gradient, w ← w + velocity. */
function method(options: OptimizerOptions): Method<Own> {
  const momentum = options.momentum ?? DEFAULT_MOMENTUM;
  const velocityAt = ({ point, own }: Place<Own>): Vector => axpy(-own.rate.value, point.gradient, scale(momentum, own.velocity));
  return {
    name: 'momentum',
    maxIdle: 50,
    sample: 'first',
    begin: (problem) => ({
      rate: beginRate(problem, options.learningRate),
      velocity: zeroLike(problem.start),
      lowest: undefined,
      rising: 0,
      halvings: 0,
    }),
    sampled: (problem, own, gram, columns) => ({ ...own, rate: sampledRate(problem, own.rate, gram, columns) }),
    start: ({ own, point }) => ({ ...own, lowest: own.lowest ?? point }),
    pass: (place) => ratePass(place.own.rate, place.point) ?? { kind: 'gradient', at: [axpy(1, velocityAt(place), place.point.vector)] },
    absorb: (place, sums) => {
      const { problem, own } = place;
      if (sums.kind === 'curvature') return { kind: 'ask', own: { ...own, rate: refinedRate(problem, own.rate, sums.sums) } };
      assert(sums.kind === 'gradient', `momentum did not ask for a ${sums.kind} pass`);
      return rolled(place, velocityAt(place), sums.sums[0]);
    },
    notes: ({ rate }) => [
      `at the rate ${rate.value} and momentum ${momentum} the optimum is far still: use --learning-rate auto, or --optimizer auto`,
    ],
  };
}

function rolled({ problem, point: from, own, gained }: Place<Own>, velocity: Vector, sums: GradientSums): Step<Own> {
  const { rate, halvings } = own;
  const lowest = own.lowest as Point;
  const point = pointOf(problem, axpy(1, velocity, from.vector), sums);
  const low = point.objective <= lowest.objective + NOISE[problem.layout.dtype] * Math.abs(lowest.objective);
  const rising = low ? 0 : own.rising + 1;
  const start = Math.max(lowest.objective, from.objective + gained);
  const seen = { objective: point.objective, gradient: point.gradient, start, rising: rising >= MAX_RISING ? rising : 0 };
  if (isRunaway(problem, seen)) {
    if (!rate.automatic) throw diverged(problem, rate.value, rate.curvature.value, point.objective);
    if (halvings >= MAX_HALVINGS) return { kind: 'stuck' };
    const again = { ...own, rate: halvedRate(rate), velocity: zeroLike(problem.start), rising: 0, halvings: halvings + 1 };
    return { kind: 'moved', point: lowest, own: again };
  }
  return { kind: 'moved', point, own: { ...own, velocity, rising, lowest: point.objective < lowest.objective ? point : lowest } };
}

export function momentum(options: OptimizerOptions, rules?: MetricRules): Optimizer {
  return new Descent(method(options), options, rules);
}
