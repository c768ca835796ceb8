import { notOneOf } from '../data/names.ts';
import type { ColumnChoices } from '../data/table.ts';
import { ENGINES } from '../engines/registry.ts';
import { ParagradError } from '../errors.ts';
import { MODELS } from '../models/model.ts';
import { OPTIMIZERS, SQUARED_ONLY, WITH_RATE } from '../update/index.ts';
import { batchDefaults, checkBatchOptions, withMomentum } from './batch-options.ts';
import { checkLinkOptions } from './link-options.ts';
import { requirePath } from './out-paths.ts';
import { checkProcessOptions } from './process-options.ts';
import { checkStrategyOptions, takesBatches } from './strategy-options.ts';
import type { TrainOptions } from './train-options.ts';
import { checkWorkers } from './workers.ts';

/** Options with the defaults filled in, as they go into `config.json`. What only the data can decide stays open. */
export interface ResolvedOptions extends Omit<TrainOptions, 'signal' | 'onEvent'> {
  readonly model: NonNullable<TrainOptions['model']>;
  readonly intercept: boolean;
  readonly start: 'null' | 'zero';
  readonly standardize: boolean;
  readonly optimizer: NonNullable<TrainOptions['optimizer']>;
  readonly learningRate: number | 'auto';
  readonly tolerance: number;
  readonly maxPasses: number;
  readonly seed: number;
  readonly dtype: 'f32' | 'f64';
  readonly engine: NonNullable<TrainOptions['engine']>;
  readonly partition: NonNullable<TrainOptions['partition']>;
  readonly validationFraction: number;
  readonly shuffle: 'windows' | 'none';
  readonly maxCategories: number;
  readonly kernels: 'wasm' | 'reference';
  readonly checkpointSeconds: number;
}

const DEFAULTS = {
  model: 'auto',
  intercept: true,
  start: 'null',
  standardize: true,
  optimizer: 'auto',
  learningRate: 'auto',
  tolerance: 1e-6,
  maxPasses: 1000,
  seed: 0,
  dtype: 'f32',
  engine: 'auto',
  partition: 'auto',
  validationFraction: 0.2,
  shuffle: 'windows',
  maxCategories: 256,
  kernels: 'wasm',
  checkpointSeconds: 60,
} as const satisfies Partial<TrainOptions>;

/**
 * Checks every option before any data are read.
 *
 * @throws PARAGRAD_OPTION with the option's name and what it takes.
 */
export function resolveOptions(options: TrainOptions): ResolvedOptions {
  const { signal: _signal, onEvent: _onEvent, ...given } = options;
  const stated = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const resolved: ResolvedOptions = { ...DEFAULTS, ...stated, ...batchDefaults(given, takesBatches(given)) };
  const { out, init, replay, keyFile, rayTokenFile, validationData = [] } = resolved;
  const paths = { '--out': out, '--init': init, '--replay': replay, '--key-file': keyFile, '--ray-token-file': rayTokenFile };
  for (const [option, path] of Object.entries(paths)) if (path !== undefined) requirePath(path, option);
  for (const path of [validationData].flat()) if (path !== '-') requirePath(path, '--validation-data');
  checkStrategyOptions(resolved);
  oneOf('--model', resolved.model, ['auto', ...Object.keys(MODELS)]);
  oneOf('--optimizer', resolved.optimizer, ['auto', ...Object.keys(OPTIMIZERS)]);
  oneOf('--dtype', resolved.dtype, ['f32', 'f64']);
  oneOf('--engine', resolved.engine, ['auto', ...Object.keys(ENGINES)]);
  oneOf('--partition', resolved.partition, ['auto', 'rows', 'columns', 'grid']);
  oneOf('--start', resolved.start, ['null', 'zero']);
  oneOf('--shuffle', resolved.shuffle, ['windows', 'none']);
  oneOf('--class-weight', resolved.classWeight ?? 'none', ['none', 'balanced']);
  if (resolved.classWeight === 'balanced' && resolved.model === 'linear')
    throw wrong('--class-weight', '--class-weight balanced is for classes, and --model linear has none');
  if (resolved.logTarget === true && (resolved.model === 'logistic' || resolved.model === 'softmax'))
    throw wrong('--log-target', `--log-target is for numbers, and --model ${resolved.model} predicts classes`);
  oneOf('--bad-rows', resolved.badRows ?? 'error', ['error', 'skip', 'impute']);
  oneOf('--kernels', resolved.kernels, ['wasm', 'reference']);
  if (resolved.l2 !== 'auto') number('--l2', resolved.l2, (x) => x >= 0, `'auto' or a number of at least 0`);
  number('--tolerance', resolved.tolerance, (x) => x >= 0, 'a number of at least 0');
  if (resolved.learningRate !== 'auto') number('--learning-rate', resolved.learningRate, (x) => x > 0, `'auto' or a number above 0`);
  if (resolved.lineSearch !== undefined) oneOf('--line-search', resolved.lineSearch, ['none', 'backtracking']);
  number('--momentum', resolved.momentum, (x) => x >= 0 && x < 1, 'a number of at least 0 and below 1');
  number('--time-limit', resolved.timeLimitSeconds, (x) => x > 0, 'a time above 0');
  number('--validation-fraction', resolved.validationFraction, (x) => x >= 0 && x < 1, 'a number of at least 0 and below 1');
  number('--checkpoint-every', resolved.checkpointSeconds, (x) => x >= 0, 'a time of at least 0');
  whole('--early-stopping', resolved.earlyStopping, 1, 1e9);
  whole('--max-passes', resolved.maxPasses, 1, 1e12);
  whole('--seed', resolved.seed, 0, Number.MAX_SAFE_INTEGER);
  checkWorkers(resolved);
  checkProcessOptions(resolved);
  checkLinkOptions(resolved);
  whole('--max-categories', resolved.maxCategories, 1, 65_536);
  if (resolved.learningRate !== 'auto') belongsTo('--learning-rate', resolved, WITH_RATE, 'has no fixed rate');
  if (resolved.lineSearch === 'backtracking') belongsTo('--line-search', resolved, ['gradient-descent'], 'chooses its steps itself');
  checkBatchOptions(resolved);
  if (resolved.momentum !== undefined)
    belongsTo('--momentum', resolved, withMomentum(resolved.batchSize !== undefined), 'has none to choose');
  if (resolved.model === 'softmax' && resolved.offset !== undefined)
    throw wrong('--offset', '--offset is added to every class alike, which changes nothing: leave it out with --model softmax');
  if ((resolved.model === 'logistic' || resolved.model === 'softmax') && SQUARED_ONLY.includes(resolved.optimizer))
    throw wrong('--optimizer', `--optimizer ${resolved.optimizer} is for the squared loss: use lbfgs with --model ${resolved.model}`);
  return resolved;
}

/** What the options say about columns. */
export function choicesOf({
  category,
  number,
  drop,
  weight,
  offset,
  id,
  badRows,
  splitBy,
  validationAfter,
  validationData,
}: ColumnChoices): ColumnChoices {
  return { category, number, drop, weight, offset, id, badRows, splitBy, validationAfter, validationData };
}

function wrong(option: string, message: string): ParagradError {
  return new ParagradError('PARAGRAD_OPTION', message, { place: { option } });
}

/** An option of some optimizers, with another one named. */
function belongsTo(option: string, { optimizer }: ResolvedOptions, owners: readonly string[], why: string): void {
  if (optimizer === 'auto' || owners.includes(optimizer)) return;
  throw wrong(option, `${option} belongs to --optimizer ${owners.join(', ')}: ${optimizer} ${why}`);
}

function oneOf(option: string, value: string, known: readonly string[]): void {
  if (!known.includes(value)) throw wrong(option, notOneOf(option, value, known));
}

function number(option: string, value: number | undefined, good: (x: number) => boolean, what: string): void {
  if (value === undefined) return;
  if (typeof value !== 'number' || !Number.isFinite(value) || !good(value)) throw wrong(option, `${option} must be ${what}, not ${value}`);
}

function whole(option: string, value: number | undefined, least: number, most: number): void {
  if (value === undefined) return;
  if (!Number.isSafeInteger(value) || value < least || value > most)
    throw wrong(option, `${option} must be a whole number from ${least} to ${most}, not ${value}`);
}
