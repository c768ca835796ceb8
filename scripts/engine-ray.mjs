// Ray for the tests of that engine, in the ignored folder .engines/ray: by the very command that users have. Build first. Safe
// to run again: what is there is kept.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const MAIN = path.join(ROOT, 'dist/cli/main.js');

if (process.platform === 'win32') {
  console.error('engine:ray: local clusters run on Linux and macOS; tests of Ray are skipped');
  process.exitCode = 1;
} else if (!existsSync(MAIN)) {
  console.error('engine:ray: build first (npm run build)');
  process.exitCode = 1;
} else {
  const env = { ...process.env, PARAGRAD_CACHE: path.join(ROOT, '.engines') };
  const { status } = spawnSync(process.execPath, [MAIN, 'cluster', 'install', 'ray'], { env, stdio: 'inherit' });
  if (status !== 0) console.error('engine:ray: tests of Ray are skipped');
  process.exitCode = status ?? 1;
}
