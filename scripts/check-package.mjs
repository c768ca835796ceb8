// What users would install: packs the built project, then publint (does package.json tell the truth?), attw (do the types
// resolve?), a list of what must be inside and what must not, and a user's project: the texts' programs must compile
// against the package, and the package must load.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const MUST_HAVE = [
  'dist/index.js',
  'dist/index.d.ts',
  'dist/cli/main.js',
  'dist/worker.mjs',
  'dist/ray-coordinator.mjs',
  'dist/ray-launcher.py',
  'dist/ray-host.py',
  'README.md',
  'CHANGELOG.md',
  'LICENSE',
  'package.json',
];
const MAY_HAVE = /^(dist\/|README(\.[\w-]+)?\.md$|CHANGELOG\.md$|LICENSE$|package\.json$)/;
/** Texts with programs in TypeScript. */
const PAGES = ['README.md', 'docs/api.md', 'docs/errors.md'];
/** Parts of the command line's bundle: the build leaves none over. */
const PART = /^dist\/cli\/part-\d+\.js$/;
const MAX_PACKED_BYTES = 2 * 1024 * 1024;

const shell = process.platform === 'win32';
const problems = [];
const folder = mkdtempSync(path.join(tmpdir(), 'paragrad-package-'));

function tool(name, args, cwd = ROOT) {
  return spawnSync(path.join(ROOT, 'node_modules/.bin', name), args, { cwd, stdio: 'inherit', shell }).status === 0;
}

function checkContents(packed, size) {
  for (const file of MUST_HAVE) if (!packed.includes(file)) problems.push(`${file} is not in the package (npm run build)`);
  for (const file of packed) if (!MAY_HAVE.test(file)) problems.push(`${file} should not be in the package`);
  for (const file of packed.filter((name) => /\.m?js$/.test(name) && !MUST_HAVE.includes(name) && !PART.test(name))) {
    const source = file.replace(/^dist\//, 'src/').replace(/\.m?js$/, '.ts');
    if (!existsSync(path.join(ROOT, source))) problems.push(`${file} is a leftover: there is no ${source} (delete dist and build again)`);
  }
  if (size > MAX_PACKED_BYTES) problems.push(`the package has ${size} bytes, more than ${MAX_PACKED_BYTES}`);
  const main = path.join(ROOT, 'dist/cli/main.js');
  if (existsSync(main) && !readFileSync(main, 'utf8').startsWith('#!/usr/bin/env node\n'))
    problems.push('dist/cli/main.js does not start with #!/usr/bin/env node');
}

/** A project that has installed the package: only its dependencies are there, and Node.js's own types. */
function checkAsUser(tarball) {
  const modules = path.join(folder, 'user/node_modules');
  mkdirSync(path.join(modules, '@types'), { recursive: true });
  if (spawnSync('tar', ['-xzf', tarball, '-C', folder], { stdio: 'inherit' }).status !== 0)
    throw new Error('the package cannot be unpacked');
  cpSync(path.join(folder, 'package'), path.join(modules, 'paragrad'), { recursive: true });
  const { dependencies } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
  for (const name of [...Object.keys(dependencies), '@types/node']) {
    mkdirSync(path.dirname(path.join(modules, name)), { recursive: true });
    symlinkSync(path.join(ROOT, 'node_modules', name), path.join(modules, name), 'junction');
  }
  const user = path.join(folder, 'user');
  writeFileSync(path.join(user, 'package.json'), '{ "type": "module" }');
  for (const page of PAGES) {
    const programs = readFileSync(path.join(ROOT, page), 'utf8').matchAll(/^```ts\n([\s\S]*?)^```/gm);
    for (const [i, [, text]] of [...programs].entries()) writeFileSync(path.join(user, `${path.basename(page, '.md')}-${i + 1}.ts`), text);
  }
  const files = readdirSync(user).filter((name) => name.endsWith('.ts'));
  const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023', '--skipLibCheck', 'false', '--types', 'node'];
  if (files.length === 0 || !tool('tsc', [...options, ...files], user))
    problems.push(`programs in ${PAGES.join(', ')} do not compile against the package`);
  const load =
    'const { train, predict, loadModel } = await import("paragrad"); if (![train, predict, loadModel].every((f) => typeof f === "function")) process.exit(1)';
  if (spawnSync(process.execPath, ['--input-type=module', '-e', load], { cwd: user, stdio: 'inherit' }).status !== 0)
    problems.push('the package does not load');
  const { version } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
  const said = spawnSync(process.execPath, [path.join(modules, 'paragrad/dist/cli/main.js'), '--version'], { cwd: user, encoding: 'utf8' });
  if (said.stdout.trim() !== version) problems.push(`paragrad --version says ${JSON.stringify(said.stdout + said.stderr)}`);
}

try {
  const pack = spawnSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
    cwd: ROOT,
    encoding: 'utf8',
    shell,
  });
  if (pack.status !== 0) throw new Error(pack.stderr);
  const output = JSON.parse(pack.stdout);
  const { filename, files, size } = Array.isArray(output) ? output[0] : Object.values(output)[0];
  const tarball = path.join(folder, filename);
  checkContents(
    files.map((file) => file.path),
    size,
  );
  if (!tool('publint', ['run', tarball, '--strict'])) problems.push('publint found problems');
  if (!tool('attw', [tarball, '--profile', 'esm-only', '--format', 'ascii'])) problems.push('attw found problems');
  checkAsUser(tarball);
  console.log(`${files.length} files, ${(size / 1024).toFixed(0)} KiB packed`);
} catch (error) {
  problems.push(error.message);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
for (const problem of problems) console.error(`check-package: ${problem}`);
process.exitCode = problems.length > 0 ? 1 : 0;
