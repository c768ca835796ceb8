import path from 'node:path';
import { expect, test } from 'vitest';
import { train } from '../../src/run/train.ts';
import type { TrainOptions } from '../../src/run/train-options.ts';

/** Rules for late gradients with their own rates, on prices in dollars and rare categories. */

const AMES = path.resolve(import.meta.dirname, '../../examples/ames-housing.csv');
const ames = async (options: TrainOptions) => (await train(AMES, { target: 'Sale_Price', engine: 'threads', ...options })).summary;

test.each(['damp', 'compensate'] as const)('%s, four workers: 99 of 100 parts of the gap are closed', async (late) => {
  const { loss, nullLoss } = await ames({ strategy: 'parameter-server', workers: 4, late });
  expect((nullLoss - loss) / (nullLoss - (await ames({})).loss)).toBeGreaterThan(0.99);
});
