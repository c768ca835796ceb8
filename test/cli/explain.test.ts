import { describe, expect, it } from 'vitest';
import { firstStepSection, planSection, updateSection } from '../../src/cli/format/explain.ts';
import { PLAIN } from '../../src/cli/format/style.ts';
import type { RunSummary } from '../../src/run/types.ts';
import { PLAN } from './summaries.ts';

type FirstStep = NonNullable<RunSummary['firstStep']>;

const share = (rank: number, intercept: number | undefined, columnBegin: number, ...columns: number[]): FirstStep['partials'][number] => ({
  rank,
  nodes: 1,
  bytes: 32,
  columnBegin,
  columnEnd: columnBegin + columns.length,
  loss: intercept,
  intercept,
  columns: Float64Array.from(columns),
});

/** y = 3·area: areas 1 … 6, three houses a worker, all weights 0: −Σy and −Σy·x of each. */
const STEP: FirstStep = {
  start: { weights: new Float64Array(2), intercept: 0 },
  partials: [share(0, -18, 0, -42, 0.5), share(1, -45, 0, -231, 0.25)],
  sum: { loss: 0, intercept: -63, columns: new Float64Array([-273, 0.75]) },
  divisor: 6,
  l2: 0,
};
const NAMES = ['area', 'garden'];
const text = (lines: readonly string[]): string => lines.join('\n');

it('the plan: who owns what', () => {
  expect(text(planSection(PLAN, PLAIN))).toBe(`
Plan  2 threads, split by rows
  6 rows × 2 columns (f64)
  2 chunks of up to 3 rows, 2 blocks of up to 1 column
  worker  training rows  columns  holds  tree nodes  sends per step
       0            1–3      1–2  128 B           1            32 B
       1            4–6      1–2  128 B           1            32 B`);
});

it('the plan of a worker without rows, and of split columns', () => {
  const shares = [
    { ...(PLAN.shares[0] as (typeof PLAN.shares)[number]), columnEnd: 1, dotBytes: 48 },
    { rank: 1, rowBegin: 6, rowEnd: 6, columnBegin: 1, columnEnd: 2, bytes: 0, nodes: 0, gradientBytes: 0, dotBytes: 0 },
  ];
  expect(planSection({ ...PLAN, partition: 'grid', shares }, PLAIN).slice(-3)).toEqual([
    '  worker  training rows  columns  holds  tree nodes  sends per step  of it partial dots',
    '       0            1–3        1  128 B           1            80 B                48 B',
    '       1              –        2    0 B           0             0 B                 0 B',
  ]);
});

describe('the first step', () => {
  it('is the two-processor example of the textbooks', () => {
    expect(text(firstStepSection(STEP, NAMES, PLAIN))).toBe(`
First step  every worker adds up its own rows, then the parts are added
  derivative by  worker 0  worker 1      sum  gradient
  intercept         -18      -45      -63      -10.5
  area              -42     -231     -273      -45.5
  garden              0.5      0.25     0.75     0.125
  gradient = sum ÷ 6 + 0 · weight   (rows in training; l2, not for the intercept)`);
  });

  it('ends in new weights', () => {
    expect(text(updateSection(STEP, NAMES, 'gradient-descent', 0.01, PLAIN))).toBe(`
Update  weight - learning rate × gradient = new weight
  intercept  0  - 0.01 × -10.5    = +0.105
  area       0  - 0.01 × -45.5    = +0.455
  garden     0  - 0.01 ×   0.125  = -0.00125`);
    expect(text(updateSection(STEP, NAMES, 'lbfgs', undefined, PLAIN))).toBe(
      '\nUpdate  L-BFGS; in numbers with --optimizer gradient-descent --learning-rate 0.01',
    );
  });

  it('penalises weights, never the intercept', () => {
    const start = { weights: new Float64Array([2, 0]), intercept: 5 };
    const lines = firstStepSection({ ...STEP, start, l2: 10 }, NAMES, PLAIN);
    expect(lines[3]).toMatch(/ -10\.5/);
    expect(lines[4]).toMatch(/ -25\.5/);
  });

  it('is blank where a worker does not own a column, and short where there are many', () => {
    const partials = [share(0, -63, 0, -273), share(1, undefined, 1, 0.75)];
    expect(
      firstStepSection({ ...STEP, partials }, [], PLAIN)
        .filter((_, i) => i === 1 || (i >= 3 && i < 6))
        .map((line) => line.split(/\s+/).slice(1, -1)),
    ).toEqual([
      'step every worker adds up its own rows and columns, then the parts are'.split(' '),
      ['intercept', '-63', '·', '-63'],
      ['column', '1', '-273', '·', '-273'],
      ['column', '2', '·', '0.75', '0.75'],
    ]);
    const columns = Float64Array.from({ length: 20 }, (_, j) => j);
    const many = Array.from({ length: 9 }, (_, rank) => share(rank, 0, 0, ...columns));
    const wide = { ...STEP, partials: many, sum: { ...STEP.sum, columns }, start: { weights: columns, intercept: 0 } };
    const lines = firstStepSection(wide, [], PLAIN);
    expect(lines[2]).toMatch(/worker 0 +… +worker 8 +sum/);
    expect(lines.slice(4, -2).map((line) => line.trim().split(/ {2,}/)[0])).toEqual(
      [13, 14, 15, 16, 17, 18, 19, 20].map((j) => `column ${j}`),
    );
    expect(lines).toContain('  and 12 columns with smaller sums');
  });
});
