// What users would install: packs the built project, then publint (does package.json tell the truth?), attw (do the types
// resolve?) and a list of what must be inside and what must not.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const MUST_HAVE = [
  'dist/index.js',
  'dist/index.d.ts',
  'dist/cli/main.js',
  'dist/worker.mjs',
  'README.md',
  'CHANGELOG.md',
  'LICENSE',
  'package.json',
];
const MAY_HAVE = /^(dist\/|README(\.[\w-]+)?\.md$|CHANGELOG\.md$|LICENSE$|package\.json$)/;
const MAX_PACKED_BYTES = 2 * 1024 * 1024;

const shell = process.platform === 'win32';
const tool = (name, args) =>
  spawnSync(path.join(ROOT, 'node_modules/.bin', name), args, { cwd: ROOT, stdio: 'inherit', shell }).status === 0;

const problems = [];
const folder = mkdtempSync(path.join(tmpdir(), 'paragrad-package-'));
try {
  for (const file of MUST_HAVE) if (!existsSync(path.join(ROOT, file))) problems.push(`${file} is missing (npm run build)`);
  const pack = spawnSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
    cwd: ROOT,
    encoding: 'utf8',
    shell,
  });
  if (pack.status !== 0) throw new Error(pack.stderr);
  const output = JSON.parse(pack.stdout);
  const { filename, files, size } = Array.isArray(output) ? output[0] : Object.values(output)[0];
  const tarball = path.join(folder, filename);
  const packed = files.map((file) => file.path);
  for (const file of MUST_HAVE) if (!packed.includes(file)) problems.push(`${file} is not in the package`);
  for (const file of packed) if (!MAY_HAVE.test(file)) problems.push(`${file} should not be in the package`);
  for (const file of packed.filter((name) => /\.m?js$/.test(name) && name !== 'dist/worker.mjs')) {
    const source = file.replace(/^dist\//, 'src/').replace(/\.m?js$/, '.ts');
    if (!existsSync(path.join(ROOT, source))) problems.push(`${file} is a leftover: there is no ${source} (delete dist and build again)`);
  }
  if (size > MAX_PACKED_BYTES) problems.push(`the package has ${size} bytes, more than ${MAX_PACKED_BYTES}`);
  const main = path.join(ROOT, 'dist/cli/main.js');
  if (existsSync(main) && !readFileSync(main, 'utf8').startsWith('#!/usr/bin/env node\n'))
    problems.push('dist/cli/main.js does not start with #!/usr/bin/env node');
  if (!tool('publint', ['run', tarball, '--strict'])) problems.push('publint found problems');
  if (!tool('attw', [tarball, '--profile', 'esm-only'])) problems.push('attw found problems');
  console.log(`${packed.length} files, ${(size / 1024).toFixed(0)} KiB packed`);
} catch (error) {
  problems.push(error.message);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
for (const problem of problems) console.error(`check-package: ${problem}`);
process.exitCode = problems.length > 0 ? 1 : 0;
