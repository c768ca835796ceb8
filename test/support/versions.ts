import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';

let bundles = 0;

/**
 * Bundles a program of the tests, so that a Node.js which knows no TypeScript runs it, and gives it to `use`. npm packages
 * stay outside; a program in the `package` finds them, and the worker's bundle.
 */
export async function withBundle<T>(entry: string, use: (file: string) => T, place: 'apart' | 'package' = 'apart'): Promise<T> {
  const cache = resolve(import.meta.dirname, '../../node_modules/.cache');
  if (place === 'package') mkdirSync(cache, { recursive: true });
  const folder = place === 'apart' ? mkdtempSync(join(tmpdir(), 'paragrad-bundle-')) : undefined;
  // From this depth dist/worker.mjs is found.
  const outfile = folder === undefined ? join(cache, `paragrad-bundle-${process.pid}-${bundles++}.mjs`) : join(folder, 'program.mjs');
  try {
    await build({
      entryPoints: [entry],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      packages: 'external',
      logLevel: 'error',
    });
    return await use(outfile);
  } finally {
    rmSync(folder ?? outfile, { recursive: true, force: true });
  }
}

/** Runs a bundled program on a Node.js and parses the JSON that it prints. */
export function runOn<T>(node: string, file: string, args: readonly string[] = []): T {
  return JSON.parse(execFileSync(node, [file, ...args], { encoding: 'utf8', maxBuffer: 2 ** 28 })) as T;
}
