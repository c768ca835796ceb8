import { describe, expect, it } from 'vitest';
import { failureObject, failureText, noteText } from '../../src/cli/format/error.ts';
import { inspectResult } from '../../src/cli/format/inspect-result.ts';
import { json } from '../../src/cli/format/json.ts';
import { endedBecause } from '../../src/cli/format/outcome.ts';
import { predictRemarks, predictResult } from '../../src/cli/format/predict-result.ts';
import { PLAIN } from '../../src/cli/format/style.ts';
import { widthOf } from '../../src/cli/format/text.ts';
import { dataSection, trainResult } from '../../src/cli/format/train-result.ts';
import type { ColumnDescription } from '../../src/run/inspect.ts';
import { SCHEMA, SUMMARY } from './summaries.ts';

describe('train', () => {
  it('shows data, result, coefficients, run and what to do next', () => {
    expect(trainResult(SUMMARY, PLAIN, 'paragrad')).toBe(
      `
Data
  file      houses.csv
  target    price
  model     linear regression  the target is a number
  rows      12,345  9,871 for training, 2,470 for validation, 4 rows without a target left out
  features  4  3 numbers, 1 category
  columns   17  after encoding
  left out  id  12345 different texts in 12345 rows look like an id (--category keeps it)
            line\\nbreak  constant

Result  validation: 2,470 rows that training did not see
  R²         0.9031  part of the variation that is explained
  RMSE       26,409  typical error; large ones weigh more
  MAE        17,145  mean absolute error
  loss       310.3   in training, penalty included (-90.0 %)
  null loss  3,100   of the intercept alone

Largest coefficients  change of price per unit; bars: how much each matters
  area         +1,235        ━━━━━━━━━━━━━━━━
  zip=8001         -0.04211  ━━━━
  age             -12.50     ━
  intercept  +100,000

Run
  ended    converged after 3 passes (gap 9.0e-10)
  method   conjugate gradient, 2 threads, split by rows, f32  l2 0.0001013, seed 0
  time     1.50 s  read 0.50 s, encode 0.25 s, train 0.13 s, the rest 0.63 s
  weights  sha256 c0ffee0000000000…
  saved    runs/my run

Next: paragrad predict 'runs/my run' new.csv`.slice(1),
    );
  });

  it('shows how many workers there were from when on, of many changes the last', () => {
    const crew = { generation: 0, joined: 1, left: 0, lost: 0, atMs: 0 };
    const shown = (sizes: readonly number[]): string | undefined => {
      const crews = sizes.map((workers, i) => ({ ...crew, workers, steps: 1000 * i }));
      return trainResult(
        { ...SUMMARY, plan: { ...SUMMARY.plan, engine: 'processes', workers: 6, leastWorkers: 2 }, crews },
        PLAIN,
        'paragrad',
      )
        .split('\n')
        .find((line) => line.startsWith('  workers'));
    };
    expect(shown([2])).toBe('  workers  2 at first');
    expect(shown([2, 4, 3])).toBe('  workers  2 at first, 4 from step 1,000 on, 3 from step 2,000 on');
    expect(shown([2, 3, 4, 5, 6, 5, 4])).toMatch(/^ {2}workers {2}2 at first, …, 4 from step 2,000 on, .*, 4 from step 6,000 on$/u);
  });

  it('shows the penalties that were tried', () => {
    const value = { passes: 5, reason: 'converged' as const };
    const l2Path = [
      { ...value, l2: 10, validationLoss: 1200.5, trainingLoss: 1100 },
      { ...value, l2: 1e-4, validationLoss: 402.25, trainingLoss: 310 },
    ];
    expect(trainResult({ ...SUMMARY, l2: 1e-4, l2Path }, PLAIN, 'paragrad')).toContain(`
Penalties  losses without penalty
      l2  validation loss  training loss  passes
      10            1,201          1,100       5
  0.0001            402.3          310.0       5  chosen
`);
  });

  it('shows classes and their measures', () => {
    const schema = { ...SCHEMA, model: 'logistic' as const, classes: ['no', 'yes'] as const, target: 'clicked' };
    const validation = { rows: 10, logLoss: 0.11, accuracy: 0.958, auc: Number.NaN };
    const text = trainResult({ ...SUMMARY, model: 'logistic', schema, validation, out: null }, PLAIN, 'paragrad');
    expect(text).toContain('  classes   yes (positive) and no  --positive LABEL chooses');
    expect(text).toContain('  AUC        –');
    expect(text).toContain('  accuracy   95.8 %');
    expect(text).toContain('change of the log-odds of yes per unit');
    expect(text).not.toContain('Next:');
  });

  it('has no room for nothing: no columns, no validation rows, no gain', () => {
    const empty = { ...SUMMARY, coefficients: [], validation: null, loss: 0, nullLoss: 0, gap: 0 };
    const text = trainResult({ ...empty, schema: { ...SCHEMA, leftOut: [], encodedColumns: 0 } }, PLAIN, 'npm start --');
    expect(text).toContain('Result  no rows were held back for validation\n  loss       0  in training, penalty included\n');
    expect(text).not.toMatch(/Largest|left out {2}|NaN/);
  });

  it('names the first columns that are left out, and counts the others', () => {
    const leftOut = (n: number): string[] =>
      dataSection({ ...SCHEMA, leftOut: Array.from({ length: n }, (_, i) => ({ column: `c${i}`, why: 'constant' })) }, PLAIN).slice(-2);
    expect(leftOut(9)).toEqual(['            c7  constant', '            c8  constant']);
    expect(leftOut(50)).toEqual(['            c7  constant', '            and 42 more (--json lists all)']);
  });

  it('says why it ended', () => {
    const of = (reason: typeof SUMMARY.reason, gap: number | null): string => endedBecause({ ...SUMMARY, reason, gap });
    expect(of('precision reached', 0)).toBe('as precise as f32 allows, after 3 passes (gap 0)');
    expect(of('max passes', 2789.75)).toBe(
      'at the limit of 3 passes (--max-passes), before convergence (about 50.0 % of the gain was still to come)',
    );
    expect(of('time limit', null)).toBe('at the time limit (--time-limit), after 3 passes');
    expect(of('aborted', null)).toBe('interrupted after 3 passes');
  });
});

const column = (name: string, kind: ColumnDescription['kind'], more: Partial<ColumnDescription> = {}): ColumnDescription => ({
  name,
  kind,
  sourceType: 'X',
  role: 'feature',
  note: '',
  missing: 0,
  min: null,
  max: null,
  mean: null,
  standardDeviation: null,
  distinct: null,
  top: [],
  ...more,
});

describe('inspect', () => {
  const columns = [
    column('year', 'number', { min: 1872, max: 2010, mean: 1971.35, standardDeviation: 30.2 }),
    column('price', 'number', { role: 'target', min: 12_789, max: 755_000, mean: 180_796, standardDeviation: 79_873, missing: 1200 }),
    column('sold', 'date', { min: 0, max: 365.5, mean: 100.2, standardDeviation: 50 }),
    column('zip', 'category', {
      distinct: 3,
      top: [
        { value: 'a', count: 1000 },
        { value: '', count: 20 },
      ],
    }),
    column('id', 'category', { role: 'id', note: 'looks like an id' }),
  ];

  it('shows columns by kind, and what is left out', () => {
    expect(inspectResult({ source: 'houses.csv', rows: 2930, columns, encoded: 'e.parquet' }, PLAIN, 100)).toBe(
      `
houses.csv  2,930 rows, 5 columns; * the target

Numbers
  column   missing     min       mean      max  std. dev.
  year           0    1872     1971.4     2010       30.2
  price *    1,200  12,789  180,796    755,000   79,873

Dates
  column  missing         min        mean               max  std. dev.
  sold          0  1970-01-01  1970-04-11  1971-01-01 12:00       50 d

Categories
  column  missing  values  most frequent
  zip           0       3  a 1,000 · "" 20 …

Left out  training would not use these
  id  looks like an id

Encoded rows are saved in e.parquet`.slice(1),
    );
  });

  it('keeps lines within the width', () => {
    const top = Array.from({ length: 5 }, (_, i) => ({ value: `a long value number ${i}`, count: 1000 - i }));
    const wide = [...columns, column('x'.repeat(60), 'category', { distinct: 9, top })];
    const lines = inspectResult({ source: 'f.csv', rows: 1, columns: wide, encoded: null }, PLAIN, 90).split('\n');
    expect(Math.max(...lines.map(widthOf))).toBeLessThanOrEqual(90);
  });
});

describe('predict', () => {
  it('says what was not as in training', () => {
    const columns = [
      { column: 'b', missing: 1200, unseen: 0, examples: [] },
      { column: 'zip', missing: 9, unseen: 1, examples: ['9999'] },
      { column: 'c', missing: 0, unseen: 20, examples: ['x', 'a "long" text of more than thirty characters', 'z'] },
    ];
    const report = { rows: 1, unseenValues: 21, missingValues: 1209, missingColumns: ['a'], columns };
    expect(predictRemarks(report)).toEqual([
      'column "a" is not in the file: taken as missing in every row',
      'column "c": 20 values are categories that training did not have, such as "x", "a \\"long\\" text of more than th…", "z": taken as none of them',
      'column "zip": 1 value is a category that training did not have, such as "9999": taken as none of them',
      'values are missing in "b" (1,200), "zip" (9)',
    ]);
    expect(predictRemarks({ ...report, columns: [], missingColumns: [...'abcdefg'] })).toEqual([
      'columns "a", "b", "c", "d", "e" and 2 more are not in the file: taken as missing in every row',
    ]);
    const many = Array.from({ length: 8 }, (_, i) => ({ column: `c${i}`, missing: 1, unseen: 1, examples: ['e'] }));
    expect(predictRemarks({ ...report, columns: many, missingColumns: [] })).toHaveLength(7);
    expect(predictRemarks({ ...report, columns: [], missingColumns: [] })).toEqual([]);
    expect(predictResult({ ...report, out: 'p.csv' }, PLAIN)).toBe('1 row predicted, saved in p.csv');
  });
});

describe('JSON', () => {
  it('has arrays for typed arrays, and null for what JSON cannot say', () => {
    const value = { a: new Float64Array([1, Number.NaN]), b: Number.POSITIVE_INFINITY, c: undefined, d: [new Uint8Array(1)], e: 'é\n' };
    expect(json(value)).toBe('{"a":[1,null],"b":null,"d":[[0]],"e":"é\\n"}\n');
  });
});

describe('errors', () => {
  const failure = { code: 'PARAGRAD_FILE', message: 'houses.csv does not exist', place: { file: 'houses.csv' }, exitCode: 1 } as const;

  it('are one line, or lines of a terminal', () => {
    expect(failureText(failure, undefined, PLAIN)).toBe('error: houses.csv does not exist [PARAGRAD_FILE]\n');
    expect(failureText({ ...failure, hint: 'try this', stack: 'at x' }, 26, PLAIN)).toBe(
      'error: houses.csv does not\n       exist\n       [PARAGRAD_FILE]\ntry this\nat x\n',
    );
    expect(noteText('a b', 8, PLAIN)).toBe('note: a\n      b\n');
  });

  it('are objects for programs', () => {
    expect(failureObject(failure)).toEqual({ error: { code: failure.code, message: failure.message, place: failure.place } });
    expect(failureObject({ ...failure, place: {} })).toEqual({ error: { code: failure.code, message: failure.message } });
  });
});

it('says how large batches were, and how many epochs', () => {
  const method = (rows: number, epochs: number): string => {
    const summary = { ...SUMMARY, optimizer: 'sgd', batches: { rows, epochs } };
    return /method {3}(.*), 2 threads/u.exec(trainResult(summary, PLAIN, 'paragrad'))?.[1] ?? '';
  };
  expect(method(64, 12)).toMatch(/, batches of 64 rows, 12 epochs$/u);
  expect(method(1, 1)).toMatch(/, batches of 1 row, 1 epoch$/u);
  expect(method(4096, 2.04)).toMatch(/, batches of 4,096 rows, 2 epochs$/u);
});

it('says who computed', () => {
  const host = (engine: 'inline' | 'threads' | 'processes', workers: number): string => {
    const summary = { ...SUMMARY, plan: { ...SUMMARY.plan, engine, workers } };
    return /method {3}conjugate gradient, (.*), f32/u.exec(trainResult(summary, PLAIN, 'paragrad'))?.[1] ?? '';
  };
  expect(host('inline', 1)).toBe('one thread');
  expect(host('inline', 7)).toBe('7 workers in one thread, split by rows');
  expect(host('threads', 2)).toBe('2 threads, split by rows');
  expect(host('processes', 3)).toBe('3 processes, split by rows');
});
