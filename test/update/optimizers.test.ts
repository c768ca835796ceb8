import { describe, expect, it } from 'vitest';
import { ParagradError } from '../../src/errors.ts';
import { layoutOf } from '../../src/partition/layout.ts';
import { ConjugateGradient } from '../../src/update/conjugate-gradient.ts';
import { GradientDescent } from '../../src/update/gradient-descent.ts';
import {
  chooseOptimizer,
  createOptimizer,
  DEFAULT_OPTIMIZER_OPTIONS,
  OF_BATCHES,
  OPTIMIZERS,
  SQUARED_ONLY,
} from '../../src/update/index.ts';
import { Lbfgs } from '../../src/update/lbfgs.ts';
import type { Optimizer, OptimizerOptions } from '../../src/update/optimizer.ts';
import { type DenseData, DenseEvaluator, type ProblemOptions, type Run, train } from './dense-evaluator.ts';
import { newton, objectiveAt } from './newton.ts';
import { generator, randomProblem } from './random-problems.ts';

const EXACT: OptimizerOptions = { tolerance: 0, learningRate: 'auto' };
/** Those that read all rows at once; those of mini-batches have tests of their own. */
const NAMES = Object.keys(OPTIMIZERS).filter((name) => !OF_BATCHES.includes(name));

function run(name: string, data: DenseData, problem: ProblemOptions, options: Partial<OptimizerOptions> = {}, maxPasses = 5000): Run {
  const evaluator = new DenseEvaluator(data, problem);
  const all = { ...DEFAULT_OPTIMIZER_OPTIONS, ...options };
  return train(createOptimizer(name, all, evaluator.problem), evaluator, maxPasses);
}

function table(rows: number, columns: number, seed: number, y: (random: () => number, i: number) => number): DenseData {
  const random = generator(seed);
  const x = Float64Array.from({ length: rows * columns }, () => random() - 0.5);
  return { rows, columns, x, y: Float64Array.from({ length: rows }, (_, i) => y(random, i)) };
}

const LOSSES = ['squared', 'logistic'] as const;
const target = (loss: string) => (random: () => number, i: number) =>
  loss === 'squared' ? 5 + random() : i % 3 === 0 || random() < 0.2 ? 1 : 0;
const fits = (name: string, loss: string): boolean => !(SQUARED_ONLY.includes(name) && loss === 'logistic');
const CASES = NAMES.flatMap((name) => LOSSES.filter((loss) => fits(name, loss)).map((loss) => ({ name, loss })));

describe('registry', () => {
  it('chooses by the loss', () => {
    const squared = new DenseEvaluator(table(20, 2, 1, target('squared')), { loss: 'squared' }).problem;
    expect(chooseOptimizer(squared)).toBe('conjugate-gradient');
    expect(createOptimizer('auto', DEFAULT_OPTIMIZER_OPTIONS, squared).name).toBe('conjugate-gradient');
    expect(createOptimizer('auto', DEFAULT_OPTIMIZER_OPTIONS, { ...squared, quadratic: false }).name).toBe('lbfgs');
    expect(createOptimizer('auto', { tolerance: 0, learningRate: 0.1 }, squared).name).toBe('gradient-descent');
    for (const name of NAMES) expect(createOptimizer(name, DEFAULT_OPTIMIZER_OPTIONS, squared).name).toBe(name);
  });

  it('solves for the last digit where there are many rows for the columns', () => {
    const { problem } = new DenseEvaluator(table(20, 2, 1, target('squared')), { loss: 'squared' });
    const shape = (dtype: 'f32' | 'f64', rows: number, columns: number) => ({ ...problem, layout: layoutOf({ dtype, rows, columns }) });
    const chosen = (dtype: 'f32' | 'f64', rows: number, columns: number, tolerance = 0): string =>
      chooseOptimizer(shape(dtype, rows, columns), { tolerance, learningRate: 'auto' });
    expect(chosen('f64', 1e6, 20)).toBe('normal-equations');
    expect(chosen('f64', 1e6, 20, 1e-6)).toBe('conjugate-gradient');
    expect(chosen('f32', 1e6, 20)).toBe('conjugate-gradient');
    expect(chosen('f64', 4000, 20)).toBe('conjugate-gradient');
    expect(chosen('f64', 1e6, 513)).toBe('conjugate-gradient');
  });

  it('refuses what it does not know', () => {
    const { problem } = new DenseEvaluator(table(20, 2, 1, target('logistic')), { loss: 'logistic' });
    const code = (name: string, options: OptimizerOptions): string | undefined => {
      try {
        createOptimizer(name, options, problem).init(problem);
      } catch (error) {
        return (error as ParagradError).code;
      }
      return undefined;
    };
    expect(code('toString', EXACT)).toBe('PARAGRAD_OPTION');
    expect(code('lbfgs', { ...EXACT, tolerance: -1 })).toBe('PARAGRAD_OPTION');
    expect(code('lbfgs', { ...EXACT, tolerance: NaN })).toBe('PARAGRAD_OPTION');
    expect(code('lbfgs', { ...EXACT, learningRate: 0 })).toBe('PARAGRAD_OPTION');
    expect(code('conjugate-gradient', EXACT)).toBe('PARAGRAD_OPTIMIZER');
    expect(code('lbfgs', EXACT)).toBeUndefined();
  });
});

describe('on the exact metric', () => {
  it('conjugate gradient and L-BFGS need one step for squared loss', () => {
    const data = table(50, 6, 3, target('squared'));
    const wanted = newton(data, 'squared', 0.01);
    for (const [name, passes] of [
      ['conjugate-gradient', 3],
      ['lbfgs', 2],
    ] as const) {
      const { outcome, iterations, passes: made } = run(name, data, { loss: 'squared', l2: 0.01 });
      expect(outcome.reason).toBe('converged');
      expect(iterations).toBe(1);
      expect(made).toBe(passes);
      outcome.vector.weights.forEach((w, j) => {
        expect(w).toBeCloseTo(wanted.weights[j], 12);
      });
    }
  });

  it('logistic regression agrees with an independent Newton solution to 9 digits', () => {
    for (const [seed, l2] of [
      [1, 0.02],
      [2, 1e-3],
      [3, 0],
    ] as const) {
      const data = table(300, 5, seed, target('logistic'));
      const wanted = newton(data, 'logistic', l2);
      const { outcome } = run('lbfgs', data, { loss: 'logistic', l2 }, EXACT);
      const all = [...outcome.vector.weights, outcome.vector.intercept];
      [...wanted.weights, wanted.intercept].forEach((w, j) => {
        expect(Math.abs(all[j] - w) / Math.abs(w)).toBeLessThan(1e-9);
      });
      expect(Math.abs(outcome.objective - wanted.objective)).toBeLessThan(1e-14);
    }
  });

  it('sample weights and offsets count', () => {
    const base = table(80, 3, 9, target('logistic'));
    const random = generator(5);
    const v = Float64Array.from({ length: 80 }, (_, i) => (i % 7 === 0 ? 0 : random()));
    const offset = Float64Array.from({ length: 80 }, () => random() - 0.5);
    for (const loss of LOSSES) {
      const data = { ...base, v, offset };
      const wanted = newton(data, loss, 0.05);
      const { outcome } = run('auto', data, { loss, l2: 0.05 }, EXACT);
      outcome.vector.weights.forEach((w, j) => {
        expect(w).toBeCloseTo(wanted.weights[j], 9);
      });
    }
  });
});

describe.each(CASES)('$name on $loss loss', ({ name, loss }) => {
  it('finds the optimum within the tolerance from the null model and from zero', () => {
    const data = table(200, 4, 17, target(loss));
    const wanted = newton(data, loss, 0.1);
    for (const start of ['null', 'zero'] as const) {
      const { outcome } = run(name, data, { loss, l2: 0.1, start });
      expect(outcome.reason).toBe('converged');
      const nullLoss = run(name, data, { loss, l2: 0.1, start: 'null' }, {}, 1).outcome.objective;
      expect(outcome.objective - wanted.objective).toBeLessThan(1.5e-6 * (nullLoss - wanted.objective));
    }
  });

  it('does without an intercept', () => {
    const data = table(100, 3, 23, target(loss));
    const wanted = newton(data, loss, 0.1, undefined, false);
    const { outcome } = run(name, data, { loss, l2: 0.1, intercept: false }, { tolerance: 1e-10 });
    expect(outcome.vector.intercept).toBe(0);
    outcome.vector.weights.forEach((w, j) => {
      expect(w).toBeCloseTo(wanted.weights[j], 4);
    });
  });

  it.each(['f32', 'f64'] as const)('ends by itself on odd shapes (%s)', (dtype) => {
    const shapes: [number, number][] = [
      [40, 0],
      [1, 1],
      [1, 0],
      [2, 3],
      [17, 1],
      [5, 9],
    ];
    for (const [rows, columns] of shapes)
      for (const l2 of [0.1, 0])
        for (const intercept of [true, false])
          for (const tolerance of [1e-6, 0]) {
            const data = table(rows, columns, rows + columns, (random, i) => (loss === 'squared' ? random() : rows === 1 ? 0.5 : i % 2));
            const { outcome } = run(name, data, { loss, dtype, l2, intercept }, { tolerance }, 60_000);
            expect(['converged', 'precision reached']).toContain(outcome.reason);
            expect(Number.isFinite(outcome.objective)).toBe(true);
            expect(outcome.vector.weights.every(Number.isFinite)).toBe(true);
          }
  });

  it('ends at once where there is nothing to learn', () => {
    const x = Float64Array.from({ length: 64 }, (_, i) => (i % 5) - 2);
    const data = { rows: 32, columns: 2, x, y: new Float64Array(32).fill(loss === 'squared' ? 3 : 0.5) };
    const { outcome, passes } = run(name, data, { loss, l2: 0 });
    expect(outcome.reason).toBe('converged');
    // The Gram matrix of all rows is a reading of them, too.
    expect(passes).toBe(name === 'normal-equations' ? 2 : 1);
    expect(outcome.gap).toBe(0);
    expect(outcome.vector.weights).toEqual(new Float64Array(2));
  });

  it('returns what it has when it is cut short', () => {
    const data = table(60, 5, 31, target(loss));
    for (const passes of [0, 1, 2, 3]) {
      const { outcome } = run(name, data, { loss, l2: 1e-3 }, EXACT, passes);
      expect(outcome.reason).toBe('max passes');
      if (passes === 0) expect(outcome.objective).toBeNaN();
      else expect(outcome.objective).toBeCloseTo(objectiveAt(data, loss, 1e-3, outcome.vector.weights, outcome.vector.intercept), 12);
    }
  });
});

describe('hard random problems', () => {
  const cells = LOSSES.flatMap((loss) =>
    (['f32', 'f64'] as const).flatMap((dtype) => [1e-6, 0].map((tolerance) => ({ loss, dtype, tolerance }))),
  );
  it.each(cells)('end by themselves near the optimum: %o', ({ loss, dtype, tolerance }) => {
    for (let seed = 1; seed <= 5; seed += 1) {
      const random = randomProblem(seed, loss, 0.4);
      const data = dtype === 'f32' ? { ...random, x: Float64Array.from(random.x, Math.fround) } : random;
      const best = newton(data, loss, random.l2);
      for (const optimizer of loss === 'squared' ? ['conjugate-gradient', 'lbfgs'] : ['lbfgs']) {
        const { outcome, passes } = run(optimizer, data, { loss, dtype, l2: random.l2, indicators: random.indicators }, { tolerance }, 400);
        expect(passes, random.describe).toBeLessThan(400);
        const { weights, intercept } = outcome.vector;
        const missing = objectiveAt(data, loss, random.l2, weights, intercept) - best.objective;
        const nullLoss = run(optimizer, data, { loss, dtype, l2: random.l2 }, {}, 1).outcome.objective;
        expect(missing / (nullLoss - best.objective), random.describe).toBeLessThan(5e-6);
      }
    }
  });
});

describe('a metric of some columns only', () => {
  it('is not trusted alone: what correlated columns still hold is found', () => {
    for (const seed of [2, 7, 9, 10, 12, 14]) {
      const random = randomProblem(seed, 'squared', 0.5);
      const evaluator = new DenseEvaluator(random, { loss: 'squared', l2: 1e-3, indicators: random.indicators });
      const rules = { maxFullColumns: 2, chosenColumns: Math.floor(random.columns / 2) };
      const best = newton(random, 'squared', 1e-3);
      for (const optimizer of [new ConjugateGradient(DEFAULT_OPTIMIZER_OPTIONS, rules), new Lbfgs(DEFAULT_OPTIMIZER_OPTIONS, rules)]) {
        const { outcome } = train(optimizer as ConjugateGradient, evaluator);
        const start = objectiveAt(random, 'squared', 1e-3, new Float64Array(random.columns), evaluator.problem.nullModel.intercept);
        expect(outcome.reason).toBe('converged');
        expect((outcome.objective - best.objective) / (start - best.objective), random.describe).toBeLessThan(1e-4);
      }
    }
  });
});

describe('gradient descent', () => {
  const data = table(100, 3, 41, target('squared'));

  it('at a fixed rate makes the steps of a calculation by hand', () => {
    const x = Float64Array.of(1, 2, 3);
    const evaluator = new DenseEvaluator(
      { rows: 3, columns: 1, x, y: Float64Array.of(2, 4, 7) },
      { loss: 'squared', l2: 0, start: 'zero' },
    );
    const optimizer = new GradientDescent({ tolerance: 0, learningRate: 0.01 });
    // At 0 the gradient is −Σxy/3 = −31/3 and −Σy/3 = −13/3.
    const { outcome, iterations } = train(optimizer, evaluator, 2);
    expect(iterations).toBe(1);
    expect(outcome.vector.weights[0]).toBeCloseTo(0.31 / 3, 15);
    expect(outcome.vector.intercept).toBeCloseTo(0.13 / 3, 15);
  });

  it.each(['f32', 'f64'] as const)('names the rate and the largest curvature when it diverges (%s)', (dtype) => {
    for (const learningRate of [1e6, 1e30, 2.3]) {
      const train = (): Run => run('gradient-descent', data, { loss: 'squared', dtype }, { learningRate });
      expect(train).toThrow(ParagradError);
      expect(train).toThrow(/diverged.*--learning-rate 1e\+30|diverged.*--learning-rate 1000000|diverged.*--learning-rate 2\.3/);
      expect(train).toThrow(/largest curvature of the objective is about 1(\.0\d*)?, and the rate must stay below 2 \/ 1/);
    }
    expect(run('gradient-descent', data, { loss: 'squared', dtype }, { learningRate: 1.2 }).outcome.reason).toBe('converged');
  });

  it.each(['gradient-descent', 'nesterov', 'momentum'])('%s names the curvature before it overshot, and a rate that works', (name) => {
    const classes = { ...data, y: data.y.map((y, i) => Number(y > 5.5 !== (i % 5 === 0))) };
    const at = (learningRate: number): Run => run(name, classes, { loss: 'logistic', l2: 0.01 }, { learningRate });
    // σ'(0) = 1/4 of the squared loss’s curvature.
    expect(() => at(1e6)).toThrow(/largest curvature of the objective is about 0\.(2\d*|3), and the rate must stay below/);
    expect(at(3).outcome.reason).toBe('converged');
  });

  it('finds a rate by itself where columns differ in scale', () => {
    const x = data.x.map((value, at) => value * 10 ** ((at % 3) * 2));
    for (const loss of LOSSES) {
      const scaled = { ...data, x, y: data.y.map((y) => (loss === 'squared' ? y : Number(y > 5.5))) };
      const evaluator = new DenseEvaluator(scaled, { loss, l2: 0.1 });
      const optimizer = new GradientDescent(DEFAULT_OPTIMIZER_OPTIONS);
      let state = optimizer.init(evaluator.problem);
      let last = Infinity;
      for (let next = optimizer.next(state); next.kind === 'pass' && optimizer.progress(state).passes < 60; next = optimizer.next(state)) {
        state = optimizer.absorb(state, evaluator.evaluate(next.pass));
        const { objective } = optimizer.progress(state);
        if (Number.isFinite(objective)) expect(objective).toBeLessThanOrEqual(last * (1 + 1e-12));
        if (Number.isFinite(objective)) last = objective;
      }
      expect(last).toBeLessThan(optimizer.progress(state).nullLoss);
    }
  });

  it('says that a rate is too small to get on', () => {
    const { outcome } = run('gradient-descent', data, { loss: 'squared', l2: 0 }, { tolerance: 0, learningRate: 1e-18 });
    expect(outcome.reason).toBe('precision reached');
    expect(outcome.notes.join()).toMatch(/no longer lowers the objective noticeably/);
  });
});

describe('notes and errors', () => {
  it('says when weights are not determined', () => {
    const base = table(40, 2, 3, target('squared'));
    const x = Float64Array.from({ length: 120 }, (_, at) => base.x[Math.floor(at / 3) * 2 + (at % 3 === 2 ? 0 : at % 3)]);
    const repeated = { ...base, columns: 3, x };
    expect(run('auto', repeated, { loss: 'squared', l2: 0 }).outcome.notes.join()).toMatch(
      /1 of 3 columns are \(nearly\) combinations of others/,
    );
    expect(run('auto', repeated, { loss: 'squared', l2: 1e-3 }).outcome.notes).toEqual([]);
    expect(run('auto', base, { loss: 'squared', l2: 0 }).outcome.notes).toEqual([]);
  });

  it('ends soon, and says why, where classes are separable and nothing holds the weights', () => {
    const base = table(60, 2, 5, () => 0);
    const data = { ...base, y: Float64Array.from({ length: 60 }, (_, i) => Number(base.x[2 * i] > 0)) };
    for (const tolerance of [1e-6, 0]) {
      const { outcome, passes } = run('lbfgs', data, { loss: 'logistic', l2: 0 }, { tolerance });
      expect(passes).toBeLessThan(200);
      expect(outcome.notes.join()).toMatch(/separate the two classes completely/);
      expect(outcome.vector.weights.every(Number.isFinite)).toBe(true);
    }
  });

  it.each(NAMES)('%s refuses an objective that is not finite at the start', (name) => {
    const data = { ...table(10, 1, 1, target('squared')), y: new Float64Array(10).fill(1e200) };
    data.y[0] = -1e200;
    expect(() => run(name, data, { loss: 'squared' })).toThrow(/PARAGRAD_DIVERGED|too large for f64/);
  });

  it.each(NAMES)('%s refuses a gradient that is not finite at the start', (name) => {
    const base = table(10, 1, 1, target('squared'));
    const data = { ...base, y: base.y.map((y) => y * 1e100) };
    expect(() => run(name, data, { loss: 'squared', dtype: 'f32' })).toThrow(/gradient is not finite.*too large for f32/);
    expect(run(name, data, { loss: 'squared', dtype: 'f64' }).outcome.reason).toBe('converged');
  });
});

describe('types', () => {
  it('every optimizer is one', () => {
    const all: Optimizer[] = Object.values(OPTIMIZERS).map((make) => make(EXACT));
    expect(all.map((optimizer) => optimizer.name)).toEqual(Object.keys(OPTIMIZERS));
  });
});
