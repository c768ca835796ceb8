import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { spool } from '../../src/data/spool.ts';
import { type ArraySource, type TableSource, type TrainOptions, train } from '../../src/index.ts';
import { normal, uniform } from '../../src/random.ts';
import { prepare } from '../../src/run/prepare.ts';
import { temporaryFolder, writeFile, writeParquet } from '../data/helpers.ts';

/** Law: the same table gives the same bits, however it is stored. */
const folder = temporaryFolder();
const ROWS = 700;
const OPTIONS = { target: 'y', chunkRows: 64 } as const;

async function hashes(sources: Record<string, TableSource | ArraySource>, options: TrainOptions): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const [name, source] of Object.entries(sources)) {
    const { summary } = await train(source, options);
    expect(summary.plan.chunks).toBeGreaterThanOrEqual(8);
    found[name] = summary.weightsSha256;
  }
  return found;
}

/** The same CSV text in every form that a file can have. */
async function forms(name: string, csv: string, records: readonly object[]): Promise<Record<string, TableSource>> {
  const [header, ...lines] = csv.trimEnd().split('\n');
  const part = (k: number, rows: string[]): string => writeFile(folder, `${name}-part${k}.csv`, `${header}\n${rows.join('\n')}\n`);
  const jsonl = records.map((record) => `${JSON.stringify(record)}\n`).join('');
  const file = writeFile(folder, `${name}.csv`, csv);
  part(1, lines.slice(0, 300));
  part(2, lines.slice(300, 301));
  part(3, lines.slice(301));
  return {
    csv: file,
    semicolons: writeFile(folder, `${name}.txt`, csv.replaceAll(',', ';')),
    gzip: writeFile(folder, `${name}.csv.gz`, gzipSync(csv)),
    parquet: await writeParquet(join(folder, `${name}.parquet`), `SELECT * FROM read_csv('${file}')`),
    jsonl: writeFile(folder, `${name}.jsonl`, jsonl),
    'jsonl.gz': writeFile(folder, `${name}.jsonl.gz`, gzipSync(jsonl)),
    parts: join(folder, `${name}-part*.csv`),
    list: [3, 1, 2].map((k) => join(folder, `${name}-part${k}.csv`)),
    input: (await spool(createReadStream(file))).path,
  };
}

describe.each(['f32', 'f64'] as const)('the same bits from every source (%s)', (dtype) => {
  it('of numbers, arrays included', async () => {
    const y = Float64Array.from({ length: ROWS }, (_, i) => normal(5, 'test', i) * 100);
    const x = Float64Array.from({ length: ROWS * 3 }, (_, i) =>
      i % 3 === 0 ? Math.floor(uniform(5, 'test', i, 1) * 1000) : normal(5, 'test', i, 2),
    );
    const row = (i: number): number[] => [...x.subarray(i * 3, i * 3 + 3)];
    const csv = `x0,x1,x2,y\n${Array.from(y, (value, i) => [...row(i), value].join(',')).join('\n')}\n`;
    const records = Array.from(y, (value, i) => ({ x0: x[i * 3], x1: x[i * 3 + 1], x2: x[i * 3 + 2], y: value }));
    const arrays = { x, y, rows: ROWS, columns: 3 };
    const byColumns = x.map((_, i) => x[(i % ROWS) * 3 + Math.floor(i / ROWS)] as number);
    const shared = new Float64Array(new SharedArrayBuffer(byColumns.byteLength));
    shared.set(byColumns);
    const files = await forms(`numbers-${dtype}`, csv, records);
    const sources = {
      ...files,
      rows: arrays,
      columns: { ...arrays, x: byColumns, layout: 'columns' as const },
      shared: { ...arrays, x: shared, layout: 'columns' as const },
    };
    const dataset = join(folder, `dataset-${dtype}`);
    await prepare(files['jsonl.gz'] as TableSource, { ...OPTIONS, dtype, out: dataset });
    const found = { ...(await hashes(sources, { ...OPTIONS, dtype })), ...(await hashes({ dataset }, {})) };
    expect(found).toEqual(Object.fromEntries(Object.keys(found).map((name) => [name, found.csv])));
  });

  it('of categories, booleans, dates and missing values, with weights and offsets', async () => {
    const records = Array.from({ length: ROWS }, (_, i) => ({
      y: i % 3 === 0 ? 'yes' : 'no',
      city: i % 17 === 4 ? null : (['Oslo', 'Zürich', '東京', 'São Paulo'][(i * i) % 4] as string),
      open: i % 19 === 2 ? null : i % 2 === 0,
      day: i % 23 === 1 ? null : `20${10 + (i % 9)}-0${1 + (i % 7)}-11`,
      size: i % 13 === 5 ? null : Math.round(normal(6, 'test', i) * 1000) / 8,
      w: i % 5,
      o: (i % 7) / 4,
    }));
    const lines = records.map((record) =>
      Object.values(record)
        .map((value) => value ?? '')
        .join(','),
    );
    const csv = `${Object.keys(records[0] as object).join(',')}\n${lines.join('\n')}\n`;
    const options = { ...OPTIONS, dtype, weight: 'w', offset: 'o' } as const;
    const found = await hashes(await forms(`mixed-${dtype}`, csv, records), options);
    expect(found).toEqual(Object.fromEntries(Object.keys(found).map((name) => [name, found.csv])));
    const skipping = await hashes({ csv: join(folder, `mixed-${dtype}.csv`) }, { ...options, badRows: 'skip' });
    expect(skipping.csv).toBe(found.csv);
  });
});
