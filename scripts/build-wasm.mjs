// Compiles assembly/ and writes the modules' bytes as src/kernels/wasm-bytes.ts, so that a bundle of workers holds them.
// Fails when the kernels would bring data of their own: instances of many threads share one imported memory.
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';
import { writeInstances } from './wasm-exports.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const MAX_PAGES = 65_536;
const SHARED = ['--enable', 'threads', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', String(MAX_PAGES)];

writeInstances(fileURLToPath(new URL('../assembly', import.meta.url)));
const kernels = await compile('assembly/index.ts', SHARED);
const adder = await compile('assembly/adder.ts', []);

async function compile(entry, memory) {
  const files = new Map();
  const options = ['-O3', '--converge', '--noAssert', '--runtime', 'stub', '--use', 'abort=', '--enable', 'simd', '--importMemory'];
  const { error, stderr } = await asc.main([entry, '--baseDir', root, '--outFile', 'module.wasm', ...options, ...memory], {
    writeFile: (name, contents) => void files.set(name, contents),
  });
  if (error) {
    console.error(stderr.toString());
    process.exit(1);
  }
  return files.get('module.wasm');
}

const DATA_SECTION = 11;
if (sections(kernels).includes(DATA_SECTION)) {
  console.error('assembly/ has static data: every instance would write it over the shared memory');
  process.exit(1);
}
// Typed, so that declarations do not hold the bytes once more.
const text = `// Written by scripts/build-wasm.mjs from assembly/.
export const WASM_BASE64: string =
  '${Buffer.from(kernels).toString('base64')}';
export const ADDER_BASE64: string =
  '${Buffer.from(adder).toString('base64')}';
`;
await writeFile(new URL('../src/kernels/wasm-bytes.ts', import.meta.url), text);

/** Section numbers of a WebAssembly module, in order. */
function sections(module) {
  const found = [];
  for (let at = 8; at < module.length; ) {
    found.push(module[at]);
    let size = 0;
    let shift = 0;
    let byte;
    at += 1;
    do {
      byte = module[at];
      size |= (byte & 0x7f) << shift;
      shift += 7;
      at += 1;
    } while (byte & 0x80);
    at += size;
  }
  return found;
}
