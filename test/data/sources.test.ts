import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expandPattern } from '../../src/data/glob.ts';
import { openTable } from '../../src/data/open-table.ts';
import { spool } from '../../src/data/spool.ts';
import { failure, rowsOf, temporaryFolder, withTable, writeFile, writeParquet } from './helpers.ts';

const folder = temporaryFolder();
const line = (value: unknown): string => `${JSON.stringify(value)}\n`;

it.each([40, 5000])('a text with a zero character is refused: %i different ones', async (count) => {
  const query = `SELECT i AS n, 'a' || chr(0) || i % ${count} AS t FROM range(5000) r(i)`;
  const path = await writeParquet(join(folder, `zero-${count}.parquet`), query);
  const error = { code: 'PARAGRAD_VALUE', message: expect.stringContaining('column "t": a text holds a zero character') };
  expect(await failure(rowsOf(path))).toMatchObject(error);
  expect((await rowsOf(path, { drop: ['t'] })).rows).toHaveLength(5000);
  const lines = writeFile(folder, `zero-${count}.jsonl`, [...Array(9).keys()].map((i) => line({ t: `b\0${i % 2}` })).join(''));
  expect(await failure(rowsOf(lines))).toMatchObject(error);
});

describe('JSON lines', () => {
  const content = [
    { n: 1, c: 'x', b: true, d: '2020-01-02', list: [1] },
    { n: 2.5, c: null, b: false, d: '2020-01-03', list: null },
    { c: 'é "q"\n', d: null, late: 4 },
  ];

  it.each([true, false])('give numbers, booleans, dates, texts and what is missing (load: %s)', async (load) => {
    const path = writeFile(folder, 'kinds.jsonl', content.map(line).join(''));
    const { names, kinds, rows } = await rowsOf(path, { load });
    expect(names).toEqual(['n', 'c', 'b', 'd', 'list', 'late']);
    expect(kinds).toEqual(['number', 'text', 'boolean', 'date', 'other', 'number']);
    expect(rows).toEqual([
      [1, 'x', 1, 18_263, null],
      [2.5, null, 0, 18_264, null],
      [null, 'é "q"\n', null, null, 4],
    ]);
  });

  it('may have hundreds of keys of which each line has few', async () => {
    const lines = Array.from({ length: 300 }, (_, i) => line({ n: i, [`k${i}`]: 1 }));
    const { names, kinds, rows } = await rowsOf(writeFile(folder, 'sparse.jsonl', lines.join('')));
    expect(names.slice(0, 3)).toEqual(['n', 'k0', 'k1']);
    expect(new Set(kinds)).toEqual(new Set(['number']));
    expect(rows[7]?.slice(0, 9)).toEqual([7, null, null, null, null, null, null, null, 1]);
  });

  it('are found by name or content, packed or not, with odd keys', async () => {
    const text = [{ 'a b/~"\'é': 1, ' ': 2 }, { 'a b/~"\'é': 3 }].map(line).join('\n');
    for (const [name, bytes] of [
      ['odd.ndjson', text],
      ['odd.json', text],
      ['odd', text],
      ['odd.jsonl.gz', gzipSync(text)],
      ['packed', gzipSync(text)],
    ] as const) {
      const found = await rowsOf(writeFile(folder, name, bytes));
      expect(found.names).toEqual(['a b/~"\'é', ' ']);
      expect(found.rows).toEqual([
        [1, 2],
        [3, null],
      ]);
    }
  });

  it('take what is asked for: categories, numbers, ids', async () => {
    const path = writeFile(folder, 'asked.jsonl', [1, 2, 10].map((n) => line({ n, t: `0${n}`, i: `k${n}` })).join(''));
    const { kinds, rows } = await rowsOf(path, { category: ['n'], number: ['t'], drop: ['i'] });
    expect(kinds.slice(0, 2)).toEqual(['text', 'number']);
    expect(rows).toEqual([
      ['1', 1],
      ['2', 2],
      ['10', 10],
    ]);
  });

  it('have a key that only a very late line has', async () => {
    const path = writeFile(folder, 'late.jsonl', line({ a: 1 }).repeat(21_000) + line({ a: 2, z: 'end', k: 7 }));
    const { names, kinds, rows } = await rowsOf(path);
    expect([names, kinds]).toEqual([
      ['a', 'k', 'z'],
      ['number', 'number', 'text'],
    ]);
    expect(rows.at(-1)).toEqual([2, 7, 'end']);
  });

  it.each([
    ['an array', '[{"a":1}]', 'holds an array'],
    ['a line that is no object', '{"a":1}\n[1]\n', 'holds array'],
    ['a key twice', '{"a":1,"a":2}\n', 'twice'],
    ['keys that differ in case only', '{"a":1,"A":2}\n', 'case only'],
    ['no keys', '{}\n', 'no keys'],
    ['an empty key', '{"":1}\n', 'key is empty'],
    ['nothing but empty lines', '\n\n', 'no rows'],
    ['an open brace', '{"a":1}\n{"a":2\n', 'not JSON'],
  ])('are refused with %s', async (_what, text, message) => {
    const error = await failure(openTable(writeFile(folder, 'bad.jsonl', text)));
    expect(error.code).toBe('PARAGRAD_DATA');
    expect(error.message).toContain('bad.jsonl');
    expect(error.message).toContain(message);
  });

  it.each([true, false])('name the line and column of a value that is not what its column was (load: %s)', async (load) => {
    const good = line({ a: 1, b: 2 });
    const path = writeFile(folder, 'value.jsonl', good.repeat(30_000) + line({ a: 1, b: 'much' }) + good);
    const error = await failure(rowsOf(path, { load }));
    expect(error).toMatchObject({ code: 'PARAGRAD_VALUE', place: { line: 30_001, column: 'b' } });
    expect(error.message).toContain('"much" is not a number');
  });

  it('that are cut short in gzip are refused', async () => {
    const bytes = gzipSync(line({ a: 1 }).repeat(1000));
    expect((await failure(openTable(writeFile(folder, 'short.jsonl.gz', bytes.subarray(0, bytes.length - 9))))).code).toBe('PARAGRAD_DATA');
  });
});

describe('several files', () => {
  mkdirSync(join(folder, 'parts/deep'), { recursive: true });
  const part = (name: string, text: string): string => writeFile(folder, `parts/${name}`, text);
  const files = [
    part('b.csv', 'n,c\n3,x\n4,y\n'),
    part('a10.csv', 'n,c\n2,y\n'),
    part('a1.csv', 'n,c\n1,x\n'),
    part('é.txt', 'n,c\n9,x\n'),
  ];

  it('are read in bytewise order of their names, each once', async () => {
    const numbers = async (source: string | string[]) => {
      const seen: number[] = [];
      await withTable(source, {}, async (table) => {
        for await (const batch of table.scan([0]))
          if (batch.columns[0]?.kind === 'number') seen.push(...batch.columns[0].values.subarray(0, batch.rows));
      });
      return seen;
    };
    expect(await numbers([...files, files[0] as string])).toEqual([1, 2, 3, 4, 9]);
    expect(await numbers(join(folder, 'parts/*.csv'))).toEqual([1, 2, 3, 4]);
    expect(await numbers([join(folder, 'p?rts/[ab]?.csv'), files[3] as string])).toEqual([1, 9]);
  });

  it('may be Parquet or JSON lines, and name the one that is wrong', async () => {
    const p = [
      await writeParquet(join(folder, 'p1.parquet'), "SELECT 1 AS n, 'x' AS c"),
      await writeParquet(join(folder, 'p2.parquet'), "SELECT 2.5::DOUBLE AS n, 'y' AS c"),
    ];
    await withTable(p, { number: ['n'] }, async (table) => expect(table.rows).toBe(2));
    const j = [writeFile(folder, 'j1.jsonl', line({ n: 1 })), writeFile(folder, 'j2.jsonl', line({ n: 2 }) + line({ n: 'x' }))];
    const mixed = await failure(withTable(j, { number: ['n'] }, async (table) => expect(table.rows).toBe(3)));
    expect(mixed).toMatchObject({ code: 'PARAGRAD_VALUE', place: { column: 'n' } });
    expect((await failure(openTable([...p, ...j]))).message).toContain('not of the same format');
  });

  it.each([
    ['lacks a column', 'n\n1\n', 'lacks "c"'],
    ['has one more', 'n,c,d\n1,x,2\n', 'has "d"'],
    ['has another order', 'c,n\nx,1\n', 'another order'],
    ['has another delimiter', 'n;c\n1;x\n', 'delimiters'],
    ['has a wrong value', 'n,c\n1,x\nmany,x\n', 'wrong.csv, line 3, column "n"'],
  ])('are refused when one %s', async (_what, text, message) => {
    const wrong = part('wrong.csv', text);
    const error = await failure(openTable([files[0] as string, wrong]));
    expect(error.message).toContain('wrong.csv');
    expect(error.message).toContain(message);
  });

  it('are refused when a pattern means none, or one is missing', async () => {
    expect((await failure(openTable(join(folder, 'none*.csv')))).code).toBe('PARAGRAD_FILE');
    expect((await failure(openTable([files[0] as string, join(folder, 'lacking.csv')]))).code).toBe('PARAGRAD_FILE');
    expect((await failure(openTable([]))).code).toBe('PARAGRAD_FILE');
    expect((await failure(openTable([files[0] as string, '-']))).message).toContain('cannot be mixed');
  });

  it('patterns mean what names say', async () => {
    const names = fc.uniqueArray(fc.string({ unit: fc.constantFrom('a', 'b', '.', '-', '0'), minLength: 1, maxLength: 4 }), {
      maxLength: 6,
    });
    let n = 0;
    await fc.assert(
      fc.asyncProperty(names, async (all) => {
        n += 1;
        const at = join(folder, `glob${n}`);
        mkdirSync(at);
        const good = all.filter((name) => !['.', '..'].includes(name));
        for (const name of good) writeFile(at, name, '');
        const wanted = (test: (name: string) => boolean) =>
          good
            .filter((name) => !name.startsWith('.') && test(name))
            .sort()
            .map((name) => join(at, name));
        expect(await expandPattern(`${at}/*`)).toEqual(wanted(() => true));
        expect(await expandPattern(`${at}/a*`)).toEqual(wanted((name) => name.startsWith('a')));
        expect(await expandPattern(`${at}/?`)).toEqual(wanted((name) => name.length === 1));
        expect(await expandPattern(`${at}/[!a]*`)).toEqual(wanted((name) => !name.startsWith('a')));
      }),
      { numRuns: 20 },
    );
  });
});

describe('standard input', () => {
  it('is spooled to a file that can be read again, and is gone afterwards', async () => {
    const { path, release } = await spool(Readable.from([Buffer.from('a,b\n1,2\n'), Buffer.from('3,4\n')]));
    const { rows } = await rowsOf(path);
    expect(rows).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect((await rowsOf(path)).rows).toEqual(rows);
    release();
    release();
    expect((await failure(openTable(path))).code).toBe('PARAGRAD_FILE');
  });

  it('that fails leaves nothing, and a terminal is refused', async () => {
    const broken = new Readable({
      read() {
        this.destroy(new Error('gone'));
      },
    });
    expect((await failure(spool(broken))).message).toContain('gone');
    expect((await failure(spool(Object.assign(Readable.from([]), { isTTY: true })))).message).toContain('terminal');
  });
});
