import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { commandLinePage } from './markdown.ts';

it('docs/cli.md says what the commands say (npx vitest run test/cli/docs.test.ts -u writes it)', async () => {
  await expect(commandLinePage()).toMatchFileSnapshot(resolve(import.meta.dirname, '../../docs/cli.md'));
});
