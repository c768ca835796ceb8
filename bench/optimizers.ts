import type { Dtype } from '../src/partition/layout.ts';
import { ConjugateGradient } from '../src/update/conjugate-gradient.ts';
import { GradientDescent } from '../src/update/gradient-descent.ts';
import { Lbfgs } from '../src/update/lbfgs.ts';
import { type DenseData, DenseEvaluator, train } from '../test/update/dense-evaluator.ts';
import { newton, objectiveAt } from '../test/update/newton.ts';
import { randomProblem } from '../test/update/random-problems.ts';

/**
 * Passes and gap estimates of the optimizers on random problems, to compare with the table in docs/numerics.md §6:
 * `optimizers.ts [problems per line, 60] [verbose | quiet] [optimizers, comma-separated]`. The true optimum comes from an independent Newton solver in f64 on the same
 * (in f32: rounded) data.
 */
const PROBLEMS = Number(process.argv[2] ?? 60);
const VERBOSE = process.argv[3] === 'verbose';

const OPTIMIZERS = {
  'conjugate-gradient': (tolerance: number) => new ConjugateGradient({ tolerance, learningRate: 'auto' }),
  lbfgs: (tolerance: number) => new Lbfgs({ tolerance, learningRate: 'auto' }),
  'gradient-descent': (tolerance: number) => new GradientDescent({ tolerance, learningRate: 'auto' }),
} as const;

interface Result {
  readonly reason: string;
  readonly passes: number;
  /** Share of (nullLoss − optimum) that is missing. */
  readonly trueGap: number;
  readonly ratio: number;
}

function roundedTo(dtype: Dtype, data: DenseData): DenseData {
  return dtype === 'f32' ? { ...data, x: Float64Array.from(data.x, Math.fround) } : data;
}

function runOne(
  name: keyof typeof OPTIMIZERS,
  loss: 'squared' | 'logistic',
  dtype: Dtype,
  tolerance: number,
  seed: number,
  maxPasses: number,
): Result {
  const random = randomProblem(seed, loss);
  const data = roundedTo(dtype, random);
  const evaluator = new DenseEvaluator(data, { loss, dtype, l2: random.l2, indicators: random.indicators });
  const { outcome, passes } = train(OPTIMIZERS[name](tolerance) as ConjugateGradient, evaluator, maxPasses);
  const best = optimum(data, loss, dtype, random.l2, seed);
  const { weights, intercept } = outcome.vector;
  const reached = objectiveAt(data, loss, random.l2, weights, intercept);
  const nullLoss = objectiveAt(data, loss, random.l2, new Float64Array(data.columns), evaluator.problem.nullModel.intercept);
  const missing = reached - best;
  const trueGap = missing / (nullLoss - best);
  const ratio = outcome.gap / missing;
  if (VERBOSE)
    console.log(
      `${name} ${dtype} tol ${tolerance} ${random.describe}: ${outcome.reason} ${passes} passes, gap ${trueGap.toExponential(1)}, estimate/true ${ratio.toPrecision(3)}`,
    );
  return { reason: outcome.reason, passes, trueGap, ratio };
}

const optima = new Map<string, number>();
function optimum(data: DenseData, loss: 'squared' | 'logistic', dtype: Dtype, l2: number, seed: number): number {
  const key = `${loss} ${dtype} ${seed}`;
  let known = optima.get(key);
  if (known === undefined) {
    known = newton(data, loss, l2).objective;
    optima.set(key, known);
  }
  return known;
}

const median = (values: number[]): number => values.slice().sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** Prints one line: `separable` logistic problems, whose weights must grow far, apart from the others. */
function cell(
  name: keyof typeof OPTIMIZERS,
  loss: 'squared' | 'logistic',
  dtype: Dtype,
  tolerance: number,
  maxPasses: number,
  separable = false,
): void {
  const seeds: number[] = [];
  for (let seed = 1; seeds.length < PROBLEMS; seed += 1) if (randomProblem(seed, loss).separable === separable) seeds.push(seed);
  const results = seeds.map((seed) => runOne(name, loss, dtype, tolerance, seed, maxPasses));
  const count = (reason: string): number => results.filter((result) => result.reason === reason).length;
  const passes = results.map((result) => result.passes);
  const ratios = results.filter((result) => result.trueGap > 1e-11).map((result) => result.ratio);
  console.log(
    [
      `${name}, ${separable ? 'near-separable ' : ''}${loss}, ${dtype}, tolerance ${tolerance}`.padEnd(58),
      `passes ${median(passes)}/${Math.max(...passes)}`.padEnd(16),
      `converged ${count('converged')}, precision ${count('precision reached')}, limit ${count('max passes')}`.padEnd(44),
      `largest true gap ${Math.max(...results.map((result) => result.trueGap)).toExponential(1)}`,
      tolerance > 0
        ? `estimate/true ${Math.min(...ratios).toPrecision(2)} … ${median(ratios).toPrecision(2)} … ${Math.max(...ratios).toPrecision(2)}`
        : '',
    ].join('  '),
  );
}

console.log(`${PROBLEMS} problems per line; passes median/largest`);

const wanted = process.argv[4]?.split(',') ?? ['conjugate-gradient', 'lbfgs'];
for (const tolerance of [1e-6, 0])
  for (const dtype of ['f32', 'f64'] as const) {
    if (wanted.includes('conjugate-gradient')) cell('conjugate-gradient', 'squared', dtype, tolerance, 2000);
    if (!wanted.includes('lbfgs')) continue;
    cell('lbfgs', 'squared', dtype, tolerance, 2000);
    cell('lbfgs', 'logistic', dtype, tolerance, 2000);
    cell('lbfgs', 'logistic', dtype, tolerance, 2000, true);
  }
if (wanted.includes('gradient-descent'))
  for (const loss of ['squared', 'logistic'] as const) cell('gradient-descent', loss, 'f64', 1e-6, 20_000);
