import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '..');

function newestIn(folder: string): number {
  const files = existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : [];
  return Math.max(0, ...files.map((file) => statSync(join(folder, file)).mtimeMs));
}

function run(script: string): void {
  const { status } = spawnSync(process.execPath, [join(ROOT, 'scripts', script)], { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) console.error(`node scripts/${script} failed: tests that need what it makes will fail`);
}

/** Once before all tests: kernels and worker bundle are those of the sources, however the tests were started. */
export default function setup(): void {
  const bytes = join(ROOT, 'src/kernels/wasm-bytes.ts');
  if (!existsSync(bytes) || statSync(bytes).mtimeMs < newestIn(join(ROOT, 'assembly'))) run('build-wasm.mjs');
  run('build-worker.mjs');
}
