import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunSummary, type TrainOptions, train } from '../../src/index.ts';

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

function trainOn(model: 'linear' | 'logistic', options: TrainOptions): Promise<RunSummary> {
  const data = model === 'linear' ? { file: AMES, target: 'Sale_Price' } : { file: classes, target: 'class', drop: ['Sale_Price'] };
  const { file, ...named } = data;
  return train(file, { maxPasses: 20, ...named, ...options }).then(({ summary }) => summary);
}

describe.each(['f32', 'f64'] as const)('%s', (dtype) => {
  describe.each(['linear', 'logistic'] as const)('%s', (model) => {
    test.each(OPTIMIZERS[model])('%s', async (optimizer) => {
      const base = await trainOn(model, { dtype, optimizer, engine: 'inline' });
      expect(base.plan.chunks).toBeGreaterThanOrEqual(8);
      expect(base.loss).toBeLessThan(base.nullLoss);
      for (const partition of ['rows', 'columns', 'grid'] as const)
        for (const workers of [1, 2, 3, 4, 7]) {
          const other = await trainOn(model, { dtype, optimizer, engine: 'threads', partition, workers });
          for (const share of other.plan.shares) expect(share.rowEnd > share.rowBegin && share.columnEnd > share.columnBegin).toBe(true);
          expect(other.weightsSha256, `${partition} ${workers}`).toBe(base.weightsSha256);
        }
    });
  });
});
