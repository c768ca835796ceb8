import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { BadRowsMode } from '../../src/data/bad-rows.ts';
import { encodeTable } from '../../src/data/encode.ts';
import { openTable } from '../../src/data/open-table.ts';
import { train } from '../../src/index.ts';
import { encodedRows, failure, rowsOf, temporaryFolder, withTable, writeFile, writeParquet } from './helpers.ts';

const folder = temporaryFolder();
const GOOD = Array.from(
  { length: 25_000 },
  (_, i) => `${i % 97},${i % 3 === 0},2020-01-${String((i % 28) + 1).padStart(2, '0')},t${i % 4},${i % 13}`,
);
const HEADER = 'y,b,d,c,n';
const table = (rows: readonly string[]): string => `${HEADER}\n${rows.join('\n')}\n`;
const at = (rows: readonly string[], changes: Record<number, string>): string[] => rows.map((row, i) => changes[i] ?? row);

describe.each([true, false])('wrong rows late in a large CSV file (load: %s)', (load) => {
  const wrong = { 22000: '1,true,2020-01-01,t1,many', 23000: '1,perhaps,2020-01-01,t1,5', 24000: '5,true,soon,t1,inf' };
  const path = writeFile(folder, 'late.csv', table(at(GOOD, wrong)));

  it('end the reading by default', async () => {
    expect((await failure(rowsOf(path, { load }))).code).toBe('PARAGRAD_VALUE');
  });

  it('are skipped, counted and shown, and the others keep their row numbers', async () => {
    await withTable(path, { load, badRows: 'skip' }, async (t) => {
      const encoded = await encodeTable(t, { target: 'y', badRows: 'skip', chunkRows: 1024 });
      expect(encoded.bad).toEqual({
        mode: 'skip',
        rows: 3,
        lines: 0,
        columns: [
          { column: 'b', values: 1 },
          { column: 'd', values: 1 },
          { column: 'n', values: 2 },
        ],
        examples: [
          { file: path, line: 22_002, row: 22_000, column: 'n', value: 'many' },
          { file: path, line: 23_002, row: 23_000, column: 'b', value: 'perhaps' },
          { file: path, line: 24_002, row: 24_000, column: 'd', value: 'soon' },
          { file: path, line: 24_002, row: 24_000, column: 'n', value: 'inf' },
        ],
      });
      expect(encoded.counts).toMatchObject({ rows: 25_000, withoutTarget: 0 });
      const rows = [...encodedRows(encoded).keys()].sort((a, b) => a - b);
      expect(rows).toEqual([...GOOD.keys()].filter((i) => !(i in wrong)));
    });
  });

  it('count as missing when imputed', async () => {
    const { rows } = await rowsOf(path, { load, badRows: 'impute' });
    expect([22_000, 23_000, 24_000].map((i) => rows[i])).toEqual([
      [1, 1, 18_262, 't1', null],
      [1, null, 18_262, 't1', 5],
      [5, 1, null, 't1', null],
    ]);
    await withTable(path, { load, badRows: 'impute' }, async (t) => expect(t.bad).toMatchObject({ mode: 'impute', rows: 0, lines: 0 }));
  });

  it('lines with too few or too many fields are skipped and shown', async () => {
    const broken = writeFile(
      folder,
      'broken.csv',
      table(at(GOOD, { 5: '1,2', 22000: '1,true,2020-01-01,t1,5,6', 22005: '1,true,2020-01-01,t1,x' })),
    );
    expect((await failure(rowsOf(broken, { load }))).code).toBe('PARAGRAD_DATA');
    for (const badRows of ['skip', 'impute'] as const)
      await withTable(broken, { load, badRows }, async (t) => {
        expect(t.rows).toBe(24_998);
        expect(t.columns.map(({ kind }) => kind)).toEqual(['number', 'boolean', 'date', 'text', 'number']);
        expect(t.bad).toMatchObject({ lines: 2, rows: badRows === 'skip' ? 1 : 0 });
        expect(t.bad?.examples).toEqual([
          { file: broken, line: 22_007, row: 22_003, column: 'n', value: 'x' },
          { file: broken, line: 7, row: null, column: null, value: '1,2' },
          { file: broken, line: 22_002, row: null, column: null, value: '1,true,2020-01-01,t1,5,6' },
        ]);
      });
  });
});

describe('wrong rows', () => {
  it('change nothing where there are none: the same rows in every mode, of every format', async () => {
    const text = `y,b,d,t,c,n\n${GOOD.slice(0, 300)
      .map((row) => row.replace(/,(2020[^,]*),/, ',$1,$1T10:20:30,'))
      .join('\n')}\n,,,,,\n1,true,2020-01-01,,x,nan\n`;
    const csv = writeFile(folder, 'none.csv', text);
    const parquet = await writeParquet(join(folder, 'none.parquet'), `SELECT * FROM '${csv}'`);
    for (const path of [csv, writeFile(folder, 'none.csv.gz', gzipSync(text)), parquet]) {
      const all = await rowsOf(path);
      for (const badRows of ['skip', 'impute'] as const) {
        expect(await rowsOf(path, { badRows })).toEqual(all);
        await withTable(path, { badRows }, async (t) =>
          expect(t.bad).toEqual({ mode: badRows, rows: 0, lines: 0, columns: [], examples: [] }),
        );
      }
    }
  });

  it('of Parquet and JSON lines: infinities, and text where numbers are asked for', async () => {
    const path = await writeParquet(
      join(folder, 'p.parquet'),
      "SELECT * FROM (VALUES (1.0::DOUBLE, '1'), ('inf'::DOUBLE, 'two'), (3.0, '3')) AS t(a, b)",
    );
    await withTable(path, { number: ['b'], badRows: 'impute' }, async (t) =>
      expect(t.bad?.columns).toEqual([
        { column: 'a', values: 1 },
        { column: 'b', values: 1 },
      ]),
    );
    const lines = ['{"a":1,"b":2}\n'.repeat(25_000), '{"a":"x","b":2}\n', '{"a":0.1,"b":1e-7}\n'].join('');
    const jsonl = writeFile(folder, 'j.jsonl', lines);
    expect((await failure(rowsOf(jsonl))).code).toBe('PARAGRAD_VALUE');
    const { rows } = await rowsOf(jsonl, { badRows: 'impute' });
    expect(rows.slice(-2)).toEqual([
      [null, 2],
      [0.1, 1e-7],
    ]);
  });

  it('are told with the file that they are in', async () => {
    const files = ['x1.csv', 'x2.csv'].map((name, i) =>
      writeFile(folder, name, table(at(GOOD.slice(0, 30), i === 1 ? { 7: '1,true,2020-01-01,t1,?' } : { 3: '1' }))),
    );
    await withTable(files, { badRows: 'skip', number: ['n'] }, async (t) =>
      expect(t.bad?.examples).toEqual([
        { file: files[1], line: 9, row: 36, column: 'n', value: '?' },
        { file: files[0], line: 5, row: null, column: null, value: '1' },
      ]),
    );
  });

  it.each([
    ['a quote that is not closed', table([...GOOD.slice(0, 30), '1,true,2020-01-01,"t1,5', ...GOOD.slice(0, 30)])],
    ['bytes that are no text', Buffer.concat([Buffer.from(table(GOOD.slice(0, 30))), Buffer.from([0x31, 0xff, 0xfe, 0x0a])])],
  ])('are never passed over with %s', async (_what, content) => {
    for (const badRows of ['skip', 'impute'] as BadRowsMode[])
      expect((await failure(openTable(writeFile(folder, 'never.csv', content), { badRows }))).code).toBe('PARAGRAD_DATA');
  });

  it('have weights and offsets that cannot be imputed: such rows are skipped in both modes', async () => {
    const lines = Array.from({ length: 60 }, (_, i) => `${i},${i % 7},${i === 9 ? '-1' : i === 11 ? '' : 1},${i === 20 ? '' : 0.5}`);
    const path = writeFile(folder, 'weights.csv', `y,a,w,o\n${lines.join('\n')}\n`);
    for (const badRows of ['skip', 'impute'] as const) {
      const { summary } = await train(path, { target: 'y', weight: 'w', offset: 'o', badRows });
      expect(summary.schema.badRows).toMatchObject({
        rows: 3,
        columns: [
          { column: 'w', values: 2 },
          { column: 'o', values: 1 },
        ],
      });
      expect(summary.schema.trainingRows + summary.schema.validationRows).toBe(57);
      expect(summary.notes.join('\n')).toContain('data row 10, column "w": "-1"');
    }
  });

  it('train as if they were not in the file, but for the split', async () => {
    const rows = GOOD.slice(0, 2000);
    const options = { target: 'y', validationFraction: 0, shuffle: 'none' } as const;
    const bad = writeFile(folder, 'with.csv', table([...rows.slice(0, 1000), '1,true,2020-01-01,t1,many', ...rows.slice(1000)]));
    const clean = await train(writeFile(folder, 'without.csv', table(rows)), options);
    const skipped = await train(bad, { ...options, number: ['n'], badRows: 'skip' });
    expect(skipped.summary.weightsSha256).toBe(clean.summary.weightsSha256);
    expect(skipped.summary.notes[0]).toContain('1 row was skipped for wrong values ("n" 1)');
  });
});
