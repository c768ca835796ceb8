// Bundles the code that workers run into one file without dependencies, its WebAssembly inside: dist/worker.mjs. Threads start
// it today; processes and clusters will start the same file.
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const ENTRY = path.join(ROOT, 'src/engines/worker/main.ts');
const WASM = path.join(ROOT, 'src/kernels/wasm-bytes.ts');
const BUNDLE = path.join(ROOT, 'dist/worker.mjs');

/** Writes dist/worker.mjs and returns its size in bytes. */
export async function buildWorker() {
  if (!existsSync(WASM)) throw new Error(`${path.relative(ROOT, WASM)} is missing: it is made by 'npm run build:wasm'`);
  if (!existsSync(ENTRY)) throw new Error(`${path.relative(ROOT, ENTRY)} is missing: it is what a worker starts with`);
  const { outputFiles, metafile } = await build({
    entryPoints: [ENTRY],
    outfile: BUNDLE,
    absWorkingDir: ROOT,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    charset: 'utf8',
    legalComments: 'none',
    metafile: true,
    write: false,
    logLevel: 'error',
  });
  const [file, ...others] = outputFiles;
  const foreign = Object.values(metafile.outputs)
    .flatMap(({ imports }) => imports.map((i) => i.path))
    .filter((name) => !name.startsWith('node:'));
  const packages = Object.keys(metafile.inputs).filter((name) => name.includes('node_modules/'));
  if (others.length > 0 || foreign.length + packages.length > 0)
    throw new Error(
      `the worker must be one file without dependencies, but it needs ${[...foreign, ...packages, ...others.map((o) => o.path)].join(', ')}`,
    );
  // Under its name only when it is whole: a test that runs beside this build must not start half a file.
  mkdirSync(path.dirname(BUNDLE), { recursive: true });
  const unfinished = `${BUNDLE}.${process.pid}`;
  writeFileSync(unfinished, file.contents);
  renameSync(unfinished, BUNDLE);
  return file.contents.length;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  try {
    const bytes = await buildWorker();
    console.log(`dist/worker.mjs ${(bytes / 1024).toFixed(0)} KiB`);
  } catch (error) {
    console.error(`build-worker: ${error.message}`);
    process.exitCode = 1;
  }
