import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import type { Expected } from '../golden/formats/program.ts';
import { describeWith } from '../support/components.ts';
import { runOn, withBundle } from '../support/versions.ts';

const FORMATS = resolve(import.meta.dirname, '../golden/formats');

for (const component of ['node22', 'node24'] as const)
  describeWith(component, `a dataset on ${component}`, (node) => {
    it('trains to the same bits, without DuckDB', async () => {
      const expected = JSON.parse(readFileSync(join(FORMATS, 'expected.json'), 'utf8')) as Expected;
      const found = await withBundle(join(FORMATS, 'program.ts'), (file) => runOn(node, file, ['--train', join(FORMATS, 'dataset')]));
      expect(found).toBe(expected.trainedFromDataset);
    });
  });
