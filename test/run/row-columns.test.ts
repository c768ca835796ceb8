import { describe, expect, it } from 'vitest';
import { ParagradError, train } from '../../src/index.ts';
import { uniform } from '../../src/random.ts';
import { failure, temporaryFolder, writeFile } from '../data/helpers.ts';

const folder = temporaryFolder();
const ROWS = 700;
const rows = Array.from({ length: ROWS }, (_, i) => {
  const [a, b] = [uniform(3, 'test', i), uniform(3, 'test', i, 1)];
  return { key: `0${i},"x"`, w: i % 5, e: b * 3, a, b, y: 2 * a - b + b * 3 + uniform(3, 'test', i, 2) / 10 };
});
const lines = (part: typeof rows): string =>
  `key,w,e,a,b,y\n${part.map((r) => `"${r.key.replaceAll('"', '""')}",${r.w},${r.e},${r.a},${r.b},${r.y}`).join('\n')}\n`;
const file = writeFile(folder, 'rows.csv', lines(rows));
const options = { target: 'y', weight: 'w', offset: 'e', id: 'key', chunkRows: 64, dtype: 'f64' } as const;

describe('columns of weights, offsets and ids', () => {
  it('train as the same numbers in arrays do, weights of 0 included', async () => {
    const table = await train(file, options);
    const arrays = await train(
      {
        x: Float64Array.from(rows.flatMap((r) => [r.a, r.b])),
        rows: ROWS,
        columns: 2,
        y: Float64Array.from(rows, (r) => r.y),
        weight: Float64Array.from(rows, (r) => r.w),
        offset: Float64Array.from(rows, (r) => r.e),
      },
      { chunkRows: 64, dtype: 'f64' },
    );
    expect(table.summary.weightsSha256).toBe(arrays.summary.weightsSha256);
    expect(table.summary.validation).toEqual(arrays.summary.validation);
    expect(table.model.columns.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(table.summary.schema).toMatchObject({ weight: 'w', offset: 'e', id: 'key', leftOut: [] });
    const plain = await train(file, { target: 'y', drop: ['w', 'e', 'key'], chunkRows: 64, dtype: 'f64' });
    expect(plain.summary.weightsSha256).not.toBe(table.summary.weightsSha256);
  });

  it.each([
    [{ weight: 'v' }, 'PARAGRAD_COLUMN', '--weight "v"'],
    [{ weight: 'y' }, 'PARAGRAD_OPTION', '--weight "y": this is the target'],
    [{ id: 'w' }, 'PARAGRAD_OPTION', '"w" stands in --weight and in --id'],
    [{ drop: ['e'] }, 'PARAGRAD_OPTION', '"e" stands in --drop and in --offset'],
    [{ weight: 'key', id: 'b' }, 'PARAGRAD_VALUE', '--weight needs one there'],
  ])('refuse what cannot be: %j', async (change, code, message) => {
    const error = await failure(train(file, { ...options, ...change }));
    expect(error).toBeInstanceOf(ParagradError);
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
  });

  it.each([
    ['w', '-1', 'weight must be a number of at least 0'],
    ['w', '', 'no value: a weight'],
    ['e', '', 'no value: an offset'],
    ['e', 'inf', 'Infinity: an offset'],
  ] as const)('refuse a wrong value in %s: "%s"', async (column, value, message) => {
    const text = `w,e,a,y\n${[...Array(50).keys()].map((i) => `1,2,${i % 7},${i % 3}`).join('\n')}\n${column === 'w' ? value : 1},${column === 'e' ? value : 1},1,1\n`;
    const error = await failure(train(writeFile(folder, 'wrong.csv', text), { target: 'y', weight: 'w', offset: 'e' }));
    expect(error).toMatchObject({ code: 'PARAGRAD_VALUE', place: { column } });
    expect(error.message).toContain(message);
    expect(error.message).toContain('data row 51');
  });

  it('refuse weights that are all 0', async () => {
    const text = `w,a,y\n${[...Array(50).keys()].map((i) => `0,${i % 7},${i % 3}`).join('\n')}\n`;
    const error = await failure(train(writeFile(folder, 'zeros.csv', text), { target: 'y', weight: 'w' }));
    expect(error.code).toBe('PARAGRAD_DATA');
    expect(error.message).toMatch(/the weight of each of its \d\d training rows is 0: is --weight the right column\?/);
  });
});
