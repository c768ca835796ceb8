import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';

/**
 * Bundles a program of the tests, so that a Node.js which knows no TypeScript runs it, and gives it to `use`. npm packages
 * stay outside.
 */
export async function withBundle<T>(entry: string, use: (file: string) => T): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'paragrad-bundle-'));
  try {
    const outfile = join(folder, 'program.mjs');
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
    return use(outfile);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Runs a bundled program on a Node.js and parses the JSON that it prints. */
export function runOn<T>(node: string, file: string, args: readonly string[] = []): T {
  return JSON.parse(execFileSync(node, [file, ...args], { encoding: 'utf8', maxBuffer: 2 ** 28 })) as T;
}
