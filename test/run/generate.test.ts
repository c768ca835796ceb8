import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { generate, inspectDataset, prepare, train } from '../../src/index.ts';
import { conditionOf, correlationFor, varianceOf } from '../../src/run/generate/chain.ts';
import { RowMaker } from '../../src/run/generate/rows.ts';
import { failure, rowsOf, temporaryFolder } from '../data/helpers.ts';

const folder = temporaryFolder();

describe('a chain of columns', () => {
  it('has the eigenvalues of two and three columns', () => {
    for (const rho of [0, 0.1, 0.5, 0.99]) {
      expect(conditionOf(rho, 2)).toBeCloseTo((1 + rho) / (1 - rho), 9);
      // C of three: 1 − ρ², and (2 + ρ² ± ρ√(8 + ρ²)) / 2.
      const [sum, root] = [2 + rho * rho, rho * Math.sqrt(8 + rho * rho)];
      expect(conditionOf(rho, 3) / ((sum + root) / (sum - root))).toBeCloseTo(1, 9);
    }
  });

  it.each([
    [2, 10],
    [5, 1000],
    [50, 2],
    [300, 1e8],
    [1, 1],
  ])('of %i columns gets the condition number %d', (columns, condition) => {
    const rho = correlationFor(condition, columns);
    if (columns > 1) expect(conditionOf(rho, columns) / condition).toBeCloseTo(1, 6);
    else expect(rho).toBe(0);
  });

  it('knows the variance of a weighted sum', () => {
    const [w, rho] = [Float64Array.from([1, -2, 0.5, 3]), 0.7];
    let sum = 0;
    for (let i = 0; i < 4; i += 1) for (let j = 0; j < 4; j += 1) sum += (w[i] as number) * (w[j] as number) * rho ** Math.abs(i - j);
    expect(varianceOf(w, rho)).toBeCloseTo(sum, 12);
  });
});

describe('generate', () => {
  /** Fixed: the same bytes with every version, on every machine. */
  it.each([
    ['csv', 'linear', '81a2d870073ff7bc832349c0dd021ff823fd1f7aac7c92e844feea645f6fa310'],
    ['parquet', 'linear', '40d8945ee5a5bb0b710474f15da7ffa56ac8c4101c4bc14243ea6d21d711b919'],
    ['csv', 'logistic', '30d6dbbecf7f59276455bb7aded4c31e785f0ced5065b5b5b8213be4e82c4563'],
    ['jsonl', 'logistic', '7b3c5730f87ab459ba4190bf2a125c9a926eb77232cb99a5eea3f611478e5d04'],
  ] as const)('%s, %s: golden bytes', async (format, model, sha256) => {
    const out = join(folder, `golden-${model}.${format}`);
    const made = await generate({ rows: 1000, columns: 7, condition: 100, seed: 5, model, out });
    expect(made.sha256).toBe(createHash('sha256').update(readFileSync(out)).digest('hex'));
    expect(made.bytes).toBe(readFileSync(out).length);
    expect(made.sha256).toBe(sha256);
  });

  it('has the same numbers in every format, and any row can be made alone', async () => {
    const options = { rows: 200, columns: 3, condition: 10, seed: 1 };
    const [csv, parquet] = [join(folder, 'same.csv'), join(folder, 'same.parquet')];
    await generate({ ...options, out: csv });
    await generate({ ...options, out: parquet });
    const { rows, names } = await rowsOf(csv);
    expect(names).toEqual(['x1', 'x2', 'x3', 'y']);
    expect((await rowsOf(parquet)).rows).toEqual(rows);
    const one = Array.from({ length: 4 }, () => new Float64Array(1));
    new RowMaker({ columns: 3, model: 'linear', condition: 10, noise: 0.5, seed: 1 }).fill(one, 77, 1);
    expect(one.map(([value]) => value)).toEqual(rows[77]);
  });

  it('has the moments that it says', () => {
    const maker = new RowMaker({ columns: 3, model: 'linear', condition: 50, noise: 0.5, seed: 2 });
    const rows = 20_000;
    const out = Array.from({ length: 4 }, () => new Float64Array(rows));
    maker.fill(out, 0, rows);
    const [a, b, , y] = out as [Float64Array, Float64Array, Float64Array, Float64Array];
    const dot = (u: Float64Array, v: Float64Array): number => u.reduce((sum, value, i) => sum + value * (v[i] as number), 0) / rows;
    expect(dot(a, a)).toBeCloseTo(1, 1);
    expect(dot(b, b)).toBeCloseTo(1, 1);
    expect(dot(a, b)).toBeCloseTo(maker.correlation, 1);
    expect(dot(y, y)).toBeCloseTo(1.25, 1);
  });

  it.each(['linear', 'logistic'] as const)('training finds the model that it was made with: %s', async (model) => {
    const out = join(folder, `${model}.parquet`);
    const { coefficients } = await generate({ rows: 20_000, columns: 5, condition: 4, model, out, seed: 3 });
    const { summary } = await train(out, { target: 'y', l2: 0 });
    expect(summary.model).toBe(model);
    for (const { name, value } of summary.coefficients) {
      const truth = coefficients[Number(name.slice(1)) - 1] as number;
      expect(Math.abs(value - truth), name).toBeLessThan(model === 'linear' ? 0.03 : 0.25);
    }
  });

  it.each([
    { rows: 0 },
    { rows: 1.5 },
    { columns: 0 },
    { columns: 1e6 },
    { condition: 0.5 },
    { condition: 1e9 },
    { noise: -1 },
    { noise: Number.NaN },
    { seed: -1 },
    { out: 'x.zip' },
  ])('refuses %j', async (change) => {
    const error = await failure(generate({ rows: 10, columns: 2, out: join(folder, 'no.csv'), ...change }));
    expect(error.code).toBe('PARAGRAD_OPTION');
  });
});

describe('a generated dataset', () => {
  it('holds the bytes of a prepared file of the same table, and trains to its bits', async () => {
    for (const model of ['linear', 'logistic'] as const) {
      const recipe = { rows: 70_000, columns: 3, model, condition: 10, seed: 4 };
      const file = join(folder, `as-${model}.parquet`);
      const prepared = join(folder, `prepared-${model}`);
      const out = join(folder, `made-${model}`);
      await generate({ ...recipe, out: file });
      await prepare(file, { target: 'y', out: prepared });
      const seen: number[] = [];
      const made = await generate({ ...recipe, out, format: 'dataset', onRows: (rows) => seen.push(rows) });
      // All but the name of the source, which is in the id: the same chunks, by their checksums.
      const chunks = (dataset: string): string[] =>
        [...readFileSync(join(dataset, 'manifest.json'), 'utf8').matchAll(/"([0-9a-f]{8})"/gu)].map(([, crc]) => crc as string);
      expect(chunks(out).length).toBeGreaterThan(100);
      expect(chunks(out)).toEqual(chunks(prepared));
      expect(made).toMatchObject({ format: 'dataset', sha256: (await inspectDataset(out)).id });
      expect(seen[seen.length - 1]).toBe(70_000);
      expect((await train(out, {})).summary.weightsSha256).toBe((await train(file, { target: 'y' })).summary.weightsSha256);
    }
  });

  it('is not put over another without force', async () => {
    const recipe = { rows: 100, columns: 2, out: join(folder, 'twice'), format: 'dataset' } as const;
    const { sha256 } = await generate(recipe);
    expect((await failure(generate(recipe))).code).toBe('PARAGRAD_OUT_EXISTS');
    expect((await generate({ ...recipe, force: true })).sha256).toBe(sha256);
  });
});
