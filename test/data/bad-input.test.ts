import { chmodSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { encodeTable } from '../../src/data/encode.ts';
import { openTable } from '../../src/data/open-table.ts';
import { failure, rowsOf, temporaryFolder, withTable, writeFile, writeParquet } from './helpers.ts';

const folder = temporaryFolder();
/** A user who owns nothing. */
const NOBODY = 65_534;

async function openFailure(name: string, content: string | Uint8Array) {
  return failure(openTable(writeFile(folder, name, content)));
}

async function encodeFailure(content: string, target: string, options: { load?: boolean } = {}) {
  const path = writeFile(folder, `encode-${Math.random()}.csv`, content);
  return failure(withTable(path, options, (table) => encodeTable(table, { target })));
}

describe('a file that cannot be read', () => {
  it('is missing: the nearest name is offered', async () => {
    writeFile(folder, 'houses.csv', 'a\n1\n');
    const error = await failure(openTable(join(folder, 'house.csv')));
    expect(error.code).toBe('PARAGRAD_FILE');
    expect(error.message).toMatch(/does not exist; did you mean ".*houses\.csv"\?/u);
    expect((await failure(openTable('s3://bucket/x.csv'))).message).toContain('only local files');
  });

  it('is a folder, empty, or of a kind that is not read', async () => {
    mkdirSync(join(folder, 'd.csv'));
    expect((await failure(openTable(join(folder, 'd.csv')))).message).toContain('is a folder');
    writeFile(join(folder, 'd.csv'), 'manifest.json', '{}');
    expect((await failure(openTable(join(folder, 'd.csv')))).message).toContain('is a dataset folder, which train and inspect take');
    expect((await openFailure('empty.csv', '')).message).toContain('is empty');
    expect((await openFailure('blank.csv', '\n\n')).message).toContain('header line');
    expect((await openFailure('x.json', '[{}]')).code).toBe('PARAGRAD_FORMAT');
  });

  // Windows has no such permissions of files.
  it.skipIf(process.platform === 'win32')('may not be read', async () => {
    const path = writeFile(folder, 'secret.csv', 'a\n1\n');
    chmodSync(path, 0o000);
    // The administrator may read everything: another user looks at it, who finds it there.
    const isRoot = process.geteuid?.() === 0;
    chmodSync(folder, 0o711);
    if (isRoot) process.seteuid?.(NOBODY);
    try {
      const error = await failure(openTable(path));
      expect(error).toMatchObject({ code: 'PARAGRAD_FILE', message: expect.stringContaining('cannot be read: EACCES') });
      expect((await failure(openTable(join(folder, 'none.csv')))).message).toContain('does not exist');
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });

  it('has a header only', async () => {
    expect((await openFailure('header.csv', 'a,b\n')).message).toContain('no rows');
    expect((await openFailure('header2.csv', 'a,b')).message).toContain('no rows');
  });

  it('has no header', async () => {
    expect((await openFailure('numbers.csv', '1,2\n3,4\n')).message).toContain('line 1 holds numbers only');
  });

  it('is binary garbage, UTF-16, Latin-1, or not gzip', async () => {
    expect((await openFailure('zero.csv', new Uint8Array(3000).fill(7, 0, 100))).message).toContain('zero bytes');
    expect(
      (
        await openFailure(
          'garbage.csv',
          Uint8Array.from({ length: 3000 }, (_, i) => 1 + ((i * 7919) % 255)),
        )
      ).code,
    ).toBe('PARAGRAD_DATA');
    expect((await openFailure('utf16.csv', Buffer.from('\ufeffa,b\n1,2\n', 'utf16le'))).message).toContain('UTF-16');
    expect((await openFailure('latin.csv', Buffer.from('a,b\nö,2\n', 'latin1'))).message).toContain('not UTF-8');
    expect((await openFailure('cut.csv.gz', gzipSync('a,b\n'.repeat(100_000)).subarray(0, 200))).code).toBe('PARAGRAD_DATA');
  });

  it('is not UTF-8 far inside', async () => {
    const text = `a,b\n${'1,x\n'.repeat(1_200_000)}`;
    const error = await openFailure('late-latin.csv', Buffer.concat([Buffer.from(text), Buffer.from('1,ö\n', 'latin1')]));
    expect(error.message).toContain('not UTF-8');
    expect(error.place.line).toBe(1_200_002);
  });

  it('is ragged, or has a quote that is not closed', async () => {
    const ragged = await openFailure('ragged.csv', 'a,b,c\n1,2,3\n4,5\n7,8,9\n');
    expect(ragged.message).toMatch(/line 3: 2 fields where the header has 3/u);
    expect(ragged.place.line).toBe(3);
    expect((await openFailure('ragged2.csv', `a,b\n${'1,2\n'.repeat(50_000)}1,2,3\n`)).place.line).toBe(50_002);
    expect((await openFailure('quote.csv', 'a,b\n1,"x\n2,y\n3,z\n')).message).toMatch(/line 2: a quote that opens here is not closed/u);
    expect((await openFailure('quote2.csv', `a,b\n${'1,x\n'.repeat(50_000)}1,"x\n${'1,x\n'.repeat(50_000)}`)).message).toMatch(
      /line 50002.*quote/u,
    );
    expect((await openFailure('quote3.csv', '"a,b\n1,2\n')).message).toContain('not closed');
    expect((await openFailure('mixed.csv', 'a,b\r\n1,x\n2,y\r\n')).message).toContain('mixed line ends');
  });

  it('has two columns of one name', async () => {
    const error = await openFailure('double.csv', 'a,b,a\n1,2,3\n');
    expect(error.message).toContain('two columns have the name "a"');
    expect(error.place.column).toBe('a');
  });

  it('is a Parquet file that is cut short, damaged, or not one', async () => {
    const path = await writeParquet(join(folder, 'whole.parquet'), 'SELECT random() AS x, random() AS y FROM range(300000)');
    const bytes = readFileSync(path);
    expect((await openFailure('cut.parquet', bytes.subarray(0, bytes.length - 100))).message).toContain('cannot be read as Parquet');
    expect((await openFailure('fake.parquet', 'a,b\n1,2\n')).message).toContain('not a Parquet file');
    const damaged = Buffer.from(bytes);
    const middle = Math.floor(bytes.length / 2);
    damaged.fill(0xff, middle, middle + 200_000);
    const broken = writeFile(folder, 'broken.parquet', damaged);
    // A page of plain doubles can be overwritten unnoticed, with NaN: never fewer rows without an error.
    const result = await rowsOf(broken).then(
      (all) => all.rows.length,
      (error: Error) => error.message,
    );
    if (typeof result === 'number') expect(result).toBe(300_000);
    else expect(result).toContain('broken.parquet');
  });
});

describe('a value that is not what its column was', () => {
  const late = (rows: number): string => `n,t\n${Array.from({ length: rows }, (_, i) => `${i},x\n`).join('')}oops,y\n5,x\n`;

  it.each([true, false])('names file, line, column, value and the way out (load: %s)', async (load) => {
    const path = writeFile(folder, `late-${load}.csv`, late(60_000));
    const error = await failure(rowsOf(path, { load }));
    expect(error.code).toBe('PARAGRAD_VALUE');
    expect(error.message).toContain(`late-${load}.csv, line 60002, column "n": "oops" is not a number`);
    expect(error.message).toContain('--category n');
    expect(error.message).toContain('--drop n');
    expect(error.place).toMatchObject({ line: 60_002, column: 'n' });
    expect((await rowsOf(path, { load, category: ['n'] })).rows[60_000]).toEqual(['oops', 'y']);
    expect((await rowsOf(path, { load, drop: ['n'] })).rows).toHaveLength(60_002);
  });

  it('of a column with a strange name, and of a boolean or date column', async () => {
    const path = writeFile(folder, 'strange.csv', `"a ""b""\n😀",c,d\n${'1,true,2020-01-01\n'.repeat(25_000)}`);
    const add = (line: string, name: string): string => writeFile(folder, name, `${readFileSync(path, 'utf8')}${line}\n`);
    expect((await failure(openTable(add('?,true,2020-01-01', 's1.csv')))).message).toContain(
      'column "a \\"b\\"\\n😀": "?" is not a number',
    );
    expect((await failure(openTable(add('1,maybe,2020-01-01', 's2.csv')))).message).toContain('"maybe" is not a true or false value');
    expect((await failure(openTable(add('1,true,soon', 's3.csv')))).message).toContain('"soon" is not a date');
  });

  it('that --number asks for, in CSV and in Parquet', async () => {
    const csv = writeFile(folder, 'forced.csv', 'a,b\n1,x\n2,7\n');
    const error = await failure(openTable(csv, { number: ['b'] }));
    expect(error.message).toMatch(/line 2, column "b": "x" is not a number.*--number/u);
    const parquet = await writeParquet(join(folder, 'forced.parquet'), "SELECT * FROM (VALUES ('1'), ('2'), ('x')) t(b)");
    expect((await failure(openTable(parquet, { number: ['b'] }))).message).toContain('row 3, column "b": "x" is not a number');
  });

  it('is infinite: row and column are named, in features and target', async () => {
    const rows = '1,1,1\n2,3,2\n3,4,3\n'.repeat(20);
    const error = await encodeFailure(`a,b,y\n${rows}1e400,1,1\n${rows}`, 'y');
    expect(error.code).toBe('PARAGRAD_VALUE');
    expect(error.message).toContain('data row 61, column "a": Infinity is not a finite number');
    expect((await encodeFailure(`a,b,y\n${rows}1,1,-1e400\n${rows}`, 'y')).message).toContain('column "y": -Infinity');
    expect((await encodeFailure(`a,y\n${'1e200,1\n-1e200,2\n'.repeat(20)}`, 'y')).message).toContain('too large');
  });
});

describe('a target or column that does not suit', () => {
  const rows = '1,x,1\n2,y,0\n'.repeat(10);

  it('has a wrong name: the nearest is offered', async () => {
    const error = await encodeFailure(`price_usd,kind,sold\n${rows}`, 'Price USD');
    expect(error.code).toBe('PARAGRAD_COLUMN');
    expect(error.message).toContain('did you mean "price_usd"?');
    expect((await encodeFailure(`price,kind,sold\n${rows}`, 'zzzzzzzz')).message).toContain('its columns are "price", "kind", "sold"');
    const path = writeFile(folder, 'names.csv', `price,kind,sold\n${rows}`);
    for (const option of ['category', 'number', 'drop'] as const)
      expect((await failure(openTable(path, { [option]: ['knd'] }))).message).toBe(
        `--${option} "knd": ${path} has no such column; did you mean "kind"?`,
      );
    expect((await failure(openTable(path, { category: ['kind'], drop: ['kind'] }))).code).toBe('PARAGRAD_OPTION');
  });

  it('is missing everywhere, dropped, or has one class, three for two, or too many', async () => {
    expect((await encodeFailure(`a,y\n${'1,\n2,\n'.repeat(10)}`, 'y')).message).toContain('is missing in every row');
    const three = writeFile(folder, 'three.csv', `a,y\n${'1,u\n2,v\n3,w\n'.repeat(10)}`);
    const failed = (options: object) => failure(withTable(three, {}, (table) => encodeTable(table, { target: 'y', ...options })));
    expect((await failed({ model: 'logistic' })).message).toContain('has 3 classes ("u", "v", "w"), and a logistic model needs two');
    expect((await failed({ positive: 'u' })).message).toContain('a softmax model has no positive class');
    const ids = Array.from({ length: 257 }, (_, i) => `1,row ${i}\n`).join('');
    const many = await encodeFailure(`a,y\n${ids}`, 'y');
    expect([many.code, many.message]).toEqual([
      'PARAGRAD_TARGET',
      expect.stringContaining('up to 256 classes: names of rows are no classes'),
    ]);
    expect((await encodeFailure(`a,y\n${'1,u\n2,u\n'.repeat(10)}`, 'y')).message).toContain('only one value');
    const path = writeFile(folder, 'drop.csv', `a,b,y\n${rows}`);
    expect((await failure(withTable(path, {}, (table) => encodeTable(table, { target: 'y', drop: ['y'] })))).message).toContain(
      'this is the target',
    );
  });

  it('has decimal commas: said, and how they are to be written', async () => {
    const rows = Array.from({ length: 50 }, (_, i) => `${i};${i % 7},${i % 10};k${i % 3},5;1.${i % 5}`).join('\n');
    const path = writeFile(folder, 'commas.csv', `y;spend;code;rate\n${rows}\n`);
    const hints = async (options: object) => {
      const { schema } = await withTable(path, options, (table) => encodeTable(table, { target: 'y', ...options }));
      return schema.columns.flatMap(({ hint }) => hint ?? []);
    };
    const said = /^column "spend" holds numbers with decimal commas \("\d,\d"\), so it is text: write them with points$/;
    expect(await hints({})).toEqual([expect.stringMatching(said)]);
    expect(await hints({ category: ['spend'] })).toEqual([]);
    expect(await hints({ drop: ['spend'] })).toEqual([]);
    const error = await failure(openTable(path, { number: ['spend'] }));
    expect(error.message).toContain('column "spend": "0,0" is not a number: decimals are written with a point (0.0)');
  });

  it('has a few texts among numbers: said, and how they are read as missing', async () => {
    const rows = Array.from({ length: 300 }, (_, i) => `${i},${i === 290 ? 'NA' : i / 8},${i % 4 === 0 ? 'x' : i}`).join('\n');
    const path = writeFile(folder, 'na.csv', `y,b,mixed\n${rows}\n`);
    const schemaWith = async (options: object) =>
      (await withTable(path, options, (table) => encodeTable(table, { target: 'y', ...options }))).schema.columns;
    const hints = async (options: object) => (await schemaWith(options)).flatMap(({ hint }) => hint ?? []);
    expect(await hints({})).toEqual([
      expect.stringMatching(/^column "b" holds numbers but for values such as "NA", so it is text: --number "b"/),
    ]);
    expect(await hints({ category: ['b'] })).toEqual([]);
    expect(await hints({ number: ['b'], badRows: 'impute' })).toEqual([]);
    expect((await schemaWith({ number: ['b'], badRows: 'impute' }))[1]).toMatchObject({ kind: 'number', role: 'feature' });
    const error = await failure(withTable(path, {}, (table) => encodeTable(table, { target: 'b' })));
    expect(error.message).toContain('nearly all are numbers: --number "b" --bad-rows skip');
  });

  it('needs options in range', async () => {
    const path = writeFile(folder, 'range.csv', `a,b,y\n${rows}`);
    const fail = (options: object) => failure(withTable(path, {}, (table) => encodeTable(table, { target: 'y', ...options })));
    for (const options of [
      { validationFraction: 1 },
      { validationFraction: Number.NaN },
      { seed: -1 },
      { chunkRows: 17 },
      { blockColumns: 0 },
      { positive: 'maybe' },
    ])
      expect((await fail(options)).code).toBe('PARAGRAD_OPTION');
    expect((await fail({ validationFraction: 0.999999 })).message).toContain('none of its 20 rows is a training row');
    expect((await fail({ model: 'linear', positive: '1' })).message).toContain('is numeric');
    expect((await failure(withTable(path, {}, (table) => encodeTable(table, { target: 'b', model: 'linear' })))).message).toContain(
      'needs a number',
    );
    expect(
      (
        await failure(
          withTable(writeFile(folder, 'r3.csv', `a,y\n${'1,1\n2,2\n3,3\n'.repeat(9)}`), {}, (table) =>
            encodeTable(table, { target: 'y', model: 'logistic' }),
          ),
        )
      ).message,
    ).toContain('two classes');
  });

  it('stops when aborted', async () => {
    const path = writeFile(folder, 'abort.csv', `a,b,y\n${rows}`);
    const reason = new Error('enough');
    await expect(withTable(path, {}, (table) => encodeTable(table, { target: 'y', signal: AbortSignal.abort(reason) }))).rejects.toBe(
      reason,
    );
  });
});
