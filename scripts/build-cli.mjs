// Bundles the command line: dist/cli/main.js and the parts that it loads when they are needed, dist/cli/part-1.js, …. Loading the 300
// files of the compiled sources one by one costs more than all the rest of a small command.
import { readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { write } from './build-worker.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FOLDER = path.join(ROOT, 'dist/cli');

try {
  const { outputFiles } = await build({
    entryPoints: [path.join(ROOT, 'src/cli/main.ts')],
    outdir: FOLDER,
    absWorkingDir: ROOT,
    bundle: true,
    splitting: true,
    packages: 'external',
    minifySyntax: true,
    minifyWhitespace: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    charset: 'utf8',
    legalComments: 'none',
    chunkNames: 'part-[hash]',
    write: false,
    logLevel: 'error',
  });
  const main = outputFiles.find(({ path: file }) => path.basename(file) === 'main.js');
  const parts = outputFiles.filter((file) => file !== main);
  // Numbers in place of hashes: whoever runs an older build meanwhile finds files, not gaps.
  const names = new Map(parts.map((part, i) => [path.basename(part.path), `part-${i + 1}.js`]));
  const renamed = ({ text }) => text.replace(/\bpart-[A-Z0-9]{8}\.js/g, (name) => names.get(name) ?? name);
  for (const part of parts) write(path.join(FOLDER, names.get(path.basename(part.path))), renamed(part));
  write(path.join(FOLDER, 'main.js'), renamed(main));
  const written = new Set(['main.js', ...names.values()]);
  for (const name of readdirSync(FOLDER)) if (!written.has(name)) rmSync(path.join(FOLDER, name), { recursive: true, force: true });
  const bytes = outputFiles.reduce((sum, { contents }) => sum + contents.length, 0);
  console.log(`dist/cli/main.js and ${parts.length} parts, ${(bytes / 1024).toFixed(0)} KiB`);
} catch (error) {
  console.error(`build-cli: ${error.message}`);
  process.exitCode = 1;
}
