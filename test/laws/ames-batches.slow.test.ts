import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { prepare, type RunSummary, type TrainOptions, train } from '../../src/index.ts';

/** On real data, with rare categories and full dummy sets: mini-batches with default options close 99 % of the gap. */
const AMES = resolve(import.meta.dirname, '../../examples/ames-housing.csv');
const OPTIMIZERS = ['sgd', 'svrg', 'momentum', 'nesterov', 'adam', 'adamw', 'rmsprop', 'adagrad'] as const;
const MEDIAN = 160_000;

let folder = '';
let classes = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'paragrad-ames-batches-'));
  classes = join(folder, 'ames-classes.csv');
  // No field of this file holds a comma, so that its rows can be cut there.
  const [head, ...rows] = readFileSync(AMES, 'utf8').trimEnd().split('\n') as [string, ...string[]];
  const price = head.split(',').indexOf('Sale_Price');
  const marked = rows.map((row) => `${row},${Number(row.split(',')[price]) > MEDIAN ? 'above' : 'below'}`);
  writeFileSync(classes, `${[`${head},class`, ...marked].join('\n')}\n`);
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe.each(['linear', 'logistic'] as const)('%s', (model) => {
  let dataset = '';
  let optimum: RunSummary;
  beforeAll(async () => {
    dataset = join(folder, model);
    if (model === 'linear') await prepare(AMES, { target: 'Sale_Price', out: dataset });
    else await prepare(classes, { target: 'class', drop: ['Sale_Price'], out: dataset });
    optimum = await trainOn({ tolerance: 1e-9 });
  });

  /** From the dataset folder, so that the table is read and encoded once. */
  const trainOn = async (options: TrainOptions): Promise<RunSummary> => (await train(dataset, options)).summary;

  test.each(OPTIMIZERS)('%s with batches of 64', async (optimizer) => {
    const run = await trainOn({ optimizer, batchSize: 64, engine: 'inline' });
    expect((run.nullLoss - run.loss) / (run.nullLoss - optimum.loss)).toBeGreaterThan(0.99);
    // Split by columns over threads: the same bits.
    const split = await trainOn({ optimizer, batchSize: 64, engine: 'threads', workers: 2, partition: 'columns', maxPasses: 5 });
    const whole = await trainOn({ optimizer, batchSize: 64, engine: 'inline', maxPasses: 5 });
    expect(split.weightsSha256).toBe(whole.weightsSha256);
  });

  test.each(['none', 'diagonal', 'sample'] as const)('sgd, precondition %s', async (precondition) => {
    const run = await trainOn({ optimizer: 'sgd', batchSize: 64, precondition, maxPasses: 100, engine: 'inline' });
    const closed = (run.nullLoss - run.loss) / (run.nullLoss - optimum.loss);
    // Without any, columns of so different a scale take longer than this.
    expect(closed).toBeGreaterThan(precondition === 'none' ? 0.9 : 0.99);
  });
});
