import { expect, test } from 'vitest';
import { createLoopbackCollectives } from '../../src/communicate/loopback/collectives.ts';
import { inline } from '../../src/engines/inline.ts';
import { kernelsFor } from '../../src/engines/kernels.ts';
import { CellEvaluator } from '../../src/strategies/cell-evaluator.ts';
import { ranksOf } from '../../src/strategies/registry.ts';
import { strategyJob } from './choices.ts';

/** What is known before the first step, without x of all rows. */

const bits = (...values: readonly number[]): string => Buffer.from(Float64Array.from(values).buffer).toString('hex');

test.each(['linear', 'logistic'] as const)('%s: what is summed without reading x has the bits that it has with it', async (model) => {
  const { store, partition } = strategyJob(model, {}, 1);
  const [world, row] = [...createLoopbackCollectives(1), ...createLoopbackCollectives(1)];
  const loss = model === 'linear' ? 'squared' : 'logistic';
  const evaluator = new CellEvaluator({ store, partition, rank: 0, loss, kernels: kernelsFor('wasm', 'f32'), world, row });
  const all = await evaluator.evaluate({ kind: 'totals', set: 'training' });
  const scalars = await evaluator.evaluate({ kind: 'totals', set: 'training', scalars: true });
  expect(bits(scalars.v, scalars.vy, scalars.vOffset)).toBe(bits(all.v, all.vy, all.vOffset));
  expect([...scalars.columns]).toEqual(new Array(all.columns.length).fill(0));
  const weights = new Float64Array(all.columns.length);
  const at = [
    { weights, intercept: 0.3 },
    { weights: weights.map((_, j) => j / 9), intercept: 0.3 },
  ];
  const gradients = await evaluator.evaluate({ kind: 'gradient', at });
  expect(bits(...(await evaluator.evaluate({ kind: 'loss', at, set: 'training' })))).toBe(bits(...gradients.map((sums) => sums.loss)));
});

test('column means of the outcome, and the loss of the intercept-only model, are those of all rows', async () => {
  const job = strategyJob('linear', {}, 2);
  const strategy = await inline.open(ranksOf(job)).train(job, {});
  const plain = await inline.open(2).train({ ...job, strategy: undefined }, {});
  expect(bits(...strategy.columnMeans, strategy.nullLoss)).toBe(bits(...plain.columnMeans, plain.nullLoss));
});
