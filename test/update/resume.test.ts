import { describe, expect, it } from 'vitest';
import { backtracking } from '../../src/update/backtracking.ts';
import { ConjugateGradient } from '../../src/update/conjugate-gradient.ts';
import { GradientDescent } from '../../src/update/gradient-descent.ts';
import { Lbfgs } from '../../src/update/lbfgs.ts';
import type { MetricRules } from '../../src/update/metric.ts';
import { momentum } from '../../src/update/momentum.ts';
import { nesterov } from '../../src/update/nesterov.ts';
import { newtonCg } from '../../src/update/newton-cg.ts';
import { normalEquations } from '../../src/update/normal-equations.ts';
import type { Optimizer, OptimizerOptions } from '../../src/update/optimizer.ts';
import type { Pass } from '../../src/update/pass.ts';
import { plainLbfgs } from '../../src/update/plain-lbfgs.ts';
import { DenseEvaluator } from './dense-evaluator.ts';
import { randomProblem } from './random-problems.ts';

type Make = (options: OptimizerOptions, rules?: MetricRules) => Optimizer;
const MAKERS: [string, 'squared' | 'logistic', Make][] = [
  ['conjugate-gradient', 'squared', (options, rules) => new ConjugateGradient(options, rules) as Optimizer],
  ['lbfgs', 'squared', (options, rules) => new Lbfgs(options, rules) as Optimizer],
  ['lbfgs', 'logistic', (options, rules) => new Lbfgs(options, rules) as Optimizer],
  ['gradient-descent', 'squared', (options, rules) => new GradientDescent(options, rules) as Optimizer],
  ['gradient-descent', 'logistic', (options, rules) => new GradientDescent(options, rules) as Optimizer],
  ...Object.entries({ backtracking, momentum, nesterov, newtonCg, plainLbfgs }).flatMap(([name, make]) =>
    (['squared', 'logistic'] as const).map((loss): [string, typeof loss, Make] => [name, loss, (...all) => make(...all) as Optimizer]),
  ),
  // The whole Gram matrix has all columns, whatever the rules for wide data.
  ['normal-equations', 'squared', (options) => normalEquations(options) as Optimizer],
];
const OPTIONS: OptimizerOptions = { tolerance: 0, learningRate: 'auto' };
const MAX_PASSES = 40;
/** Passes before which a run is broken: the first ones, where state is built, and some later. */
const BREAKS = [0, 1, 2, 3, 6, 11];

/** Few columns in full, so that the rule for wide data is at work too. */
const NARROW: MetricRules = { maxFullColumns: 8, chosenColumns: 5 };

interface Trace {
  readonly passes: Pass[];
  readonly end: unknown;
}

/** Trains; after pass `breakAt`, or every pass, state and optimizer are thrown away and begun again from a copy. */
function traceOf(make: () => Optimizer, evaluator: DenseEvaluator, breaks: (pass: number) => boolean): Trace {
  let optimizer = make();
  let state = optimizer.init(evaluator.problem);
  const passes: Pass[] = [];
  for (let count = 0; ; ) {
    let next = optimizer.next(state);
    if (next.kind === 'pass' && breaks(count)) {
      optimizer = make();
      state = structuredClone(state);
      const again = optimizer.next(state);
      // The copy may have to build its metric again first: that pass is not one of the run's.
      if (again.kind === 'pass' && JSON.stringify(again.pass) !== JSON.stringify(next.pass)) {
        expect(again.pass.kind).toBe('gram');
        expect(optimizer.absorb(state, evaluator.evaluate(again.pass))).toEqual(state);
      }
      next = optimizer.next(state);
    }
    if (next.kind === 'done') return { passes, end: [optimizer.outcome(state, next.reason), optimizer.progress(state)] };
    if (optimizer.progress(state).passes >= MAX_PASSES)
      return { passes, end: [optimizer.outcome(state, 'max passes'), optimizer.progress(state)] };
    passes.push(next.pass);
    state = optimizer.absorb(state, evaluator.evaluate(next.pass));
    count += 1;
  }
}

describe.each(MAKERS)('%s on %s loss', (_, loss, make) => {
  it.each([
    ['the metric in full', undefined],
    ['the metric of chosen columns', NARROW],
  ])('resumed ≡ uninterrupted, to the bit, with %s', (_name, rules) => {
    const random = randomProblem(loss === 'squared' ? 2 : 5, loss, 0.5);
    const evaluator = new DenseEvaluator(random, { loss, dtype: 'f32', l2: 1 / random.rows, indicators: random.indicators });
    expect(random.columns).toBeGreaterThan(NARROW.maxFullColumns);
    const fresh = (): Optimizer => make(OPTIONS, rules);
    const whole = traceOf(fresh, evaluator, () => false);
    expect(traceOf(fresh, evaluator, () => true)).toEqual(whole);
    for (const at of BREAKS.filter((pass) => pass < whole.passes.length))
      expect(traceOf(fresh, evaluator, (pass) => pass === at)).toEqual(whole);
  });
});
