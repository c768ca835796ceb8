import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ParagradError } from '../errors.ts';

/** The bundle that workers run: beside this file's folder in the package, in `dist/` when this runs from source. */
export function workerFile(): string {
  const candidates = ['../worker.mjs', '../../dist/worker.mjs'].map((path) => fileURLToPath(new URL(path, import.meta.url)));
  const file = candidates.find((path) => existsSync(path));
  if (file === undefined) throw new ParagradError('PARAGRAD_INTERNAL', 'the worker bundle is missing: run `npm run build`');
  return file;
}
