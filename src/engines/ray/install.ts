import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { ParagradError } from '../../errors.ts';
import type { ClusterHome } from '../cluster/home.ts';
import type { ClusterOptions, Installation } from '../cluster/local-cluster.ts';
import { runTool } from '../cluster/tool.ts';

/** The Ray that is installed, and that the tests use. */
export const RAY_VERSION = '2.60.0';
/** Packages that pip collects with it, about: for the progress bar alone. */
const PACKAGES = 57;
/** Pythons that this version has wheels for. */
const OLDEST_PYTHON = [3, 10] as const;
const VENV_TIMEOUT_MS = 5 * 60_000;
const PIP_TIMEOUT_MS = 40 * 60_000;
/** Written when all is there. */
const STAMP = 'paragrad-installed.txt';

/** Folder of the Python environment, in the cluster's own folder. */
export const rayFolder = (home: ClusterHome): string => home.file(RAY_VERSION);
export const isInstalled = (home: ClusterHome): boolean => home.read(path.join(RAY_VERSION, STAMP)) !== undefined;

/** A Python environment of its own with Ray in it. Unfinished ones are made anew. See `LocalCluster.install`. */
export async function installRay(home: ClusterHome, options: ClusterOptions, env: NodeJS.ProcessEnv): Promise<Installation> {
  const folder = rayFolder(home);
  if (isInstalled(home)) return { folder, isNew: false };
  const { onProgress = () => undefined, signal } = options;
  const python = findPython(env);
  onProgress({ text: 'making a Python environment', done: 0 });
  rmSync(folder, { recursive: true, force: true });
  let isDone = false;
  try {
    const venv = await runTool(python, ['-m', 'venv', folder], { env, timeoutMs: VENV_TIMEOUT_MS, signal });
    const pip = path.join(folder, 'bin', 'python');
    if (venv.code !== 0 || !existsSync(pip))
      throw pythonError(`'${python} -m venv' does not work (Debian, Ubuntu: apt-get install python3-venv): ${lastLine(venv.tail)}`);
    let collected = 0;
    const onLine = (line: string): void => {
      const text = /^\s*(Collecting|Downloading|Installing|Building) \S+/u.exec(line)?.[0].trim();
      if (text === undefined) return;
      if (line.startsWith('Collecting')) collected += 1;
      const isLast = line.startsWith('Installing');
      const words = text.replace(/^\w/u, (first) => first.toLowerCase()).replace(/-\d.*$/u, '');
      onProgress({ text: isLast ? 'unpacking' : words, done: isLast ? 0.75 : 0.05 + 0.7 * Math.min(1, collected / PACKAGES) });
    };
    const args = ['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', '--only-binary=:all:', '--progress-bar=off'];
    const done = await runTool(pip, [...args, `ray[default]==${RAY_VERSION}`], { onLine, env, timeoutMs: PIP_TIMEOUT_MS, signal });
    if (done.code !== 0) throw installError(done.tail);
    home.writeSecret(path.join(RAY_VERSION, STAMP), `ray ${RAY_VERSION}\n`);
    isDone = true;
    return { folder, isNew: true };
  } finally {
    if (!isDone) rmSync(folder, { recursive: true, force: true });
  }
}

/** @throws PARAGRAD_CLUSTER_PYTHON */
function findPython(env: NodeJS.ProcessEnv): string {
  const python = 'python3';
  const { stdout, error } = spawnSync(python, ['-c', 'import sys; print(*sys.version_info[:2])'], {
    encoding: 'utf8',
    env,
    timeout: 30_000,
  });
  const [major, minor] = (stdout ?? '').trim().split(' ').map(Number);
  if (error !== undefined || major === undefined || minor === undefined)
    throw pythonError(
      `${python} is not there: install Python ${OLDEST_PYTHON.join('.')} or later (Debian, Ubuntu: apt-get install python3 python3-venv)`,
    );
  if (major < OLDEST_PYTHON[0] || (major === OLDEST_PYTHON[0] && minor < OLDEST_PYTHON[1]))
    throw pythonError(`${python} is ${major}.${minor}: Ray ${RAY_VERSION} needs ${OLDEST_PYTHON.join('.')} or later`);
  return python;
}

const pythonError = (message: string): ParagradError => new ParagradError('PARAGRAD_CLUSTER_PYTHON', message);

function installError(tail: string): ParagradError {
  const why = /No space left/iu.test(tail)
    ? 'the disk is full (Ray takes 400 MB)'
    : /connection|resolve|network|timed out|ProxyError|SSLError/iu.test(tail)
      ? 'the package index cannot be reached: is there a network? (pip’s own settings, such as PIP_INDEX_URL, count)'
      : /No matching distribution|Could not find a version/iu.test(tail)
        ? `there is no Ray ${RAY_VERSION} for this Python and machine`
        : lastLine(tail);
  return new ParagradError('PARAGRAD_CLUSTER_INSTALL', `Ray ${RAY_VERSION} could not be installed: ${why}`, { cause: new Error(tail) });
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
