import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { describeWith } from '../support/components.ts';
import { runOn, withBundle } from '../support/versions.ts';

const PROGRAM = resolve(import.meta.dirname, 'program.ts');

for (const component of ['node22', 'node24'] as const)
  describeWith(component, `arithmetic on ${component}`, (node) => {
    it('gives the bits of this version', async () => {
      const [here, there] = await withBundle(PROGRAM, (file) =>
        [process.execPath, node].map((binary) => runOn<Record<string, string>>(binary, file)),
      );
      expect(Object.keys(here as object).length).toBeGreaterThanOrEqual(15);
      expect(there).toEqual(here);
    });
  });
