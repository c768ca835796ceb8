import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { prepare, type RunSummary, type TrainOptions, train } from '../../src/index.ts';
import { distinctKinds } from '../support/splits.ts';

/** The promise on real data: inline ≡ threads ≡ rows ≡ columns ≡ grid, for every number of workers, to the bit. */
const AMES = resolve(import.meta.dirname, '../../examples/ames-housing.csv');
const BOTH = ['gradient-descent', 'momentum', 'nesterov', 'lbfgs', 'plain-lbfgs', 'newton-cg'] as const;
const OPTIMIZERS = { linear: [...BOTH, 'conjugate-gradient', 'normal-equations'], logistic: BOTH } as const;
const MEDIAN = 160_000;

let folder = '';
let classes = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'paragrad-ames-'));
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

function tableOf(model: 'linear' | 'logistic') {
  return model === 'linear' ? { file: AMES, target: 'Sale_Price' } : { file: classes, target: 'class', drop: ['Sale_Price'] };
}

describe.each(['f32', 'f64'] as const)('%s', (dtype) => {
  describe.each(['linear', 'logistic'] as const)('%s', (model) => {
    let dataset = '';
    beforeAll(async () => {
      const { file, ...options } = tableOf(model);
      dataset = join(folder, `${dtype}-${model}`);
      await prepare(file, { ...options, dtype, out: dataset });
    });

    /** From the dataset folder, so that the table is read and encoded once. */
    const trainOn = async (options: TrainOptions): Promise<RunSummary> => (await train(dataset, { maxPasses: 20, ...options })).summary;

    test.each(OPTIMIZERS[model])('%s', async (optimizer) => {
      const base = await trainOn({ optimizer, engine: 'inline' });
      expect(base.plan.chunks).toBeGreaterThanOrEqual(8);
      expect(base.loss).toBeLessThan(base.nullLoss);
      for (const workers of [1, 2, 3, 4, 7])
        for (const partition of distinctKinds(base.plan, workers)) {
          const other = await trainOn({ optimizer, engine: 'threads', partition, workers });
          for (const share of other.plan.shares) expect(share.rowEnd > share.rowBegin && share.columnEnd > share.columnBegin).toBe(true);
          expect(other.weightsSha256, `${partition} ${workers}`).toBe(base.weightsSha256);
        }
    });

    test.each(['rows', 'columns', 'grid'] as const)('from the table, by %s: the same bits', async (partition) => {
      const { file, ...options } = tableOf(model);
      const base = await trainOn({ engine: 'inline' });
      const { summary } = await train(file, { ...options, dtype, maxPasses: 20, engine: 'threads', partition, workers: 4 });
      expect(summary.weightsSha256).toBe(base.weightsSha256);
    });
  });
});
