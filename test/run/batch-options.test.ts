import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type TrainOptions, train } from '../../src/index.ts';
import { resolveOptions } from '../../src/run/options.ts';

const x = Float64Array.from({ length: 400 * 3 }, (_, i) => Math.sin(i * i));
const source = {
  x,
  rows: 400,
  columns: 3,
  y: Float64Array.from({ length: 400 }, (_, i) => x[3 * i] - 2 * x[3 * i + 1] + 0.1 * x[3 * i + 2]),
};

test('defaults: 256 rows and a larger tolerance; all epochs that are asked for', () => {
  const of = (options: TrainOptions) => {
    const { batchSize, tolerance, epochs } = resolveOptions({ target: 'y', ...options });
    return { batchSize, tolerance, epochs };
  };
  expect(of({})).toEqual({ batchSize: undefined, tolerance: 1e-6, epochs: undefined });
  expect(of({ optimizer: 'momentum' })).toEqual({ batchSize: undefined, tolerance: 1e-6, epochs: undefined });
  expect(of({ optimizer: 'adam' })).toEqual({ batchSize: 256, tolerance: 5e-3, epochs: undefined });
  expect(of({ batchSize: 10 })).toEqual({ batchSize: 10, tolerance: 5e-3, epochs: undefined });
  expect(of({ batchSize: 10, epochs: 4 })).toEqual({ batchSize: 10, tolerance: 0, epochs: 4 });
  expect(of({ batchSize: 10, schedule: 'cosine' })).toEqual({ batchSize: 10, tolerance: 0, epochs: 20 });
  expect(of({ batchSize: 10, epochs: 4, tolerance: 0.1 })).toEqual({ batchSize: 10, tolerance: 0.1, epochs: 4 });
});

test.each<[TrainOptions, string, string]>([
  [{ epochs: 3 }, '--epochs', 'give a --batch-size'],
  [{ schedule: 'step' }, '--schedule', 'give a --batch-size'],
  [{ warmup: 1 }, '--warmup', 'give a --batch-size'],
  [{ precondition: 'none' }, '--precondition', 'give a --batch-size'],
  [{ batchSize: 0 }, '--batch-size', 'a whole number from 1'],
  [{ batchSize: 1.5 }, '--batch-size', 'a whole number from 1'],
  [{ batchSize: 8, epochs: 0 }, '--epochs', 'a whole number from 1'],
  [{ batchSize: 8, epochs: 0.5 }, '--epochs', 'a whole number from 1'],
  [{ strategy: 'gossip', epochs: 0 }, '--epochs', 'a number above 0'],
  [{ batchSize: 8, optimizer: 'lbfgs' }, '--batch-size', 'reads all rows at once'],
  [{ batchSize: 8, warmup: -1 }, '--warmup', 'at least 0'],
  [{ batchSize: 8, schedule: 'linear' as 'step' }, '--schedule', 'auto, constant, step, cosine, inverse-sqrt'],
  [{ batchSize: 8, precondition: 'full' as 'none' }, '--precondition', 'auto, none, diagonal, sample'],
  [{ batchSize: 8, lineSearch: 'backtracking' }, '--line-search', 'leave out --batch-size'],
  [{ optimizer: 'adam', momentum: 0.5 }, '--momentum', 'momentum, nesterov, sgd, svrg'],
  [{ optimizer: 'nesterov', momentum: 0.5 }, '--momentum', 'momentum'],
])('%j is refused', async (options, option, message) => {
  await expect(train(source, options)).rejects.toMatchObject({
    code: 'PARAGRAD_OPTION',
    place: { option },
    message: expect.stringContaining(message),
  });
});

test('several classes, of which only the data tell, are trained on batches, too', async () => {
  const y = Array.from({ length: 400 }, (_, i) => ['a', 'b', 'c'][i % 3]);
  const rows = y.map((label, i) => `${x[3 * i]},${label}`).join('\n');
  const folder = mkdtempSync(join(tmpdir(), 'paragrad-batch-'));
  try {
    const file = join(folder, 'classes.csv');
    writeFileSync(file, `x,label\n${rows}\n`);
    const { summary } = await train(file, { target: 'label', batchSize: 16 });
    expect([summary.model, summary.optimizer, summary.converged, summary.batches?.rows]).toEqual(['softmax', 'sgd', true, 16]);
    expect(summary.loss).toBeLessThan(summary.nullLoss);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a run with mini-batches, and what is told of it', async () => {
  const { summary } = await train(source, { batchSize: 16, engine: 'inline' });
  expect([summary.optimizer, summary.reason, summary.converged]).toEqual(['sgd', 'converged', true]);
  const three = await train(source, { batchSize: 16, engine: 'inline', optimizer: 'momentum', epochs: 3 });
  expect([three.summary.optimizer, three.summary.reason, three.summary.iterations, three.summary.passes]).toEqual([
    'momentum',
    'epochs done',
    3,
    7,
  ]);
});
