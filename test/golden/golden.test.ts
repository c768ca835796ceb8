import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { goldenHashes } from './program.ts';

/**
 * Bits of results, fixed: a change of any of them is a new numericsVersion and a line in CHANGELOG.md. The file is made by
 * `npm run golden`.
 */
test('weights have the golden bits', async () => {
  const golden = JSON.parse(readFileSync(resolve(import.meta.dirname, 'weights.json'), 'utf8')) as Record<string, string>;
  expect(await goldenHashes()).toEqual(golden);
});
