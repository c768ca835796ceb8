// Bundles the code that workers run into one file without dependencies, its WebAssembly inside: dist/worker.mjs, which threads,
// processes and clusters start. Beside it what else runs on a Ray cluster: the coordinator, a bundle as well, and the launcher
// with its module.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const WASM = path.join(ROOT, 'src/kernels/wasm-bytes.ts');
/** Bundles: where they start, and where they go. */
const BUNDLES = {
  worker: ['src/engines/worker/main.ts', 'dist/worker.mjs'],
  coordinator: ['src/engines/ray/coordinator/main.ts', 'dist/ray-coordinator.mjs'],
};
/** Programs in Python: where they are, and where they go. */
const PYTHON = [
  ['src/engines/ray/launcher.py', 'dist/ray-launcher.py'],
  ['src/engines/ray/paragrad_host.py', 'dist/ray-host.py'],
];

/** Writes what workers need to run, and returns the size of dist/worker.mjs in bytes. */
export async function buildWorker() {
  if (!existsSync(WASM)) throw new Error(`${path.relative(ROOT, WASM)} is missing: it is made by 'npm run build:wasm'`);
  for (const [from, to] of PYTHON) write(path.join(ROOT, to), readFileSync(path.join(ROOT, from)));
  await bundle(...BUNDLES.coordinator);
  return bundle(...BUNDLES.worker);
}

/** One file without dependencies. Returns its size in bytes. */
async function bundle(from, to) {
  const entry = path.join(ROOT, from);
  if (!existsSync(entry)) throw new Error(`${from} is missing: it is what ${to} starts with`);
  const { outputFiles, metafile } = await build({
    entryPoints: [entry],
    outfile: path.join(ROOT, to),
    absWorkingDir: ROOT,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    charset: 'utf8',
    legalComments: 'none',
    minifySyntax: true,
    minifyWhitespace: true,
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
      `${to} must be one file without dependencies, but it needs ${[...foreign, ...packages, ...others.map((o) => o.path)].join(', ')}`,
    );
  write(path.join(ROOT, to), file.contents);
  return file.contents.length;
}

/** Under its name only when it is whole: a test that runs beside this build must not start half a file. */
export function write(file, contents) {
  mkdirSync(path.dirname(file), { recursive: true });
  const unfinished = `${file}.${process.pid}`;
  writeFileSync(unfinished, contents);
  renameSync(unfinished, file);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  try {
    const bytes = await buildWorker();
    console.log(`dist/worker.mjs ${(bytes / 1024).toFixed(0)} KiB`);
  } catch (error) {
    console.error(`build-worker: ${error.message}`);
    process.exitCode = 1;
  }
