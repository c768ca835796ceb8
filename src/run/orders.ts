import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { ParagradError } from '../errors.ts';
import { takenOf } from '../strategies/parameter-server/order.ts';
import { CONFIG, orderFile, RECORD } from './model-folder.ts';
import type { TrainOptions } from './train-options.ts';

/** What a replay must have as the run had it: all that decides gradients and steps. */
const SAME = {
  batchSize: '--batch-size',
  epochs: '--epochs',
  staleness: '--staleness',
  late: '--late',
  servers: '--servers',
  optimizer: '--optimizer',
  learningRate: '--learning-rate',
  momentum: '--momentum',
  schedule: '--schedule',
  warmup: '--warmup',
  precondition: '--precondition',
  seed: '--seed',
  l2: '--l2',
  dtype: '--dtype',
  chunkRows: '--chunk-rows',
  blockColumns: '--block-columns',
  model: '--model',
  intercept: '--no-intercept',
  start: '--start',
  init: '--init',
  target: '--target',
  weight: '--weight',
  offset: '--offset',
  positive: '--positive',
  category: '--category',
  number: '--number',
  drop: '--drop',
  maxCategories: '--max-categories',
  logTarget: '--log-target',
  standardize: '--no-standardize',
  classWeight: '--class-weight',
  shuffle: '--shuffle',
  validationFraction: '--validation-fraction',
  splitBy: '--split-by',
  validationAfter: '--validation-after',
} as const;
export type ReplayedOption = keyof typeof SAME;
type Replayed = Pick<TrainOptions, ReplayedOption>;

/**
 * The orders of all servers of an earlier run, for a replay of it.
 *
 * @throws PARAGRAD_REPLAY when there are none, or an option that decides the result is not what it was then
 */
export async function readOrders(run: string, options: Replayed, servers: number, workers: number): Promise<Int32Array[]> {
  const orders = await Promise.all(
    Array.from({ length: servers }, async (_, server) => {
      const file = path.join(run, orderFile(server));
      const bytes = await readFile(file).catch((cause: unknown) => {
        throw new ParagradError(
          'PARAGRAD_REPLAY',
          `${run} has no ${orderFile(server)}: name the folder of a run with --strategy parameter-server and ${servers === 1 ? 'one server' : `${servers} servers`}, in which no server was lost (nor, with --engine processes, a worker)`,
          { place: { option: '--replay', file }, cause },
        );
      });
      const words = new Int32Array(new Uint8Array(bytes).buffer, 0, Math.floor(bytes.length / 4));
      takenOf(words, workers);
      return words;
    }),
  );
  await checkSame(run, options);
  await checkWorkers(run, workers);
  return orders;
}

/** @throws PARAGRAD_REPLAY when the run had another number of workers: each has rows of its own. Without its model, the record has to show it */
async function checkWorkers(run: string, workers: number): Promise<void> {
  const text = await readFile(path.join(run, RECORD), 'utf8').catch(() => undefined);
  if (text === undefined) return;
  const then = recordOf(text)?.summary?.plan?.workers;
  if (then === undefined || then === workers) return;
  throw new ParagradError('PARAGRAD_REPLAY', `${run} had ${then} workers, and a replay must have as many: use --workers ${then}`, {
    place: { option: '--workers' },
  });
}

/** What is read of a model's record; undefined for one that was damaged, as a replay needs none. */
function recordOf(text: string): { readonly summary?: { readonly plan?: { readonly workers?: number } } } | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @throws PARAGRAD_REPLAY when an option is not what it was in the run; without its config.json, the record has to show it */
async function checkSame(run: string, options: Replayed): Promise<void> {
  const file = path.join(run, CONFIG);
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return;
  let then: Replayed;
  try {
    then = JSON.parse(text);
  } catch (cause) {
    throw new ParagradError('PARAGRAD_REPLAY', `${file} is not JSON: it was damaged`, { place: { option: '--replay', file }, cause });
  }
  for (const [name, flag] of Object.entries(SAME) as [ReplayedOption, string][]) {
    if (JSON.stringify(then[name]) === JSON.stringify(options[name])) continue;
    const was = then[name] === undefined ? 'was not given' : `was ${then[name]}`;
    throw new ParagradError('PARAGRAD_REPLAY', `${flag} ${was} in ${run}, and a replay must have what the run had`, {
      place: { option: flag, file },
    });
  }
}
