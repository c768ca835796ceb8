import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const PROGRAMS: Record<string, RegExp> = {
  'train-from-arrays.ts': /^(.* R² 0\.9997\d\d +\d+ passes +[0-9a-f]{16}\n){4}the same bits every time\n$/,
  'stop-and-predict.ts': /^2336 rows, 307 columns\nended: aborted; loss \d+ % .*\nthe dearest house.*: row \d+, \d+ dollars\n$/,
};

/** Run by the tests of that engine, on its cluster. */
const ON_CLUSTERS = ['train-on-ray.ts'];

describe('examples', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'paragrad-examples-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('all are run here, and named in the README', () => {
    const files = readdirSync(join(ROOT, 'examples'));
    expect(files.filter((name) => /\.m?[jt]s$/.test(name)).sort()).toEqual([...Object.keys(PROGRAMS), ...ON_CLUSTERS].sort());
    const readme = readFileSync(join(ROOT, 'examples/README.md'), 'utf8');
    for (const file of files.filter((name) => name !== 'README.md')) expect(readme).toContain(`](${file})`);
  });

  it.each(Object.entries(PROGRAMS))('%s', (program, output) => {
    const args = [join(ROOT, 'scripts/run-ts.mjs'), join('examples', program), join(folder, 'model')];
    const { stdout, stderr, status } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    expect(stdout).toMatch(output);
  });
});
