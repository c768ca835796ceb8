import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { loadModel, predict, prepare, train } from '../../../src/index.ts';
import { mixedCsv } from '../../dataset/tables.ts';

/**
 * A dataset and a model in today's formats, from one small table. The files are kept: later versions must read them. Made anew
 * only for a format that no release has written yet: `node scripts/run-ts.mjs test/golden/formats/program.ts --write`.
 */
export const TABLE = 'table.csv';
export const ENCODING = { target: 'answer', weight: 'v', offset: 'o', drop: ['y'], chunkRows: 16, shardBytes: 6000 } as const;

/** What reading the files must give. */
export interface Expected {
  readonly trainedFromDataset: string;
  readonly weightsSha256: string;
  /** Predictor of the table's rows. */
  readonly z: readonly number[];
}

/** Predictor of every row of the table, by the model in a folder. */
export async function predictors(folder: string): Promise<number[]> {
  const run = await predict(await loadModel(folder), TABLE);
  const z: number[] = [];
  try {
    for await (const block of run.blocks) z.push(...block.z);
  } finally {
    run.close();
  }
  return z;
}

async function write(): Promise<void> {
  process.chdir(resolve('test/golden/formats'));
  writeFileSync(TABLE, mixedCsv(120));
  await prepare(TABLE, { ...ENCODING, out: 'dataset', force: true });
  const { shardBytes: _, ...encoding } = ENCODING;
  const { summary } = await train(TABLE, { ...encoding, out: 'model', force: true, engine: 'inline' });
  // Where it was trained, and how long that took, is nobody's business.
  for (const name of ['config.json', 'events.jsonl']) rmSync(join('model', name), { force: true });
  const { summary: again } = await train('dataset', { engine: 'inline' });
  const expected: Expected = {
    trainedFromDataset: again.weightsSha256,
    weightsSha256: summary.weightsSha256,
    z: await predictors('model'),
  };
  writeFileSync('expected.json', `${JSON.stringify(expected, null, 1)}\n`);
  console.log(readFileSync('expected.json', 'utf8').slice(0, 200));
}

/** Hash of the weights after training on the dataset in a folder. */
async function trained(folder: string): Promise<string> {
  return (await train(folder, { engine: 'inline' })).summary.weightsSha256;
}

const [, , command, folder = ''] = process.argv;
if (command === '--write') await write();
if (command === '--train') console.log(JSON.stringify(await trained(folder)));
