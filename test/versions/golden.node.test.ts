import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { describeWith } from '../support/components.ts';
import { runOn, withBundle } from '../support/versions.ts';

const PROGRAM = resolve(import.meta.dirname, '../golden/program.ts');
const GOLDEN = resolve(import.meta.dirname, '../golden/weights.json');

for (const component of ['node22', 'node24'] as const)
  describeWith(component, `golden weights on ${component}`, (node) => {
    it('are those of every version', async () => {
      const found = await withBundle(PROGRAM, (file) => runOn<Record<string, string>>(node, file, ['--print']));
      expect(found).toEqual(JSON.parse(readFileSync(GOLDEN, 'utf8')));
    });
  });
