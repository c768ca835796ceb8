import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { openTable } from '../../src/data/open-table.ts';
import { schemaOf } from '../../src/data/schema.ts';
import { rowsOf, temporaryFolder, withTable, writeFile, writeParquet } from './helpers.ts';

const folder = temporaryFolder();
const day = (text: string): number => Date.parse(text) / 86_400_000;

describe('CSV', () => {
  const text = 'n,b,d,t,s\n1,true,2020-01-02,2020-01-01 12:00:00,x\n,,,,\n2.5,false,1969-12-31,1970-01-01 00:00:00.25,"y, z"\n';

  it.each([true, false])('gives numbers, booleans, dates, texts and what is missing (load: %s)', async (load) => {
    const { kinds, rows } = await rowsOf(writeFile(folder, 'kinds.csv', text), { load });
    expect(kinds).toEqual(['number', 'boolean', 'date', 'date', 'text']);
    expect(rows).toEqual([
      [1, 1, day('2020-01-02'), day('2020-01-01T12:00:00Z'), 'x'],
      [null, null, null, null, null],
      [2.5, 0, -1, 0.25 / 86_400, 'y, z'],
    ]);
  });

  it('is the same when packed, with other delimiters, line ends and a byte order mark', async () => {
    const plain = await rowsOf(writeFile(folder, 'kinds.csv', text));
    expect(await rowsOf(writeFile(folder, 'kinds.csv.gz', gzipSync(text)))).toEqual(plain);
    expect(await rowsOf(writeFile(folder, 'crlf.csv', `\ufeff${text.replaceAll('\n', '\r\n')}`))).toEqual(plain);
    for (const delimiter of [';', '\t', '|'])
      expect(await rowsOf(writeFile(folder, 'other.csv', text.replaceAll(',', delimiter)))).toEqual({
        ...plain,
        rows: plain.rows.map((row) => row.map((x) => (x === 'y, z' ? `y${delimiter} z` : x))),
      });
  });

  it('keeps names as they are: quotes, newlines, emoji, case, spaces', async () => {
    const names = ['a "b"', 'c\nd', '😀', 'A', 'a', ' x ', 'select', "it's"];
    const header = names.map((name) => `"${name.replaceAll('"', '""')}"`).join(',');
    const result = await rowsOf(writeFile(folder, 'names.csv', `${header}\n1,2,3,4,5,6,7,8\n`));
    expect(result).toEqual({ names, kinds: names.map(() => 'number'), rows: [[1, 2, 3, 4, 5, 6, 7, 8]] });
  });

  it('keeps odd file names, and names columns without one', async () => {
    const path = writeFile(folder, "od[d] *?'.csv", ',a\n0,1\n');
    expect((await rowsOf(path)).names).toEqual(['column_1', 'a']);
  });

  it('takes a fraction after many whole numbers, and numbers after an empty sample', async () => {
    const rows = Array.from({ length: 30_000 }, (_, i) => `${i},`);
    const path = writeFile(folder, 'later.csv', `a,b\n${rows.join('\n')}\n0.5,7\n1e3,8\n`);
    const { kinds, rows: read } = await rowsOf(path);
    expect(kinds).toEqual(['number', 'number']);
    expect(read.slice(-2)).toEqual([
      [0.5, 7],
      [1000, 8],
    ]);
    expect(read[29_999]).toEqual([29_999, null]);
  });

  it('reads numbers to the nearest double, and NaN as missing', async () => {
    const { rows } = await rowsOf(
      writeFile(folder, 'doubles.csv', 'a\n0.1\n9007199254740993\n1e-320\n123456789012345678901234567890\nnan\n-0.0\n'),
    );
    expect(rows).toEqual([[0.1], [9007199254740992], [1e-320], [1.2345678901234568e29], [null], [-0]]);
  });

  it('reads what it is told: categories, numbers, a model’s kinds', async () => {
    const path = writeFile(folder, 'told.csv', 'zip,flag\n01,1\n1,0\n');
    expect((await rowsOf(path, { category: ['zip'] })).rows).toEqual([
      ['01', 1],
      ['1', 0],
    ]);
    expect(
      (
        await rowsOf(path, {
          expected: new Map([
            ['flag', 'boolean'],
            ['zip', 'text'],
            ['gone', 'number'],
          ]),
        })
      ).kinds,
    ).toEqual(['text', 'boolean']);
  });

  it('skips empty lines before the header', async () => {
    for (const end of ['\n', '\r\n'])
      expect(await rowsOf(writeFile(folder, 'blank.csv', `${end}${end}a,b${end}x,2${end}`))).toEqual({
        names: ['a', 'b'],
        kinds: ['text', 'number'],
        rows: [['x', 2]],
      });
  });

  it('keeps words like yes and no as categories', async () => {
    const path = writeFile(folder, 'words.csv', 'a,b,c,d\nyes,true,t,Y\nno,FALSE,f,N\n,,,\n');
    expect(await rowsOf(path)).toMatchObject({
      kinds: ['text', 'boolean', 'text', 'text'],
      rows: [
        ['yes', 1, 't', 'Y'],
        ['no', 0, 'f', 'N'],
        [null, null, null, null],
      ],
    });
  });

  it('keeps row order over many batches, and can be left early and scanned again', async () => {
    const rows = 150_001;
    const path = writeFile(folder, 'order.csv', `i,t\n${Array.from({ length: rows }, (_, i) => `${i},t${i % 300}`).join('\n')}`);
    for (const load of [true, false])
      await withTable(path, { load }, async (table) => {
        for (let again = 0; again < 2; again += 1) for await (const batch of table.scan([0])) if (batch.firstRow === 0) break;
        let next = 0;
        let wrong = 0;
        for await (const batch of table.scan([1, 0])) {
          expect(batch.firstRow).toBe(next);
          const [text, number] = batch.columns;
          if (text?.kind !== 'text' || number?.kind !== 'number') throw new Error('kinds');
          for (let i = 0; i < batch.rows; i += 1) {
            if (number.values[i] !== next || text.dictionary[text.codes[i] as number] !== `t${next % 300}`) wrong += 1;
            next += 1;
          }
        }
        expect([next, wrong, table.rows]).toEqual([rows, 0, rows]);
      });
  });
});

describe('Parquet', () => {
  it('gives every type of number, booleans, dates, times and enums', async () => {
    const path = await writeParquet(
      join(folder, 'types.parquet'),
      `SELECT 1::TINYINT a, 2::USMALLINT b, 3::BIGINT c, 9007199254740993::UBIGINT d, 0.1::FLOAT e, 12.34::DECIMAL(9, 2) f, 5::HUGEINT g, true h,
       DATE '2020-01-02' i, TIMESTAMP '2020-01-02 06:00:00' j, TIMESTAMPTZ '2020-01-02 06:00:00+00' k, TIMESTAMP_NS '1970-01-01 00:00:01' l, TIME '12:00:00' m,
       'x'::ENUM('y', 'x') n, uuid() o, [1] p, {'a': 1} q, 'z' r
       UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL`,
    );
    const { kinds, rows } = await rowsOf(path, { drop: ['o'] });
    expect(kinds).toEqual([
      ...Array<string>(7).fill('number'),
      'boolean',
      ...Array<string>(5).fill('date'),
      'text',
      'text',
      'other',
      'other',
      'text',
    ]);
    const base = day('2020-01-02');
    expect(rows[0]).toEqual([
      1,
      2,
      3,
      9007199254740992,
      Math.fround(0.1),
      12.34,
      5,
      1,
      base,
      base + 0.25,
      base + 0.25,
      1 / 86_400,
      0.5,
      'x',
      'z',
    ]);
    expect(rows[1]?.every((value) => value === null)).toBe(true);
    await withTable(path, {}, async (table) => expect(() => schemaOf(table, { target: 'p' })).toThrow('holds INTEGER[] values'));
  });

  it('reads long texts, whole numbers alike in integer and fraction columns, and texts as numbers', async () => {
    const path = await writeParquet(
      join(folder, 'texts.parquet'),
      "SELECT repeat('é', 1 + i::INT) t, i::DOUBLE d, i::BIGINT b, i::VARCHAR v FROM range(40) r(i)",
    );
    const { rows } = await rowsOf(path, { category: ['d', 'b'], number: ['v'] });
    expect(rows[39]).toEqual(['é'.repeat(40), '39', '39', 39]);
  });

  it('keeps names with quotes and emoji', async () => {
    const path = await writeParquet(join(folder, 'case.parquet'), 'SELECT 1 AS "a ""b""", 2 AS "😀"');
    expect((await rowsOf(path)).names).toEqual(['a "b"', '😀']);
  });

  it('keeps row order over row groups and threads', async () => {
    const path = await writeParquet(join(folder, 'groups.parquet'), 'SELECT i, i % 3 AS k FROM range(400000) r(i)');
    await withTable(path, {}, async (table) => {
      let next = 0;
      let wrong = 0;
      for await (const batch of table.scan([0])) {
        const [values] = batch.columns;
        if (values?.kind !== 'number') throw new Error('kind');
        for (let i = 0; i < batch.rows; i += 1) {
          if (values.values[i] !== next) wrong += 1;
          next += 1;
        }
      }
      expect([next, wrong]).toEqual([400_000, 0]);
    });
  });

  it('has codes of one, two and four bytes', async () => {
    for (const size of [3, 300, 70_000]) {
      const path = await writeParquet(
        join(folder, `codes-${size}.parquet`),
        `SELECT 'v' || (i % ${size}) AS t FROM range(${size + 5}) r(i)`,
      );
      const { rows } = await rowsOf(path);
      expect([rows[size - 1], rows[size + 1]]).toEqual([[`v${size - 1}`], ['v1']]);
    }
  });
});

describe('schema', () => {
  it('says what each column is and what becomes of it', async () => {
    const rows = Array.from({ length: 600 }, (_, i) => `${i},id${i},c${i % 300},,${i % 2 === 0},2020-01-01,x`);
    const path = writeFile(folder, 'schema.csv', `y,id,many,none,flag,when,gone\n${rows.join('\n')}\n`);
    const roles = await withTable(path, { drop: ['gone'] }, async (table) =>
      schemaOf(table, { target: 'y', drop: ['gone'] }).columns.map((c) => `${c.kind} ${c.role}`),
    );
    expect(roles).toEqual([
      'number target',
      'category id',
      'category feature',
      'category empty',
      'boolean feature',
      'date feature',
      'category dropped',
    ]);
    const kept = await withTable(
      path,
      { category: ['id'] },
      async (table) => schemaOf(table, { target: 'y', category: ['id'] }).columns[1]?.role,
    );
    expect(kept).toBe('feature');
  });

  it('frees a table twice', async () => {
    const table = await openTable(writeFile(folder, 'twice.csv', 'a\n1\n'));
    table.close();
    table.close();
  });
});
