import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { literal, openDuck } from '../../src/data/duckdb.ts';
import { mixedCsv } from '../dataset/tables.ts';
import { describeWith } from '../support/components.ts';
import { runOn, withBundle } from '../support/versions.ts';
import { NUMBERS, numbersRow } from './tables.ts';

/** Law: the same table gives the same weights, from every kind of source, on every version of Node.js. */
const PROGRAM = resolve(import.meta.dirname, 'sources-program.ts');
const MIXED_ROWS = 3000;
let folder = '';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'paragrad-sources-'));
  const names = Array.from({ length: NUMBERS.columns }, (_, j) => `x${j}`);
  const rows = Array.from({ length: NUMBERS.rows }, (_, i) => numbersRow(i).join(','));
  const texts = { numbers: `${[...names, 'y'].join(',')}\n${rows.join('\n')}\n`, mixed: mixedCsv(MIXED_ROWS) };
  const duck = await openDuck();
  try {
    for (const [name, text] of Object.entries(texts)) {
      const file = join(folder, name);
      writeFileSync(`${file}.csv`, text);
      writeFileSync(`${file}.csv.gz`, gzipSync(text));
      const table = `SELECT * FROM read_csv(${literal(`${file}.csv`)}, nullstr='')`;
      await duck.run(`COPY (${table}) TO ${literal(`${file}.jsonl`)} (FORMAT json)`);
      await duck.run(`COPY (${table}) TO ${literal(`${file}.parquet`)} (FORMAT parquet)`);
    }
  } finally {
    duck.close();
  }
});

afterAll(() => rmSync(folder, { recursive: true }));

/** Weights by kind of source, on one version. */
type Weights = Readonly<Record<'numbers' | 'mixed', Readonly<Record<string, string>>>>;
const on = (node: string): Promise<Weights> => withBundle(PROGRAM, (file) => runOn<Weights>(node, file, [folder]), 'package');

for (const component of ['node22', 'node24'] as const)
  describeWith(component, `sources on ${component}`, (node) => {
    it('give the bits of every other source, and of this version', async () => {
      const here = await on(process.execPath);
      expect(Object.keys(here.numbers)).toEqual(['csv', 'csv.gz', 'jsonl', 'parquet', 'threads', 'folder', 'arrays', 'columns']);
      for (const weights of Object.values(here)) expect(new Set(Object.values(weights)).size).toBe(1);
      rmSync(join(folder, `numbers-${process.versions.node}`), { recursive: true });
      rmSync(join(folder, `mixed-${process.versions.node}`), { recursive: true });
      expect(await on(node)).toEqual(here);
    });
  });
