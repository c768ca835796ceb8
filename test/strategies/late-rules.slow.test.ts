import path from 'node:path';
import { expect, test } from 'vitest';
import { train } from '../../src/run/train.ts';
import type { TrainOptions } from '../../src/run/train-options.ts';

/** Every rule for late gradients with a rate of its own, on prices in dollars and rare categories. */

const AMES = path.resolve(import.meta.dirname, '../../examples/ames-housing.csv');
const ames = async (options: TrainOptions) => (await train(AMES, { target: 'Sale_Price', engine: 'threads', ...options })).summary;

test.each([{ late: 'apply' }, { late: 'damp' }, { late: 'refuse' }, { late: 'compensate' }, { late: 'compensate', servers: 2 }] as const)(
  '%o, four workers: 99 of 100 parts of the gap are closed',
  async (options) => {
    const [{ loss, nullLoss }, best] = await Promise.all([ames({ strategy: 'parameter-server', workers: 4, ...options }), ames({})]);
    expect((nullLoss - loss) / (nullLoss - best.loss)).toBeGreaterThan(0.99);
  },
);
