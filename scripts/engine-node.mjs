// Other versions of Node.js for the tests that compare bits between versions, as npm packages that hold the binary, in the
// ignored folder .engines/node. Safe to run again: what is there is kept.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('../.engines/node', import.meta.url));
const VERSIONS = { 'node-22': '22.23.3', 'node-24': '24.21.0' };
const PLATFORM = `${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;

const binary = (name) => path.join(FOLDER, 'node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
const versionOf = (name) => spawnSync(binary(name), ['--version'], { encoding: 'utf8' }).stdout?.trim().slice(1);
const missing = () => Object.entries(VERSIONS).filter(([name, version]) => versionOf(name) !== version);

const wanted = missing().map(([name, version]) => `${name}@npm:node-${PLATFORM}@${version}`);
if (wanted.length > 0) {
  mkdirSync(FOLDER, { recursive: true });
  const options = ['--prefix', FOLDER, '--save-exact', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'];
  spawnSync('npm', ['install', ...options, ...wanted], { cwd: FOLDER, stdio: 'inherit', shell: process.platform === 'win32' });
}
for (const [name, version] of missing()) {
  console.error(`engine:node: no Node.js ${version} for ${PLATFORM} at ${binary(name)}; tests that compare versions are skipped`);
  process.exitCode = 1;
}
if (process.exitCode === undefined) console.log(`Node.js ${Object.values(VERSIONS).join(' and ')} in .engines/node`);
