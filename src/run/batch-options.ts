import { notOneOf } from '../data/names.ts';
import { ParagradError } from '../errors.ts';
import { DEFAULT_BATCH_ROWS, DEFAULT_BATCH_TOLERANCE, DEFAULT_COSINE_EPOCHS } from '../update/batch/defaults.ts';
import { SCHEDULES } from '../update/batch/schedule.ts';
import { OF_BATCHES, TAKING_BATCHES } from '../update/index.ts';
import { takesBatches } from './strategy-options.ts';
import type { TrainOptions } from './train-options.ts';

/** The options of mini-batches, and what is different about others where there are any. */

type BatchOptions = Pick<
  TrainOptions,
  'strategy' | 'optimizer' | 'batchSize' | 'epochs' | 'schedule' | 'warmup' | 'precondition' | 'tolerance' | 'lineSearch'
>;

/** Options that have no meaning without mini-batches, by their names on the command line. */
const OWN = { epochs: '--epochs', schedule: '--schedule', warmup: '--warmup', precondition: '--precondition' } as const;

/** Optimizers that take `momentum` where batches are given, and where they are not. */
export function withMomentum(batches: boolean): readonly string[] {
  return batches ? ['momentum', 'nesterov', 'sgd', 'svrg', 'gradient-descent'] : ['momentum'];
}

/**
 * Defaults that depend on whether there are mini-batches.
 *
 * @param batches whether a strategy takes them whatever the optimizer.
 */
export function batchDefaults(given: BatchOptions, batches = false): Partial<BatchOptions> {
  const { optimizer = 'auto', batchSize, epochs, schedule, tolerance } = given;
  if (batchSize === undefined && !batches && !OF_BATCHES.includes(optimizer)) return {};
  const planned = epochs ?? (schedule === 'cosine' ? DEFAULT_COSINE_EPOCHS : undefined);
  return {
    batchSize: batchSize ?? DEFAULT_BATCH_ROWS,
    ...(planned === undefined ? {} : { epochs: planned }),
    // Who says how many epochs means all of them.
    tolerance: tolerance ?? (planned === undefined ? DEFAULT_BATCH_TOLERANCE : 0),
  };
}

/** @throws PARAGRAD_OPTION with the option's name and what it takes. */
export function checkBatchOptions(options: BatchOptions): void {
  const { optimizer = 'auto', batchSize, epochs, schedule, warmup, precondition, lineSearch } = options;
  if (batchSize === undefined) {
    for (const [name, option] of Object.entries(OWN))
      if (options[name as keyof typeof OWN] !== undefined)
        throw wrong(
          option,
          `${option} is of mini-batches: give a --batch-size, or an --optimizer that takes them (${OF_BATCHES.join(', ')})`,
        );
    return;
  }
  whole('--batch-size', batchSize, 1e9);
  if (!takesBatches(options)) whole('--epochs', epochs, 1e9);
  else if (epochs !== undefined && !(Number.isFinite(epochs) && epochs > 0))
    throw wrong('--epochs', `--epochs must be a number above 0, such as 0.25 or 3, not ${epochs}`);
  if (!TAKING_BATCHES.includes(optimizer) && takesBatches(options))
    throw wrong(
      '--optimizer',
      `--strategy ${options.strategy} takes mini-batches, and --optimizer ${optimizer} reads all rows at once: use one of ${TAKING_BATCHES.join(', ')}`,
    );
  if (!TAKING_BATCHES.includes(optimizer))
    throw wrong(
      '--batch-size',
      `--batch-size is not for --optimizer ${optimizer}, which reads all rows at once: use one of ${TAKING_BATCHES.join(', ')}`,
    );
  if (lineSearch === 'backtracking') throw wrong('--line-search', '--line-search looks at all rows: leave out --batch-size');
  if (schedule !== undefined) oneOf('--schedule', schedule, SCHEDULES);
  if (precondition !== undefined) oneOf('--precondition', precondition, ['auto', 'none', 'diagonal', 'sample']);
  if (warmup !== undefined && !(Number.isFinite(warmup) && warmup >= 0))
    throw wrong('--warmup', `--warmup must be a number of epochs of at least 0, not ${warmup}`);
}

function wrong(option: string, message: string): ParagradError {
  return new ParagradError('PARAGRAD_OPTION', message, { place: { option } });
}

function oneOf(option: string, value: string, known: readonly string[]): void {
  if (!known.includes(value)) throw wrong(option, notOneOf(option, value, known));
}

function whole(option: string, value: number | undefined, most: number): void {
  if (value !== undefined && !(Number.isSafeInteger(value) && value >= 1 && value <= most))
    throw wrong(option, `${option} must be a whole number from 1 to ${most}, not ${value}`);
}
