import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { evaluate, loadModel, predict, predictFile, train, writeCoefficients } from '../../src/index.ts';
import { uniform } from '../../src/random.ts';
import { failure, rowsOf, temporaryFolder, writeFile } from '../data/helpers.ts';

const folder = temporaryFolder();
const rows = Array.from({ length: 600 }, (_, i) => {
  const [a, b, u] = [uniform(7, 'test', i) * 4, uniform(7, 'test', i, 1), uniform(7, 'test', i, 2)];
  const zone = ['x', 'y', 'z'][i % 3] as string;
  const price = 3 * a - 2 * b + (zone === 'z' ? 1 : 0) + u;
  return { a, b: i % 11 === 0 ? '' : b, zone, price, sold: price + 3 * uniform(7, 'test', i, 3) > 7 ? 'yes' : 'no' };
});
const csv = (part: readonly (typeof rows)[number][]): string =>
  `a,b,zone,price,sold\n${part.map((row) => [row.a, row.b, row.zone, row.price, row.sold].join(',')).join('\n')}\n`;
const file = writeFile(folder, 'rows.csv', csv(rows));
const [linear, logistic] = [join(folder, 'linear'), join(folder, 'logistic')] as const;

beforeAll(async () => {
  await train(file, { target: 'price', drop: ['sold'], out: linear, dtype: 'f64' });
  await train(file, { target: 'sold', drop: ['price'], out: logistic, dtype: 'f64' });
});

describe('predict', () => {
  it.each([linear, logistic])('gives the coefficients applied by hand: %s', async (out) => {
    const model = await loadModel(out);
    const byName = new Map(model.coefficients().map(({ name, value }) => [name, value]));
    const of = (name: string): number => byName.get(name) ?? 0;
    const { blocks, close } = await predict(model, file);
    for await (const block of blocks)
      for (let i = 0; i < block.rows; i += 1) {
        const row = rows[block.firstRow + i] as (typeof rows)[number];
        // A missing value counts as the mean: nothing is added for it but its own coefficient.
        const mean = model.columns.find(({ name }) => name === 'b')?.mean ?? Number.NaN;
        const b = row.b === '' ? of('b missing') + mean * of('b') : Number(row.b) * of('b');
        const z = model.intercept() + row.a * of('a') + b + of(`zone=${row.zone}`);
        expect(block.z[i]).toBeCloseTo(z, 10);
        expect(block.prediction[i]).toBeCloseTo(out === linear ? z : 1 / (1 + Math.exp(-z)), 10);
      }
    close();
  });

  it('gives the numbers of the exported coefficients, applied by hand', async () => {
    const model = await loadModel(linear);
    const to = join(folder, 'coefficients.csv');
    await writeCoefficients(model, to);
    const { names, rows: found } = await rowsOf(to, { category: ['name', 'column', 'part', 'level'] });
    const parts = found.map((cells) => Object.fromEntries(names.map((name, i) => [name, cells[i]])));
    expect(parts.map(({ name }) => name)).toEqual([...model.coefficients().map(({ name }) => name), 'intercept']);
    const byHand = (row: (typeof rows)[number]): number =>
      parts.reduce((sum, { column, part, level, coefficient, mean }) => {
        const value = row[column as 'a' | 'b' | 'zone'];
        if (part === 'intercept') return sum + Number(coefficient);
        if (part === 'missing') return sum + (value === '' ? Number(coefficient) : 0);
        if (part === 'level') return sum + (value === level ? Number(coefficient) : 0);
        return sum + Number(coefficient) * (value === '' ? Number(mean) : Number(value));
      }, 0);
    const { blocks, close } = await predict(model, file);
    for await (const block of blocks)
      for (let i = 0; i < block.rows; i += 1) expect(block.z[i]).toBeCloseTo(byHand(rows[block.firstRow + i] as (typeof rows)[number]), 10);
    close();
  });

  it('writes the same numbers in every format, and labels by the threshold', async () => {
    const lines = async (name: string, threshold?: number): Promise<string[]> => {
      const to = join(folder, name);
      await predictFile(logistic, file, { to, threshold });
      return readFileSync(to, 'utf8').trimEnd().split('\n');
    };
    const plain = await lines('p.csv');
    expect(plain[0]).toBe('row,probability,label');
    const objects = (await lines('p.jsonl')).map((line) => JSON.parse(line) as { row: number; probability: number; label: string });
    expect(objects.map(({ row, probability, label }) => `${row},${probability},${label}`)).toEqual(plain.slice(1));
    await predictFile(logistic, file, { to: join(folder, 'p.parquet') });
    await predictFile(linear, writeFile(folder, 'q.csv', 'a,b,zone\n1,1,x\n'), { to: join(folder, 'q.parquet') });
    for (const threshold of [0, 0.3, 0.5, 1]) {
      const labels = (await lines('t.csv', threshold)).slice(1).map((line) => line.split(',')[2]);
      expect(labels).toEqual(objects.map(({ probability }) => (probability > threshold ? 'yes' : 'no')));
    }
  });

  it('reports per column what training did not have', async () => {
    const strange = writeFile(folder, 'strange.csv', 'zone,b\nw,\nx,1\nv,\nw,2\n');
    const summary = await predictFile(linear, strange, { to: join(folder, 's.csv') });
    expect(summary).toMatchObject({
      rows: 4,
      unseenValues: 3,
      missingValues: 6,
      missingColumns: ['a'],
      columns: [
        { column: 'b', missing: 2, unseen: 0, examples: [] },
        { column: 'zone', missing: 0, unseen: 3, examples: ['w', 'v'] },
      ],
    });
  });

  it('refuses a threshold where there are no classes, and one that is none', async () => {
    expect(await failure(predictFile(linear, file, { to: join(folder, 'n.csv'), threshold: 0.5 }))).toMatchObject({
      code: 'PARAGRAD_OPTION',
    });
    expect(await failure(evaluate(logistic, file, { threshold: 1.5 }))).toMatchObject({ code: 'PARAGRAD_OPTION' });
  });
});

describe('evaluate', () => {
  it('measures on a file of the validation rows what training measured on them', async () => {
    const model = await loadModel(linear);
    const held = rows.filter((_, i) => uniform(0, 'split', i) < 0.2);
    const { metrics } = await evaluate(model, writeFile(folder, 'held.csv', csv(held)));
    const { validation } = model.summary;
    expect(metrics.rows).toBe(validation?.rows);
    expect(metrics).toMatchObject(
      Object.fromEntries(Object.entries(validation ?? {}).map(([name, value]) => [name, expect.closeTo(value, 12)])),
    );
  });

  it('counts rows by class at each threshold', async () => {
    const { atThreshold, thresholds, classes, metrics, skippedRows, rows: all } = await evaluate(logistic, file, { threshold: 0.25 });
    expect({ classes, skippedRows, all }).toEqual({ classes: ['no', 'yes'], skippedRows: 0, all: 600 });
    expect(thresholds?.map(({ threshold }) => threshold)).toEqual([0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]);
    expect(thresholds).toContainEqual(atThreshold);
    const positives = rows.filter(({ sold }) => sold === 'yes').length;
    for (const at of thresholds ?? []) {
      expect(at.truePositive + at.falseNegative).toBe(positives);
      expect(at.trueNegative + at.falsePositive).toBe(600 - positives);
      expect(at.recall).toBe(at.truePositive / positives);
    }
    expect('accuracy' in metrics && metrics.accuracy).toBe(thresholds?.find(({ threshold }) => threshold === 0.5)?.accuracy);
  });

  it('leaves rows without a known target out, and says how many', async () => {
    const some = writeFile(folder, 'some.csv', 'a,b,zone,sold\n1,1,x,yes\n1,1,x,\n4,1,x,perhaps\n0,1,x,no\n');
    const evaluation = await evaluate(logistic, some);
    expect(evaluation).toMatchObject({ rows: 4, skippedRows: 2, metrics: { rows: 2 } });
  });

  it('refuses an infinite target', async () => {
    const error = await failure(evaluate(linear, writeFile(folder, 'infinite.csv', 'a,b,zone,price\n1,1,x,2\n1,1,x,inf\n')));
    expect(error).toMatchObject({ code: 'PARAGRAD_VALUE', place: { column: 'price' } });
    expect(error.message).toContain('data row 2');
  });

  it.each([
    ['a,b,zone\n1,1,x\n', 'PARAGRAD_COLUMN', 'has no column "sold"'],
    ['a,b,zone,sold\n1,1,x,perhaps\n', 'PARAGRAD_TARGET', '"no" or "yes"'],
  ])('says when there is nothing to compare with: %j', async (text, code, message) => {
    const error = await failure(evaluate(logistic, writeFile(folder, 'nothing.csv', text)));
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
  });
});
