// Writes assembly/instances.ts: the kernels that the module exports, each for each storage type, and for each loss where it has one.
// AssemblyScript exports no generics, so every instance must be spelled out; parameters are those of the generic.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Of each file its kernels, and what their exports' names begin with. */
const KERNELS = [
  { file: 'batch', kernels: ['gradientList'] },
  { file: 'descend', kernels: ['descendList'] },
  { file: 'softmax', kernels: ['derivative', 'curvature', 'lossAlong', 'curvatureRows', 'totals'], prefix: 'softmax' },
  { file: 'dots', kernels: ['dots', 'addDots'] },
  { file: 'update', kernels: ['update', 'flush'] },
  { file: 'panels', kernels: ['totals', 'derivative', 'curvature', 'lossAlong', 'curvatureRows'] },
  { file: 'gram', kernels: ['gram'] },
  { file: 'fused', kernels: ['gradient', 'curvatureProduct'] },
];
const STORAGE = ['f32', 'f64'];
const LOSSES = ['Squared', 'Logistic'];

/** Writes the file where it is not what it should be. @param folder assembly/ */
export function writeInstances(folder) {
  const file = path.join(folder, 'instances.ts');
  const text = instances(folder);
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return;
  const unfinished = `${file}.${process.pid}`;
  writeFileSync(unfinished, text);
  renameSync(unfinished, file);
}

function instances(folder) {
  const imports = KERNELS.map(({ file }) => `import * as ${file}Kernels from './${file}';\n`);
  const functions = KERNELS.flatMap(({ file, kernels, prefix }) => {
    const source = readFileSync(path.join(folder, `${file}.ts`), 'utf8');
    return kernels.flatMap((kernel) => instancesOf(source, file, kernel, prefix === undefined ? kernel : prefix + upper(kernel)));
  });
  return `// Written by scripts/wasm-exports.mjs.\n${imports.join('')}import { Logistic, Squared } from './losses';\n\n${functions.join('\n')}`;
}

function instancesOf(source, file, kernel, name) {
  const declared = new RegExp(`export function ${kernel}<(T(?:, L)?)>\\(([^)]*)\\): void`, 'u').exec(source);
  if (declared === null) throw new Error(`assembly/${file}.ts does not export ${kernel}<T> or ${kernel}<T, L> that returns void`);
  const parameters = declared[2].trim().replace(/\s+/gu, ' ').replace(/,$/u, '');
  const values = parameters.split(', ').map((parameter) => parameter.split(':')[0]);
  return STORAGE.flatMap((storage) =>
    (declared[1] === 'T' ? [''] : LOSSES).map((loss) => {
      const types = loss === '' ? storage : `${storage}, ${loss}`;
      const head = `export function ${name}${storage.toUpperCase()}${loss}(${parameters}): void {`;
      return `${head}\n  ${file}Kernels.${kernel}<${types}>(${values.join(', ')});\n}\n`;
    }),
  );
}

function upper(name) {
  return name[0].toUpperCase() + name.slice(1);
}
