import { assert } from '../errors.ts';
import { Descent, type Method, type Place, type Step } from './descent.ts';
import { diverged, isRunaway } from './divergence.ts';
import type { MetricRules } from './metric.ts';
import { type Point, pointOf } from './objective.ts';
import type { Optimizer, OptimizerOptions, Problem } from './optimizer.ts';
import type { GradientSums, Vector } from './pass.ts';
import { beginRate, halvedRate, type Rate, ratePass, refinedRate, sampledRate } from './rate.ts';
import { NOISE } from './stop.ts';
import { axpy, dot, subtract } from './vectors.ts';

/** Halvings of an automatic rate at one point. */
const MAX_HALVINGS = 40;

interface Own {
  readonly rate: Rate;
  /** Where the last plain gradient step ended; undefined: there was none since the last restart. */
  readonly last: Vector | undefined;
  /** t of the sequence t ← (1 + √(1 + 4t²)) / 2, 1 after a restart. */
  readonly t: number;
  /** The lowest objective so far, and plain steps since that rose. */
  readonly minimum: number;
  readonly rising: number;
  readonly halvings: number;
}

interface Ahead {
  /** Where the plain gradient step ends. */
  readonly reached: Vector;
  /** Beyond it, in the direction of the last two: where the next gradient is taken. */
  readonly beyond: Vector;
  readonly t: number;
  /** Whether there is any momentum in it. */
  readonly plain: boolean;
}

/**
 * Nesterov's accelerated gradient (1983) with adaptive restart (O'Donoghue & Candès 2015): momentum is dropped when the gradient
 * points against the last step, or when the objective rises.
 */
function method(options: OptimizerOptions): Method<Own> {
  return {
    name: 'nesterov',
    maxIdle: 50,
    sample: 'first',
    begin: (problem) => ({
      rate: beginRate(problem, options.learningRate),
      last: undefined,
      t: 1,
      minimum: Infinity,
      rising: 0,
      halvings: 0,
    }),
    sampled: (problem, own, gram, columns) => ({ ...own, rate: sampledRate(problem, own.rate, gram, columns) }),
    start: ({ own, point }) => ({ ...own, minimum: Math.min(own.minimum, point.objective) }),
    pass: ({ problem, point, own }) => ratePass(own.rate, point) ?? { kind: 'gradient', at: [aheadOf(problem, point, own).beyond] },
    absorb: (place, sums) => {
      const { problem, own } = place;
      if (sums.kind === 'curvature') return { kind: 'ask', own: { ...own, rate: refinedRate(problem, own.rate, sums.sums) } };
      assert(sums.kind === 'gradient', `Nesterov's method did not ask for a ${sums.kind} pass`);
      return stepped(place, sums.sums[0]);
    },
    notes: ({ rate }) => [`at the rate ${rate.value} the optimum is far still: use --learning-rate auto, or --optimizer auto`],
  };
}

function aheadOf(problem: Problem, point: Point, own: Own): Ahead {
  const reached = axpy(-own.rate.value, point.gradient, point.vector);
  const step = own.last === undefined ? undefined : subtract(reached, own.last);
  if (step === undefined || dot(problem.layout, point.gradient, step) > 0) return { reached, beyond: reached, t: nextOf(1), plain: true };
  const t = nextOf(own.t);
  return { reached, beyond: axpy((own.t - 1) / t, step, reached), t, plain: own.t === 1 };
}

function nextOf(t: number): number {
  return (1 + Math.sqrt(1 + 4 * t * t)) / 2;
}

function stepped({ problem, point: from, own, gained }: Place<Own>, sums: GradientSums): Step<Own> {
  const { rate } = own;
  const ahead = aheadOf(problem, from, own);
  const point = pointOf(problem, ahead.beyond, sums);
  const rises = !(point.objective <= from.objective + NOISE[problem.layout.dtype] * Math.abs(from.objective));
  if (rises && !ahead.plain) return { kind: 'ask', own: { ...own, last: undefined, t: 1 } };
  if (rises && rate.automatic) {
    if (own.halvings >= MAX_HALVINGS) return { kind: 'stuck' };
    return { kind: 'ask', own: { ...own, rate: halvedRate(rate), halvings: own.halvings + 1 } };
  }
  const rising = rises ? own.rising + 1 : 0;
  const start = Math.max(own.minimum, from.objective + gained);
  if (isRunaway(problem, { objective: point.objective, gradient: point.gradient, start, rising }))
    throw diverged(problem, rate.value, rate.curvature.value, point.objective);
  return { kind: 'moved', point, own: { ...own, last: ahead.reached, t: ahead.t, rising, halvings: 0 } };
}

export function nesterov(options: OptimizerOptions, rules?: MetricRules): Optimizer {
  return new Descent(method(options), options, rules);
}
