// Tests on real clusters (*.ray.test.ts), in a network of their own where this system allows it (Linux, as root): ports never
// collide, nothing is reachable from outside, and engines do not pick the machine's outer address. Elsewhere on plain loopback.
//
//   node scripts/test-engines.mjs [arguments for vitest]
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const UP = 'ip link set lo up';

/** A command line that runs in a network of its own, or the same one where that is not allowed. */
export function inOwnNetwork(command, args) {
  if (process.platform !== 'linux' || spawnSync('unshare', ['-n', 'sh', '-c', UP], { stdio: 'ignore' }).status !== 0)
    return [command, args];
  return ['unshare', ['-n', 'sh', '-c', `${UP} && exec "$@"`, 'sh', command, ...args]];
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const began = performance.now();
  const vitest = path.join(ROOT, 'node_modules/vitest/vitest.mjs');
  const [command, args] = inOwnNetwork(process.execPath, [vitest, 'run', '--project', 'ray', ...process.argv.slice(2)]);
  process.exitCode = spawnSync(command, args, { cwd: ROOT, stdio: 'inherit' }).status ?? 1;
  console.log(`test:engines took ${((performance.now() - began) / 1000).toFixed(0)} s`);
}
