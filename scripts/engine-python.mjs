// A Python environment with NumPy, scikit-learn, pandas, pyarrow and safetensors for the tests that check results against them, in
// the ignored folder .engines/python. Safe to run again: what is there is kept.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('../.engines/python', import.meta.url));
const PACKAGES = ['numpy==2.4.6', 'scipy==1.17.1', 'scikit-learn==1.9.1', 'pandas==3.1.1', 'pyarrow==26.0.1', 'safetensors==0.8.0'];
const WINDOWS = process.platform === 'win32';
const PYTHON = path.join(FOLDER, WINDOWS ? 'Scripts/python.exe' : 'bin/python');
const STAMP = path.join(FOLDER, 'paragrad-packages.txt');

const run = (command, args) => spawnSync(command, args, { stdio: 'inherit' }).status === 0;
const isDone = () => existsSync(STAMP) && existsSync(PYTHON) && readFileSync(STAMP, 'utf8') === PACKAGES.join('\n');

/** Debian and Ubuntu keep venv in a package of its own. Only in CI, where the machine is ours to change. */
function installVenv() {
  if (process.env.CI !== 'true' || process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return false;
  return run('apt-get', ['update', '-q']) && run('apt-get', ['install', '-y', '-q', '--no-install-recommends', 'python3', 'python3-venv']);
}

function makeVenv() {
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(path.dirname(FOLDER), { recursive: true });
  return run(WINDOWS ? 'python' : 'python3', ['-m', 'venv', FOLDER]);
}

if (!isDone()) {
  const made = makeVenv() || (installVenv() && makeVenv());
  if (made && run(PYTHON, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--only-binary=:all:', ...PACKAGES]))
    writeFileSync(STAMP, PACKAGES.join('\n'));
}
if (isDone()) console.log(`${PACKAGES.join(', ')} in .engines/python`);
else {
  console.error(
    'engine:python: needs python3 (3.11 or later) with venv (Debian: apt-get install python3-venv) and a package index; tests that compare with scikit-learn are skipped',
  );
  process.exitCode = 1;
}
