import type { TableSource } from '../data/source-files.ts';
import { ParagradError } from '../errors.ts';
import { FittedModel } from './model.ts';

// Arguments of the library's functions, for programs in JavaScript, whose mistakes no types find.

const wrong = (what: string, value: unknown): ParagradError =>
  new ParagradError('PARAGRAD_OPTION', `${what}, not ${value === '' ? 'an empty text' : value === null ? 'null' : typeof value}`);

/** @throws PARAGRAD_OPTION */
export function requireFolder(folder: unknown, call: string): asserts folder is string {
  if (typeof folder !== 'string' || folder === '') throw wrong(`${call} needs the path of a folder`, folder);
}

/** @throws PARAGRAD_OPTION */
export function requireModel(model: unknown, call: string): asserts model is FittedModel {
  if (!(model instanceof FittedModel)) throw wrong(`${call} needs a model, as train and loadModel give it`, model);
}

/** @throws PARAGRAD_OPTION */
export function requireTable(source: unknown, call: string): asserts source is TableSource {
  const paths: unknown[] = Array.isArray(source) ? source : [source];
  if (paths.length === 0 || paths.some((path) => typeof path !== 'string' || path === ''))
    throw wrong(`${call} needs the path of a file, or several paths`, source);
}

/** @throws PARAGRAD_OPTION */
export function requireOptions(options: unknown, call: string): asserts options is object {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) throw wrong(`${call} needs an object of options`, options);
}
