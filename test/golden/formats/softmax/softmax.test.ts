import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadModel } from '../../../../src/index.ts';
import { type Expected, margins, TABLE } from './program.ts';

test('a kept model of several classes is read, to the bit', async () => {
  const before = process.cwd();
  process.chdir(import.meta.dirname);
  try {
    const expected = JSON.parse(readFileSync('expected.json', 'utf8')) as Expected;
    const model = await loadModel(join(import.meta.dirname, 'model'));
    expect(model.weightsSha256).toBe(expected.weightsSha256);
    expect(model.labels).toEqual(expected.labels);
    const rows = readFileSync(TABLE, 'utf8').trimEnd().split('\n').length - 1;
    expect(expected.z.length).toBe(rows * expected.labels.length);
    expect(await margins(model)).toEqual(expected.z);
  } finally {
    process.chdir(before);
  }
});
