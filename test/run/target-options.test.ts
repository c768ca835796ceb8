import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { evaluate, predict, train } from '../../src/index.ts';
import { exp } from '../../src/math.ts';
import { normal, uniform } from '../../src/random.ts';
import { failure, temporaryFolder, writeFile } from '../data/helpers.ts';

const folder = temporaryFolder();
const ROWS = 600;
const x = Array.from({ length: ROWS }, (_, i) => [uniform(1, 'test', i), uniform(1, 'test', i, 1)] as const);

describe('--log-target', () => {
  const y = x.map(([a, b], i) => exp(2 * a - b + 3 + normal(1, 'test', i, 2) / 10));
  const file = writeFile(folder, 'log.csv', `y,a,b\n${x.map(([a, b], i) => `${y[i]},${a},${b}`).join('\n')}\n`);

  it('trains on the logarithm, as if the file held it, and measures both scales', async () => {
    const logged = await train(file, { target: 'y', logTarget: true, dtype: 'f64', tolerance: 0 });
    const { coefficients, validation, schema } = logged.summary;
    const byName = new Map(coefficients.map(({ name, value }) => [name, value]));
    expect(byName.get('a')).toBeCloseTo(2, 1);
    expect(byName.get('b')).toBeCloseTo(-1, 1);
    expect(schema.logTarget).toBe(true);
    if (validation === null || !('r2' in validation) || validation.logScale === undefined) throw new Error('both scales are needed');
    expect(validation.logScale.rmse).toBeCloseTo(0.1, 1);
    expect(validation.rmse).toBeGreaterThan(validation.logScale.rmse * 5);
    expect(validation.logScale.rows).toBe(validation.rows);
    const arrays = await train(
      { x: Float64Array.from(x.flat()), rows: ROWS, columns: 2, y: Float64Array.from(y) },
      { logTarget: true, dtype: 'f64', tolerance: 0 },
    );
    expect(arrays.summary.weightsSha256).toBe(logged.summary.weightsSha256);
  });

  it('predicts and evaluates in the own units, from a saved model too', async () => {
    const out = join(folder, 'model');
    const { model } = await train(file, { target: 'y', logTarget: true, out });
    const { blocks, close } = await predict(model, file);
    for await (const { z, prediction } of blocks) for (const [i, value] of z.entries()) expect(prediction[i]).toBe(exp(value));
    close();
    const { metrics } = await evaluate(out, file);
    if (!('r2' in metrics)) throw new Error('a number is predicted');
    expect(metrics.r2).toBeGreaterThan(0.9);
    expect(metrics.logScale?.rmse).toBeCloseTo(0.1, 1);
    expect(metrics.rmse).toBeGreaterThan(1);
  });

  it.each(['0', '-3'])('refuses %s, and names its row', async (value) => {
    const wrong = writeFile(folder, 'wrong.csv', `y,a\n${x.map(([a], i) => `${i === 17 ? value : 1 + i},${a}`).join('\n')}\n`);
    const error = await failure(train(wrong, { target: 'y', logTarget: true }));
    expect(error).toMatchObject({ code: 'PARAGRAD_VALUE', place: { column: 'y', option: '--log-target' } });
    expect(error.message).toContain('data row 18');
  });

  it('refuses classes', async () => {
    const classes = writeFile(folder, 'classes.csv', `y,a\n${x.map(([a], i) => `${['no', 'yes'][i % 2]},${a}`).join('\n')}\n`);
    expect((await failure(train(classes, { target: 'y', logTarget: true }))).code).toBe('PARAGRAD_OPTION');
    expect((await failure(train(classes, { target: 'y', logTarget: true, model: 'logistic' }))).code).toBe('PARAGRAD_OPTION');
  });
});

describe('--class-weight balanced', () => {
  const label = (i: number): number => ((x[i]?.[0] ?? 0) + normal(2, 'test', i) / 4 > 1.05 ? 1 : 0);
  const rare = x.filter((_, i) => label(i) === 1).length;
  const csv = (weight?: (i: number) => number): string =>
    `y,a,b${weight ? ',w' : ''}\n${x.map(([a, b], i) => `${label(i)},${a},${b}${weight ? `,${weight(i)}` : ''}`).join('\n')}\n`;
  const file = writeFile(folder, 'rare.csv', csv());
  const options = { target: 'y', validationFraction: 0, standardize: false, dtype: 'f64' } as const;

  it('weights each class with V / (2·V of the class): as those weights in a column', async () => {
    const balanced = await train(file, { ...options, classWeight: 'balanced' });
    const [negative, positive] = [ROWS / (2 * (ROWS - rare)), ROWS / (2 * rare)];
    expect(balanced.summary.schema.classWeights).toEqual({ negative, positive });
    const weighted = writeFile(
      folder,
      'weighted.csv',
      csv((i) => (label(i) === 1 ? positive : negative)),
    );
    const column = await train(weighted, { ...options, weight: 'w' });
    expect(balanced.summary.weightsSha256).toBe(column.summary.weightsSha256);
    expect(balanced.summary.l2).toBeCloseTo(1 / ROWS, 12);
    const plain = await train(file, options);
    expect(balanced.summary.intercept).toBeGreaterThan(plain.summary.intercept);
  });

  it('multiplies weights that are there, and leaves validation rows alone', async () => {
    const doubled = writeFile(
      folder,
      'doubled.csv',
      csv(() => 2),
    );
    const balanced = await train(doubled, { ...options, weight: 'w', validationFraction: 0.3, classWeight: 'balanced' });
    const { classWeights, trainingRows } = balanced.summary.schema;
    const { negative, positive } = classWeights as { negative: number; positive: number };
    expect(positive).toBeGreaterThan(negative);
    expect(1 / balanced.summary.l2).toBeCloseTo(2 * trainingRows, 6);
    expect(balanced.summary.validation?.rows).toBe(ROWS - trainingRows);
  });

  it('refuses numbers, and a class without training rows', async () => {
    const numbers = writeFile(folder, 'numbers.csv', `y,a\n${x.map(([a], i) => `${i},${a}`).join('\n')}\n`);
    expect((await failure(train(numbers, { target: 'y', classWeight: 'balanced' }))).code).toBe('PARAGRAD_OPTION');
    const one = writeFile(folder, 'one.csv', `y,a\n${x.map(([a]) => `1,${a}`).join('\n')}\n`);
    expect((await failure(train(one, { target: 'y', model: 'logistic', classWeight: 'balanced' }))).message).toContain('no training row');
  });
});

describe('a target of tiny numbers', () => {
  it('is said to be too small for f32, and to be well in f64', async () => {
    const tiny = writeFile(folder, 'tiny.csv', `y,a\n${x.map(([a, b]) => `${(a - b) * 1e-44},${a}`).join('\n')}\n`);
    const notes = async (options: object): Promise<readonly string[]> => (await train(tiny, { target: 'y', ...options })).summary.notes;
    expect(await notes({})).toContainEqual(
      expect.stringMatching(/^the target varies by only \d\.\de-45, .* use --dtype f64, or a larger unit$/),
    );
    expect((await notes({ dtype: 'f64' })).join()).not.toContain('varies by only');
    const usual = writeFile(folder, 'usual.csv', `y,a\n${x.map(([a, b]) => `${(a - b) * 1e-30},${a}`).join('\n')}\n`);
    expect((await train(usual, { target: 'y' })).summary.notes.join()).not.toContain('varies by only');
  });
});
