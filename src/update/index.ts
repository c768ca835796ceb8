import { ParagradError } from '../errors.ts';
import { panelsOf } from '../partition/layout.ts';
import { backtracking } from './backtracking.ts';
import { BATCH_OPTIMIZERS, WITH_BATCHES } from './batch/index.ts';
import { ConjugateGradient } from './conjugate-gradient.ts';
import { GradientDescent } from './gradient-descent.ts';
import { Lbfgs } from './lbfgs.ts';
import { momentum } from './momentum.ts';
import { nesterov } from './nesterov.ts';
import { newtonCg } from './newton-cg.ts';
import { normalEquations } from './normal-equations.ts';
import type { Optimizer, OptimizerOptions, Problem } from './optimizer.ts';
import { plainLbfgs } from './plain-lbfgs.ts';
import { sampleAt } from './sampling.ts';

export { l2Values } from './l2-values.ts';

export type OptimizerFactory = (options: OptimizerOptions) => Optimizer;

/** Every optimizer by its name: one line each. */
export const OPTIMIZERS = {
  'gradient-descent': (options) => (options.lineSearch === 'backtracking' ? backtracking(options) : new GradientDescent(options)),
  momentum: (options) => momentum(options),
  nesterov: (options) => nesterov(options),
  'conjugate-gradient': (options) => new ConjugateGradient(options),
  lbfgs: (options) => new Lbfgs(options),
  'plain-lbfgs': (options) => plainLbfgs(options),
  'newton-cg': (options) => newtonCg(options),
  'normal-equations': (options) => normalEquations(options),
  ...BATCH_OPTIMIZERS,
} as const satisfies Readonly<Record<string, OptimizerFactory>>;

export type OptimizerName = keyof typeof OPTIMIZERS;

/** Those that take `learningRate`. */
export const WITH_RATE: readonly string[] = ['gradient-descent', 'momentum', 'nesterov', ...Object.keys(BATCH_OPTIMIZERS)];
/** Those that take `batchSize`; the first ones cannot do without. */
export const OF_BATCHES: readonly string[] = Object.keys(BATCH_OPTIMIZERS);
export const TAKING_BATCHES: readonly string[] = [...OF_BATCHES, ...Object.keys(WITH_BATCHES)];
/** Those for the squared loss alone. */
export const SQUARED_ONLY: readonly string[] = ['conjugate-gradient', 'normal-equations'];

export const DEFAULT_OPTIMIZER_OPTIONS: OptimizerOptions = { tolerance: 1e-6, learningRate: 'auto' };

/**
 * What `auto` means: conjugate gradient for losses that are quadratic in z (or the normal equations), L-BFGS for all others; gradient descent where a
 * learning rate or a line search is given, momentum where that is.
 */
export function chooseOptimizer(problem: Problem, options: OptimizerOptions = DEFAULT_OPTIMIZER_OPTIONS): OptimizerName {
  if (options.momentum !== undefined) return 'momentum';
  if (options.learningRate !== 'auto' || options.lineSearch === 'backtracking') return 'gradient-descent';
  if (!problem.quadratic) return 'lbfgs';
  return paysToSolve(problem, options) ? 'normal-equations' : 'conjugate-gradient';
}

/** Columns up to which the Gram matrix of all rows is worth its multiplications. */
const MAX_SOLVED_COLUMNS = 512;
/** Where the sample that M is made of is no smaller than this part of the rows, both do nearly the same. */
const SMALL_SAMPLE = 1 / 4;

/**
 * Whether the work of one Gram matrix of all rows saves enough passes. Measured: to 1e-6, conjugate gradient needs 5 to 7 passes and
 * is 1.1 to 2.5 × as fast; to the last digit of f64 it needs 27 to 51, and solving, with 6 to 8, is 1.5 to 2.9 × as fast. In f32
 * the refinement of collinear columns may end far from the optimum.
 */
function paysToSolve({ layout }: Problem, { tolerance }: OptimizerOptions): boolean {
  if (tolerance > 0 || layout.dtype !== 'f64' || layout.columns > MAX_SOLVED_COLUMNS) return false;
  return sampleAt(layout, 1).count < SMALL_SAMPLE * panelsOf(layout);
}

/**
 * An optimizer by its name, or `auto`.
 *
 * @throws PARAGRAD_OPTION when there is none of that name, or an option is out of range.
 */
export function createOptimizer(name: string, options: OptimizerOptions, problem: Problem): Optimizer {
  const factory = options.batchSize === undefined ? wholeFactory(name, options, problem) : batchFactory(name);
  if (factory === undefined)
    throw optionError('--optimizer', `there is no optimizer '${name}': use one of auto, ${Object.keys(OPTIMIZERS).join(', ')}`);
  const { tolerance, learningRate, momentum: kept } = options;
  if (!(tolerance >= 0 && Number.isFinite(tolerance)))
    throw optionError('--tolerance', `--tolerance must be a number of at least 0, not ${tolerance}`);
  if (learningRate !== 'auto' && !(learningRate > 0 && Number.isFinite(learningRate)))
    throw optionError('--learning-rate', `--learning-rate must be 'auto' or a number above 0, not ${learningRate}`);
  if (kept !== undefined && !(kept >= 0 && kept < 1))
    throw optionError('--momentum', `--momentum must be a number of at least 0 and below 1, not ${kept}`);
  checkBatchOptions(options);
  return factory(options);
}

function checkBatchOptions({ batchSize, epochs, warmup }: OptimizerOptions): void {
  const whole = (option: string, value: number | undefined): void => {
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 1))
      throw optionError(option, `${option} must be a whole number of at least 1, not ${value}`);
  };
  whole('--batch-size', batchSize);
  whole('--epochs', epochs);
  if (warmup !== undefined && !(warmup >= 0 && Number.isFinite(warmup)))
    throw optionError('--warmup', `--warmup must be a number of epochs of at least 0, not ${warmup}`);
}

function wholeFactory(name: string, options: OptimizerOptions, problem: Problem): OptimizerFactory | undefined {
  if (isOptimizer(name)) return OPTIMIZERS[name];
  return name === 'auto' ? OPTIMIZERS[chooseOptimizer(problem, options)] : undefined;
}

function batchFactory(name: string): OptimizerFactory | undefined {
  if (Object.hasOwn(WITH_BATCHES, name)) return WITH_BATCHES[name];
  if (!isOptimizer(name) || OF_BATCHES.includes(name)) return isOptimizer(name) ? OPTIMIZERS[name] : undefined;
  throw optionError(
    '--batch-size',
    `--batch-size is not for --optimizer ${name}, which reads all rows at once: use one of ${TAKING_BATCHES.join(', ')}`,
  );
}

function isOptimizer(name: string): name is OptimizerName {
  return Object.hasOwn(OPTIMIZERS, name);
}

function optionError(option: string, message: string): ParagradError {
  return new ParagradError('PARAGRAD_OPTION', message, { place: { option } });
}
