import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { literal, openDuck } from '../../src/data/duckdb.ts';
import type { Encoded } from '../../src/data/encoded.ts';
import { encodedWidth } from '../../src/data/encoder.ts';
import { openTable } from '../../src/data/open-table.ts';
import type { OpenOptions } from '../../src/data/read-options.ts';
import type { TableSource } from '../../src/data/source-files.ts';
import { indexOf, viewsOf } from '../../src/data/store.ts';
import type { Table } from '../../src/data/table.ts';
import { ParagradError } from '../../src/errors.ts';

/** A folder that is removed after the file's tests. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'paragrad-test-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function writeFile(folder: string, name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

export async function writeParquet(path: string, query: string): Promise<string> {
  const duck = await openDuck();
  await duck.run(`COPY (${query}) TO ${literal(path)} (FORMAT parquet)`);
  duck.close();
  return path;
}

/** All rows of a table as values: number, string or null. */
export async function rowsOf(
  path: string,
  options: OpenOptions = {},
): Promise<{ names: string[]; kinds: string[]; rows: (number | string | null)[][] }> {
  const table = await openTable(path, options);
  try {
    const scanned = table.columns.flatMap((column, i) => (column.kind === 'other' || options.drop?.includes(column.name) ? [] : [i]));
    const rows: (number | string | null)[][] = [];
    for await (const batch of table.scan(scanned))
      for (let i = 0; i < batch.rows; i += 1)
        rows.push(
          batch.columns.map((column) => {
            if (column.kind === 'text')
              return (column.codes[i] as number) < 0 ? null : (column.dictionary[column.codes[i] as number] as string);
            return column.missing?.[i] === 1 ? null : (column.values[i] as number);
          }),
        );
    return { names: table.columns.map((c) => c.name), kinds: table.columns.map((c) => c.kind), rows };
  } finally {
    table.close();
  }
}

export async function withTable<T>(path: TableSource, options: OpenOptions, work: (table: Table) => Promise<T>): Promise<T> {
  const table = await openTable(path, options);
  try {
    return await work(table);
  } finally {
    table.close();
  }
}

/** Encoded rows by source row number. */
export function encodedRows(encoded: Encoded): Map<number, { x: number[]; y: number; v: number; set: 'training' | 'validation' }> {
  const found = new Map<number, { x: number[]; y: number; v: number; set: 'training' | 'validation' }>();
  const width = encodedWidth(encoded.encoder);
  for (const [name, set, rows] of [
    ['training', encoded.store.training, encoded.trainingRows],
    ['validation', encoded.store.validation, encoded.validationRows],
  ] as const)
    for (let chunk = 0; chunk < set.layout.chunks; chunk += 1) {
      const views = viewsOf(encoded.store, set, chunk);
      for (let i = 0; i < views.rows; i += 1) {
        const x = Array.from({ length: width }, (_, j) => views.x[indexOf(set.layout, i, j)] as number);
        found.set(rows[chunk * set.layout.chunkRows + i] as number, { x, y: views.y[i] as number, v: views.v[i] as number, set: name });
      }
    }
  return found;
}

/** The ParagradError that a promise is rejected with. */
export async function failure(promise: Promise<unknown>): Promise<ParagradError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ParagradError)) throw new Error(`not a ParagradError: ${String(error)}`);
  return error;
}
