import { createHash } from 'node:crypto';
import { readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type ArrayTask, runArrayTask } from '../../src/data/array-tasks.ts';
import { type EncodeTableOptions, encodeTable } from '../../src/data/encode.ts';
import type { Encoded } from '../../src/data/encoded.ts';
import { openTable } from '../../src/data/open-table.ts';
import type { OpenOptions } from '../../src/data/read-options.ts';
import type { TableSource } from '../../src/data/source-files.ts';
import { INGEST_ROWS } from '../../src/data/table.ts';
import { threads } from '../../src/engines/threads.ts';
import { encodedRows, failure, temporaryFolder, withTable, writeFile, writeParquet } from './helpers.ts';

/** Law: a table that was kept in memory and packed in pieces has the bits of one that was scanned twice. */
const folder = temporaryFolder();
const ROWS = INGEST_ROWS + 3333;

/** Numbers, missing ones, NaN, texts, booleans, constants, a weight and an offset. */
const QUERY = (first: number, rows: number): string =>
  `SELECT CAST(CASE WHEN i % 501 = 0 THEN NULL ELSE sin(i) END AS DOUBLE) AS y, CAST(i % 977 AS DOUBLE) AS a, cos(i) AS b, sqrt(i) AS c,
    ln(i + 1) AS d, CASE WHEN i % 7 = 0 THEN NULL WHEN i % 11 = 0 THEN 'nan'::DOUBLE ELSE i / 3 END AS e,
    CASE WHEN i % 13 = 0 THEN NULL ELSE 't' || (i % 9) END AS t, i % 2 = 0 AS f, 5 AS constant,
    1 + i % 3 AS w, CAST(i % 4 AS DOUBLE) AS o, 'g' || (i % 40) AS g FROM range(${first}, ${first + rows}) r(i)`;

const parquet = await writeParquet(join(folder, 'kept.parquet'), QUERY(0, ROWS));
const later = await writeParquet(join(folder, 'later.parquet'), QUERY(ROWS, 4000));
const numbers = writeFile(
  folder,
  'numbers.csv',
  `${['y,a,b', ...Array.from({ length: ROWS }, (_, i) => `${(i * 37) % 101},${i % 7 === 0 ? '' : i / 8},${i % 3}`)].join('\n')}\n`,
);

function encode(source: TableSource, options: EncodeTableOptions & OpenOptions): Promise<Encoded> {
  return withTable(source, options, (table) => encodeTable(table, options));
}

/** All that training sees, in short: to compare megabytes value by value takes minutes. */
function bytesOf(encoded: Encoded): unknown {
  const { store, trainingRows, validationRows, counts, targetStatistics, encoder } = encoded;
  const hash = (bytes: ArrayBufferView | SharedArrayBuffer): string =>
    createHash('sha256')
      .update(ArrayBuffer.isView(bytes) ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) : new Uint8Array(bytes))
      .digest('hex');
  const segments = store.segments.map(({ buffer }) => hash(buffer as SharedArrayBuffer));
  return { segments, training: hash(trainingRows), validation: hash(validationRows), counts, targetStatistics, encoder };
}

const CASES: [string, TableSource, Partial<EncodeTableOptions>][] = [
  ['numbers and texts, f32', parquet, {}],
  ['f64, small chunks', parquet, { dtype: 'f64', chunkRows: 1024 }],
  ['weights, offsets, an id and a group', parquet, { weight: 'w', offset: 'o', splitBy: 'g' }],
  ['shuffled over all rows', parquet, { shuffle: 'rows', chunkRows: 4096 }],
  ['not shuffled, not standardised', parquet, { shuffle: 'none', standardize: false }],
  ['few levels', parquet, { maxCategories: 3 }],
  ['a second table for validation', parquet, { validationData: later }],
  ['several files', [later, parquet], { chunkRows: 512 }],
  ['several segments', parquet, { segmentBytes: 400_000 }],
  ['a CSV file of numbers', numbers, {}],
];

it.each(CASES)('%s: the same bits as scanned twice', async (_, source, some) => {
  const options = { target: 'y', ...some };
  const twice = await encode(source, { ...options, memoryBytes: 0 });
  expect(twice.counts.rows).toBeGreaterThan(INGEST_ROWS);
  const once = await encode(source, options);
  expect(bytesOf(once)).toEqual(bytesOf(twice));
  const pieces: ArrayTask[] = [];
  const run = (tasks: readonly ArrayTask[]) => {
    pieces.push(...tasks);
    // Whoever is last must not matter.
    const done = [...tasks].reverse().map(runArrayTask).reverse();
    return Promise.resolve(done);
  };
  const many = await encode(source, { ...options, packers: async () => ({ count: 3, run }) });
  expect(pieces.length).toBeGreaterThan(3);
  expect(bytesOf(many)).toEqual(bytesOf(twice));
});

it('is scanned twice where there is no room for the values beside what they become', async () => {
  const levels = await writeParquet(
    join(folder, 'levels.parquet'),
    `SELECT CAST(i % 17 AS DOUBLE) AS y, 'a' || (i % 200) AS a, 'b' || (i % 190) AS b FROM range(3000) r(i)`,
  );
  const scansOf = async (memoryBytes: number): Promise<[number, unknown]> => {
    let scans = 0;
    const encoded = await withTable(levels, {}, (table) => {
      const scan: typeof table.scan = (...given) => {
        scans += 1;
        return table.scan(...given);
      };
      return encodeTable({ ...table, scan }, { target: 'y', memoryBytes });
    });
    return [scans, bytesOf(encoded)];
  };
  // Kept: 3 × 8 bytes a row, of which a quarter of the memory has room; encoded: 390 × 4.
  const [once, bits] = await scansOf(3000 * 2000 * 2);
  expect(once).toBe(1);
  const [twice, same] = await scansOf(3000 * 200);
  expect(twice).toBe(2);
  expect(same).toEqual(bits);
});

it('threads pack a kept table to the same bits', async () => {
  const session = threads.open(2);
  try {
    const packers = async () => ({ count: session.workers, run: (tasks: readonly ArrayTask[]) => session.run(tasks) });
    const options = { target: 'y', weight: 'w', chunkRows: 2048 };
    expect(bytesOf(await encode(parquet, { ...options, packers }))).toEqual(bytesOf(await encode(parquet, options)));
  } finally {
    await session.close();
  }
});

it('names the row of a value that cannot be stored, kept or not', async () => {
  const infinite = await writeParquet(
    join(folder, 'infinite.parquet'),
    `SELECT i AS y, CASE WHEN i = ${INGEST_ROWS + 7} THEN 'inf'::DOUBLE ELSE i END AS a FROM range(${ROWS}) r(i)`,
  );
  for (const memoryBytes of [0, undefined]) {
    const error = await failure(encode(infinite, { target: 'y', memoryBytes }));
    expect(error.code).toBe('PARAGRAD_VALUE');
    expect(error.message).toContain(`data row ${(INGEST_ROWS + 8).toLocaleString('en-US')}, column "a"`);
  }
});

it('a CSV file of numbers is read once, and again when it is scanned again', async () => {
  // A time of whole milliseconds can be given back.
  utimesSync(numbers, 1e9, 1e9);
  const table = await openTable(numbers);
  try {
    const scan = async (): Promise<number[]> => {
      const sums: number[] = [];
      for await (const { columns, rows } of table.scan([1]))
        if (columns[0]?.kind === 'number') sums.push(columns[0].values.subarray(0, rows).reduce((sum, value) => sum + value, 0));
      return sums;
    };
    const text = readFileSync(numbers, 'utf8');
    const modified = statSync(numbers).mtime;
    // The first scan has no need of the file.
    writeFileSync(numbers, text.replaceAll('.', '9'));
    const first = await scan();
    expect(first.length).toBe(2);
    expect((await failure(scan())).message).toContain('changed while it was read');
    writeFileSync(numbers, text);
    utimesSync(numbers, modified, modified);
    expect(await scan()).toEqual(first);
    writeFileSync(numbers, text.slice(0, text.lastIndexOf('\n', text.length - 2) + 1));
    expect((await failure(scan())).message).toContain('changed while it was read');
    rmSync(numbers);
    expect((await failure(scan())).message).toContain('was removed while it was read');
    writeFileSync(numbers, text);
  } finally {
    table.close();
  }
});

it('rows of kept tables are found by their row numbers', async () => {
  const encoded = await encode(numbers, { target: 'y', standardize: false, dtype: 'f64', chunkRows: 256 });
  const rows = encodedRows(encoded);
  for (const row of [0, 1, 7, 256, INGEST_ROWS - 1, INGEST_ROWS, ROWS - 1]) {
    const missing = row % 7 === 0;
    expect(rows.get(row)?.x).toEqual([missing ? 0 : row / 8, missing ? 1 : 0, row % 3]);
    expect(rows.get(row)?.y).toBe((row * 37) % 101);
  }
});
