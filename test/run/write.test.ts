import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NumberValues } from '../../src/data/table.ts';
import { type OutColumn, type OutValues, type RowFormat, rowEncoder, rowFormat } from '../../src/data/write/row-format.ts';
import { ParagradError } from '../../src/errors.ts';
import { writeWhole } from '../../src/run/out-file.ts';
import { rowsOf, temporaryFolder, withTable } from '../data/helpers.ts';

const folder = temporaryFolder();

/** The bytes of a file, its rows handed over in pieces of `piece`. */
function bytesOf(format: RowFormat, columns: readonly OutColumn[], values: readonly OutValues[], rows: number, piece: number): Buffer {
  const encoder = rowEncoder(format, columns);
  const parts: Uint8Array[] = [];
  for (let first = 0; first < rows; first += piece) {
    const count = Math.min(piece, rows - first);
    parts.push(
      ...encoder.rows(
        values.map((all) => all.slice(first, first + count)),
        count,
      ),
    );
  }
  return Buffer.concat([...parts, ...encoder.end()]);
}

const COLUMNS: OutColumn[] = [
  { name: 'row', kind: 'integer' },
  { name: 'a "number", ü', kind: 'number' },
  { name: 't', kind: 'text' },
];

describe('files that are written', () => {
  it.each(['csv', 'parquet'] as const)('%s reads back, whatever the rows and however they are cut', async (format) => {
    const text = fc.constantFrom('a', 'b', 'c,"d"', 'ü\nx', 'long text of more than twelve bytes');
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.double({ noNaN: true, noDefaultInfinity: true }), text), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 9 }),
        async (rows, piece) => {
          const values = [Float64Array.from(rows.keys()), Float64Array.from(rows, ([x]) => x), rows.map(([, t]) => t)];
          const bytes = bytesOf(format, COLUMNS, values, rows.length, piece);
          expect(bytes.equals(bytesOf(format, COLUMNS, values, rows.length, 1000))).toBe(true);
          const path = join(folder, `any.${format}`);
          await writeWhole(path, [bytes]);
          const found = await rowsOf(path, { category: ['t'] });
          expect(found.names).toEqual(COLUMNS.map(({ name }) => name));
          // In CSV −0 stays −0, but a reader may take the column for whole numbers.
          expect(found.rows).toEqual(rows.map(([x, t], i) => [i, x === 0 ? expect.closeTo(0, 300) : x, t]));
        },
      ),
      { numRuns: 12 },
    );
  });

  it('parquet has row groups, and no row is lost between them', async () => {
    const rows = 2100;
    const columns: OutColumn[] = [...Array.from({ length: 4096 }, (_, j) => ({ name: `c${j}`, kind: 'number' as const }))];
    const values = columns.map((_, j) => Float64Array.from({ length: rows }, (__, i) => i * 5000 + j));
    const path = join(folder, 'wide.parquet');
    await writeWhole(path, [bytesOf('parquet', columns, values, rows, 777)]);
    // Of all rows the outermost columns.
    const found: number[][] = [];
    await withTable(path, {}, async (table) => {
      expect(table.columns).toHaveLength(columns.length);
      for await (const batch of table.scan([0, 4095]))
        for (let i = 0; i < batch.rows; i += 1) found.push(batch.columns.map((column) => (column as NumberValues).values[i] as number));
    });
    expect(found).toEqual(Array.from({ length: rows }, (_, i) => [i * 5000, i * 5000 + 4095]));
  });

  it('have the bytes of their formats', () => {
    const values = [Float64Array.from([0, 1]), Float64Array.from([0.1, -1e-7]), ['x "y"', 'z']];
    expect(bytesOf('csv', COLUMNS, values, 2, 1).toString()).toBe('row,"a ""number"", ü",t\n0,0.1,"x ""y"""\n1,-1e-7,z\n');
    expect(bytesOf('jsonl', COLUMNS, values, 2, 1).toString()).toBe(
      '{"row":0,"a \\"number\\", ü":0.1,"t":"x \\"y\\""}\n{"row":1,"a \\"number\\", ü":-1e-7,"t":"z"}\n',
    );
    expect(bytesOf('csv', COLUMNS, [], 0, 1).toString()).toBe('row,"a ""number"", ü",t\n');
    expect(bytesOf('jsonl', COLUMNS, [], 0, 1).toString()).toBe('');
    expect(bytesOf('parquet', COLUMNS, [], 0, 1).subarray(0, 4).toString()).toBe('PAR1');
  });

  it.each([
    ['x.csv', undefined, 'csv'],
    ['x.JSONL', undefined, 'jsonl'],
    ['x.ndjson', undefined, 'jsonl'],
    ['a.b/x.parquet', undefined, 'parquet'],
    ['x', undefined, 'csv'],
    ['x.xlsx', 'parquet', 'parquet'],
    [undefined, undefined, 'csv'],
    [undefined, 'jsonl', 'jsonl'],
  ])('%s with --format %s is %s', (file, asked, format) => {
    expect(rowFormat(file, asked)).toBe(format);
  });

  it.each([
    ['x.xlsx', undefined, '--out'],
    ['x.csv', 'xml', '--format'],
    ['x.csv', 'toString', '--format'],
  ])('%s with --format %s is refused', (file, asked, option) => {
    expect(() => rowFormat(file, asked)).toThrow(ParagradError);
    expect(() => rowFormat(file, asked)).toThrow(option);
  });

  it('appear whole or not at all', async () => {
    const path = join(folder, 'whole.csv');
    await writeWhole(path, [Buffer.from('old')]);
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(3_000_000);
      throw new Error('the source broke');
    }
    await expect(writeWhole(path, broken())).rejects.toThrow('the source broke');
    expect(readFileSync(path, 'utf8')).toBe('old');
    await expect(writeWhole(join(folder, 'no/such/folder.csv'), [])).rejects.toMatchObject({ code: 'PARAGRAD_OUT' });
    expect(await writeWhole(path, [Buffer.from('abc')])).toEqual({
      bytes: 3,
      sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    });
  });
});
