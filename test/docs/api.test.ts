import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shows } from './console.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const PAGE = readFileSync(join(ROOT, 'docs/api.md'), 'utf8');
/** Programs, each with what it prints. */
const PROGRAMS = [...PAGE.matchAll(/^```ts\n([\s\S]*?)^```\n\n```text\n([\s\S]*?)^```/gm)].map(
  ([, text, output], i) => [i + 1, text as string, output as string] as const,
);

describe('docs/api.md', () => {
  // At the depth of dist/cli/main.js, so that they find the worker.
  const bundles = join(ROOT, `dist/api-test-${process.pid}`);
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'paragrad-api-'));
    cpSync(join(ROOT, 'examples'), join(folder, 'examples'), { recursive: true });
  });
  afterAll(() => {
    rmSync(bundles, { recursive: true, force: true });
    rmSync(folder, { recursive: true, force: true });
  });

  it('shows what each of its programs prints', () => {
    expect(PROGRAMS).toHaveLength((PAGE.match(/^```ts$/gm) ?? []).length);
  });

  // In the order of the page: later ones use what earlier ones saved.
  it.each(PROGRAMS)('program %i runs and prints what is shown', async (i, text, output) => {
    const source = join(folder, `program-${i}.ts`);
    const outfile = join(bundles, `program-${i}.mjs`);
    writeFileSync(source, text);
    const options = { bundle: true, platform: 'node', format: 'esm', target: 'node20', absWorkingDir: ROOT } as const;
    const external = ['@duckdb/*', 'ws'];
    await build({ entryPoints: [source], outfile, alias: { paragrad: join(ROOT, 'src/index.ts') }, external, ...options });
    const { stdout, stderr, status } = spawnSync(process.execPath, [outfile], { cwd: folder, encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    if (!shows(output, stdout)) expect(stdout).toBe(output);
  });
});
