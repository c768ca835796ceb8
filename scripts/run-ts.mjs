// Runs a TypeScript program of this repository (bench/, examples/), since the oldest supported Node.js knows no TypeScript: bundled
// first, packages left outside, 'paragrad' being src/index.ts. Build first where the program trains on threads.
//
//   node scripts/run-ts.mjs bench/kernels.ts [arguments]
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** At this depth dist/worker.mjs is found from the bundle. */
const FOLDER = path.join(ROOT, 'node_modules/.cache');

const [program, ...args] = process.argv.slice(2);
if (program === undefined) {
  console.error('usage: node scripts/run-ts.mjs PROGRAM.ts [arguments]');
  process.exit(2);
}
const outfile = path.join(FOLDER, `${path.basename(program, '.ts')}-${process.pid}.mjs`);
mkdirSync(FOLDER, { recursive: true });
await build({
  entryPoints: [path.resolve(program)],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  alias: { paragrad: path.join(ROOT, 'src/index.ts') },
  external: ['esbuild', 'vitest', 'fast-check', '@duckdb/*', 'commander', 'ws'],
  sourcemap: 'inline',
  logLevel: 'error',
});
const { status, signal } = spawnSync(process.execPath, ['--enable-source-maps', outfile, ...args], { stdio: 'inherit' });
rmSync(outfile, { force: true });
process.exitCode = signal === null ? (status ?? 1) : 1;
