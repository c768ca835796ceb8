import { mkdirSync, writeFileSync } from 'node:fs';
import type { Dtype } from '../src/partition/layout.ts';
import { createOptimizer, OPTIMIZERS, SQUARED_ONLY } from '../src/update/index.ts';
import { type DenseData, DenseEvaluator, train } from '../test/update/dense-evaluator.ts';
import { newton, objectiveAt } from '../test/update/newton.ts';
import { randomProblem } from '../test/update/random-problems.ts';

/**
 * Passes and gap estimates of the optimizers on random problems, to compare with docs/numerics.md §6. Prints a table and writes
 * bench/results/optimizers.json. The true optimum comes from an independent Newton solver in f64 on the same (in f32: rounded)
 * data.
 *
 *   node scripts/run-ts.mjs bench/optimizers.ts [problems per line, 60] [verbose | quiet] [optimizers, comma-separated, or all]
 */
const PROBLEMS = Number(process.argv[2] ?? 60);
const VERBOSE = process.argv[3] === 'verbose';
const BACKTRACKING = 'gradient-descent with backtracking';
const NAMES = [...Object.keys(OPTIMIZERS), BACKTRACKING];
/** They know nothing of the curvature between columns: their passes grow with the condition number. */
const FIRST_ORDER = ['gradient-descent', BACKTRACKING, 'momentum', 'nesterov', 'plain-lbfgs'];

type Loss = 'squared' | 'logistic';

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

function runOne(name: string, loss: Loss, dtype: Dtype, tolerance: number, seed: number, maxPasses: number): Result {
  const random = randomProblem(seed, loss);
  const data = roundedTo(dtype, random);
  const evaluator = new DenseEvaluator(data, { loss, dtype, l2: random.l2, indicators: random.indicators });
  const lineSearch = name === BACKTRACKING ? 'backtracking' : 'none';
  const options = { tolerance, learningRate: 'auto', lineSearch } as const;
  const optimizer = createOptimizer(name === BACKTRACKING ? 'gradient-descent' : name, options, evaluator.problem);
  const { outcome, passes } = train(optimizer, evaluator, maxPasses);
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
function optimum(data: DenseData, loss: Loss, dtype: Dtype, l2: number, seed: number): number {
  const key = `${loss} ${dtype} ${seed}`;
  let known = optima.get(key);
  if (known === undefined) {
    known = newton(data, loss, l2).objective;
    optima.set(key, known);
  }
  return known;
}

const median = (values: number[]): number => values.slice().sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** One line of the table: many problems of a kind, with one optimizer. */
interface Line {
  readonly optimizer: string;
  readonly loss: Loss;
  /** Classes with little noise, whose weights must grow far. */
  readonly separable: boolean;
  readonly dtype: Dtype;
  readonly tolerance: number;
  readonly problems: number;
  readonly passes: { readonly median: number; readonly largest: number };
  /** Problems by how their run ended. */
  readonly reasons: Readonly<Record<string, number>>;
  /** Largest share of (nullLoss − optimum) that was missing. */
  readonly largestTrueGap: number;
  /** Estimated / true gap: smallest, median, largest; null where there was next to no gap. */
  readonly estimates: readonly [number, number, number] | null;
}

function lineOf(optimizer: string, loss: Loss, dtype: Dtype, tolerance: number, maxPasses: number, separable: boolean): Line {
  const seeds: number[] = [];
  for (let seed = 1; seeds.length < PROBLEMS; seed += 1) if (randomProblem(seed, loss).separable === separable) seeds.push(seed);
  const results = seeds.map((seed) => runOne(optimizer, loss, dtype, tolerance, seed, maxPasses));
  const reasons: Record<string, number> = {};
  for (const { reason } of results) reasons[reason] = (reasons[reason] ?? 0) + 1;
  const passes = results.map((result) => result.passes);
  const ratios = results.filter((result) => result.trueGap > 1e-11).map((result) => result.ratio);
  return {
    optimizer,
    loss,
    separable,
    dtype,
    tolerance,
    problems: results.length,
    passes: { median: median(passes), largest: Math.max(...passes) },
    reasons,
    largestTrueGap: Math.max(...results.map((result) => result.trueGap)),
    estimates: ratios.length === 0 ? null : [Math.min(...ratios), median(ratios), Math.max(...ratios)],
  };
}

function print(line: Line): void {
  const { optimizer, loss, separable, dtype, tolerance, passes, reasons, largestTrueGap, estimates } = line;
  console.log(
    [
      `${optimizer}, ${separable ? 'near-separable ' : ''}${loss}, ${dtype}, tolerance ${tolerance}`.padEnd(62),
      `passes ${passes.median}/${passes.largest}`.padEnd(18),
      Object.entries(reasons)
        .map(([reason, count]) => `${reason} ${count}`)
        .join(', ')
        .padEnd(44),
      `largest true gap ${largestTrueGap.toExponential(1)}`,
      tolerance > 0 && estimates !== null ? `estimate/true ${estimates.map((ratio) => ratio.toPrecision(2)).join(' … ')}` : '',
    ].join('  '),
  );
}

/** What is measured of an optimizer: first-order ones in f64 to 1e-6 only, since each takes thousands of passes. */
function* cellsOf(name: string): Generator<[Loss, Dtype, number, number, boolean]> {
  const losses = SQUARED_ONLY.includes(name) ? (['squared'] as const) : (['squared', 'logistic'] as const);
  const slow = FIRST_ORDER.includes(name);
  for (const tolerance of slow ? [1e-6] : [1e-6, 0])
    for (const dtype of slow ? (['f64'] as const) : (['f32', 'f64'] as const))
      for (const loss of losses) {
        yield [loss, dtype, tolerance, slow ? 3000 : 2000, false];
        if (loss === 'logistic' && !slow) yield [loss, dtype, tolerance, 2000, true];
      }
}

const asked = process.argv[4] ?? 'conjugate-gradient,lbfgs';
const lines: Line[] = [];
console.log(`${PROBLEMS} problems per line; passes median/largest`);
for (const name of asked === 'all' ? NAMES : asked.split(','))
  for (const cell of cellsOf(name)) {
    const line = lineOf(name, ...cell);
    print(line);
    lines.push(line);
  }
mkdirSync('bench/results', { recursive: true });
writeFileSync('bench/results/optimizers.json', `${JSON.stringify({ node: process.version, lines }, null, 2)}\n`);
console.log('\nwritten: bench/results/optimizers.json');
