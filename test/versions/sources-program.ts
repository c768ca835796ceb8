import { join } from 'node:path';
import { prepare, type TrainOptions, train } from '../../src/index.ts';
import { NUMBERS, numbersRow } from './tables.ts';

/**
 * One table in every form that a source may have: bundled, run on each version of Node.js, and printed as one JSON object of the
 * hashes of the weights. Argument: the folder of the files, in which dataset folders are made.
 */
const folder = process.argv[2] ?? '';
const VERSION = process.versions.node;
const FILES = ['csv', 'csv.gz', 'jsonl', 'parquet'] as const;
const OPTIONS = {
  numbers: { target: 'y', chunkRows: 64 },
  mixed: { target: 'answer', weight: 'v', offset: 'o', drop: ['y'], chunkRows: 64 },
} as const satisfies Record<string, TrainOptions>;

const weightsOf = async (...[source, options]: Parameters<typeof train>): Promise<string> =>
  (await train(source, options)).summary.weightsSha256;

const results: Record<string, Record<string, string>> = {};
for (const [name, options] of Object.entries(OPTIONS)) {
  const found: Record<string, string> = {};
  for (const ending of FILES) found[ending] = await weightsOf(join(folder, `${name}.${ending}`), { ...options, engine: 'inline' });
  found.threads = await weightsOf(join(folder, `${name}.parquet`), { ...options, engine: 'threads', workers: 2 });
  const out = join(folder, `${name}-${VERSION}`);
  await prepare(join(folder, `${name}.csv`), { ...options, out });
  found.folder = await weightsOf(out, { engine: 'inline' });
  results[name] = found;
}

const { rows, columns } = NUMBERS;
const all = Array.from({ length: rows }, (_, i) => numbersRow(i));
const y = Float64Array.from(all, (row) => row[columns] as number);
const byRows = { x: Float64Array.from(all.flatMap((row) => row.slice(0, columns))), rows, columns, y };
const byColumns = {
  ...byRows,
  x: Float64Array.from({ length: rows * columns }, (_, i) => (all[i % rows] as number[])[Math.floor(i / rows)] as number),
  layout: 'columns' as const,
};
const { chunkRows } = OPTIONS.numbers;
(results.numbers as Record<string, string>).arrays = await weightsOf(byRows, { chunkRows, engine: 'inline' });
(results.numbers as Record<string, string>).columns = await weightsOf(byColumns, { chunkRows, engine: 'inline' });
console.log(JSON.stringify(results));
