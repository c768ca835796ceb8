import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type EncodeTableOptions, encodeTable } from '../../src/data/encode.ts';
import type { Encoded } from '../../src/data/encoded.ts';
import { encodedColumns } from '../../src/data/encoder.ts';
import { openTable } from '../../src/data/open-table.ts';
import { inspectData, train } from '../../src/index.ts';
import { uniform64 } from '../../src/random.ts';
import { encodedRows, failure, rowsOf, temporaryFolder, withTable, writeFile } from './helpers.ts';

const folder = temporaryFolder();
const ROWS = 500;
const rows = Array.from({ length: ROWS }, (_, i) => ({
  y: (i * 7) % 31,
  a: (i * 11) % 17,
  c: ['red', 'green', 'blue'][i % 3] as string,
  g: i % 50 === 3 ? '' : `g${(i * i) % 23}`,
  year: i % 40 === 5 ? '' : 2000 + (i % 12),
  day: `20${String(10 + (i % 5))}-0${1 + (i % 9)}-11`,
}));
const text = (part: typeof rows): string => `y,a,c,g,year,day\n${part.map((r) => Object.values(r).join(',')).join('\n')}\n`;
const file = writeFile(folder, 'rows.csv', text(rows));
const encode = (options: Omit<EncodeTableOptions, 'target'>, source: string = file): Promise<Encoded> =>
  withTable(source, options, (table) => encodeTable(table, { target: 'y', ...options }));
const validationOf = (encoded: Encoded): number[] => [...encoded.validationRows].sort((a, b) => a - b);
const expected = (test: (row: (typeof rows)[number]) => boolean): number[] => rows.flatMap((row, i) => (test(row) ? [i] : []));

describe('--split-by', () => {
  it('follows the rule of docs/numerics.md: all rows of a value on one side, the column no feature', async () => {
    const encoded = await encode({ splitBy: 'g', seed: 4, validationFraction: 0.3 });
    const chosen = (value: string): boolean => {
      const hash = createHash('sha256').update(value).digest();
      return uniform64(4, 'split', hash.readUInt32LE(0), hash.readUInt32LE(4)) < 0.3;
    };
    expect(validationOf(encoded)).toEqual(expected(({ g }) => chosen(g)));
    expect(encoded.counts.validation).toBeGreaterThan(0);
    expect(encodedColumns(encoded.encoder).some(({ source }) => source === 'g')).toBe(false);
    expect(encoded.schema.columns.find(({ name }) => name === 'g')?.role).toBe('group');
  });

  it('is the same for a number that is an integer or a fraction', async () => {
    const of = (suffix: string): string =>
      writeFile(folder, `n${suffix}.csv`, `y,a,k\n${rows.map((r, i) => `${r.y},${r.a},${i % 19}${suffix}`).join('\n')}\n`);
    const whole = await encode({ splitBy: 'k' }, of(''));
    expect(whole.counts.validation).toBeGreaterThan(0);
    expect(validationOf(whole)).toEqual(validationOf(await encode({ splitBy: 'k' }, of(''))));
  });
});

describe('--validation-after', () => {
  it.each([
    ['year=2008', (r: (typeof rows)[number]) => r.year !== '' && Number(r.year) > 2008],
    ['day=2012-05-11', (r: (typeof rows)[number]) => r.day > '2012-05-11'],
    ['day=2012-05-10T23:59:59', (r: (typeof rows)[number]) => r.day >= '2012-05-11'],
  ])('%s', async (validationAfter, test) => {
    const encoded = await encode({ validationAfter });
    expect(validationOf(encoded)).toEqual(expected(test));
  });

  it('may name a column that is dropped', async () => {
    const encoded = await encode({ validationAfter: 'year=2008', drop: ['year'] });
    expect(validationOf(encoded)).toEqual(expected((r) => r.year !== '' && Number(r.year) > 2008));
    expect(encodedColumns(encoded.encoder).some(({ source }) => source === 'year')).toBe(false);
  });

  it('is named where it leaves no row to train on, or none to validate on', async () => {
    const full = writeFile(folder, 'full.csv', text(rows.filter(({ year }) => year !== '')));
    const error = await failure(encode({ validationAfter: 'year=1900' }, full));
    expect(error).toMatchObject({ code: 'PARAGRAD_DATA', place: { option: '--validation-after' } });
    expect(error.message).toContain('above --validation-after "year=1900": give it a larger value');
    const { summary } = await train(full, { target: 'y', validationAfter: 'year=2100', maxPasses: 5 });
    expect([summary.validation, summary.notes]).toEqual([
      null,
      ['no row is above --validation-after "year=2100": there are no validation rows'],
    ]);
  });

  it.each([
    ['year', 'COLUMN=VALUE'],
    ['year=soon', 'no number'],
    ['day=2012', 'no date'],
    ['c=red', 'neither numbers nor dates'],
    ['yaer=2008', 'did you mean "year"'],
  ])('refuses %s', async (validationAfter, message) => {
    expect((await failure(encode({ validationAfter }))).message).toContain(message);
  });
});

describe('--validation-data', () => {
  const first = writeFile(folder, 'first.csv', text(rows.slice(0, 400)));
  const second = writeFile(
    folder,
    'second.csv',
    `a,day,c,extra,y,year,g\n${rows
      .slice(400)
      .map((r) => `${r.a},${r.day},${r.c === 'red' ? 'violet' : r.c},9,${r.y},${r.year},${r.g}`)
      .join('\n')}\n`,
  );

  it('trains on all rows of one file, validates on those of another: columns by name, categories as training has them', async () => {
    const joined = await encode({ validationData: second, drop: ['g'] }, first);
    const alone = await encode({ validationFraction: 0, drop: ['g'] }, first);
    expect(joined.counts).toMatchObject({
      training: 400,
      validation: 100,
      rows: 500,
      unseenCategories: rows.slice(400).filter(({ c }) => c === 'red').length,
    });
    expect(joined.encoder).toEqual(alone.encoder);
    const [all, only] = [encodedRows(joined), encodedRows(alone)];
    for (const [row, values] of only) expect(all.get(row)).toEqual(values);
    expect(validationOf(joined)).toEqual(Array.from({ length: 100 }, (_, i) => 400 + i));
    const violet = encodedColumns(joined.encoder).map(({ source }) => source === 'c');
    const row = rows.findIndex(({ c }, i) => i >= 400 && c === 'red');
    expect(all.get(row)?.x.filter((_, j) => violet[j])).toEqual([0, 0, 0]);
    expect(all.get(row)?.y).toBe(rows[row]?.y);
  });

  it('gives the weights of training on the first file alone, and the measures of the second', async () => {
    const options = { target: 'y', drop: ['g'], chunkRows: 64 } as const;
    const run = await train(first, { ...options, validationData: second });
    const alone = await train(first, { ...options, validationFraction: 0 });
    expect(run.summary.weightsSha256).toBe(alone.summary.weightsSha256);
    expect(run.summary.validation?.rows).toBe(100);
    const encoded = join(folder, 'joined.parquet');
    await inspectData(first, { target: 'y', drop: ['g'], validationData: second, encoded });
    const { rows: written, names } = await rowsOf(encoded);
    expect(written.length).toBe(500);
    expect(written.filter((r) => r[names.indexOf('__split')] === 'validation').length).toBe(100);
  });

  it('refuses a file that lacks a column or is of another kind, and two splits at once', async () => {
    const lacking = writeFile(folder, 'lacking.csv', 'y,c\n1,red\n');
    expect(await failure(encode({ validationData: lacking }, first))).toMatchObject({
      code: 'PARAGRAD_COLUMN',
      place: { option: '--validation-data' },
    });
    const wrong = writeFile(folder, 'wrong.csv', text(rows.slice(0, 30)).replace(/^0,0/mu, '0,many'));
    expect(await failure(encode({ validationData: wrong }, first))).toMatchObject({
      code: 'PARAGRAD_VALUE',
      place: { file: wrong, column: 'a' },
    });
    expect((await failure(encode({ splitBy: 'g', validationAfter: 'year=2003' }))).message).toContain('choose one');
    expect((await failure(encode({ splitBy: 'g', drop: ['g'] }))).message).toContain('--split-by');
    expect((await failure(openTable(first, { validationData: join(folder, 'none.csv') }))).code).toBe('PARAGRAD_FILE');
  });
});
