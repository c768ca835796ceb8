import { rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type FittedModel, loadModel, predict, train } from '../../../../src/index.ts';

/**
 * A model of several classes in today's format, kept like the files beside it. Made anew only for a format that no release has
 * written yet: `node scripts/run-ts.mjs test/golden/formats/softmax/program.ts --write`.
 */
export const TABLE = 'table.csv';

/** What reading the model must give. */
export interface Expected {
  readonly weightsSha256: string;
  readonly labels: readonly string[];
  /** z of every class, row after row of the table. */
  readonly z: readonly number[];
}

/** z of every class at every row of the table. */
export async function margins(model: FittedModel): Promise<number[]> {
  const run = await predict(model, TABLE);
  const all: number[] = [];
  try {
    for await (const { rows, classes } of run.blocks)
      for (let i = 0; i < rows; i += 1) all.push(...(classes?.z ?? []).map((values) => values[i] as number));
  } finally {
    run.close();
  }
  return all;
}

async function write(): Promise<void> {
  process.chdir(resolve('test/golden/formats/softmax'));
  const kinds = ['Erle', 'ahorn', 'ölbaum'];
  const rows = Array.from({ length: 60 }, (_, i) => `${(i * 37) % 23},${i % 4 === 0 ? 'wet' : 'dry'},${kinds[(i * i + (i % 4)) % 3]}`);
  writeFileSync(TABLE, `height,soil,kind\n${rows.join('\n')}\n`);
  const { summary } = await train(TABLE, { target: 'kind', out: 'model', force: true, engine: 'inline' });
  // Where it was trained, and how long that took, is nobody's business.
  for (const name of ['config.json', 'events.jsonl', 'validation.json']) rmSync(join('model', name), { force: true });
  const model = await loadModel('model');
  const expected: Expected = { weightsSha256: summary.weightsSha256, labels: model.labels, z: await margins(model) };
  writeFileSync('expected.json', `${JSON.stringify(expected, null, 1)}\n`);
}

if (process.argv[2] === '--write') await write();
