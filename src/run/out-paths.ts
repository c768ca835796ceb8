import { constants } from 'node:fs';
import { access, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { expandPattern, isPattern } from '../data/glob.ts';
import { isAddress } from '../data/source/location.ts';
import type { TableSource } from '../data/source-files.ts';
import { ParagradError } from '../errors.ts';

// What is to be written is looked at before anything is read: nothing that a command reads is replaced by what it writes, and no
// hours are spent on a result that has no place.

/** What a command reads: tables, and folders of models, datasets and runs. Undefined: an option that was not given. */
export type Inputs = readonly (TableSource | undefined)[];

/** Files that a folder of a model, a run or a dataset consists of. */
const PARTS =
  /^(model\.(json|safetensors)|config\.json|events\.jsonl|validation\.json|manifest\.json|shard-\d+\.safetensors|order-\d+\.i32)$/u;

/** @throws PARAGRAD_OPTION for a path that is missing, empty, or `-`, which is standard input where tables are named and no file */
export function requirePath(value: unknown, option: string): asserts value is string {
  if (typeof value !== 'string' || value === '')
    throw new ParagradError('PARAGRAD_OPTION', `${option} must be a path, and is ${value === '' ? 'empty' : 'missing'}`, {
      place: { option },
    });
  if (value === '-')
    throw new ParagradError('PARAGRAD_OPTION', `${option} -: a path is needed here; ./- is a file of that name`, { place: { option } });
}

/**
 * A file that will be written, and may be there already.
 *
 * @param made folder that the command makes before it writes the file
 * @throws PARAGRAD_OPTION for an empty path; PARAGRAD_OUT_EXISTS for an input, or a part of one; PARAGRAD_OUT when its folder is
 * missing or cannot be written, or something else than a file has its name
 */
export async function checkOutFile(file: string, option: string, inputs: Inputs = [], made?: string): Promise<void> {
  requirePath(file, option);
  const place = { file, option };
  const fail = (why: string, cause?: unknown): ParagradError =>
    new ParagradError('PARAGRAD_OUT', `${file} cannot be written: ${why}`, { place, cause });
  const there = await factsOf(file);
  const folder = path.dirname(file);
  if (there !== undefined) {
    const inside = PARTS.test(path.basename(file)) ? [file, folder] : [file];
    for (const input of await pathsOf(inputs))
      for (const own of inside) if (await isSame(own, input)) throw isInput(file, option, own === file ? 'is' : 'belongs to');
    if (!there.isFile()) throw fail(there.isDirectory() ? 'it is a folder, and a file is needed' : 'it is not a regular file');
  }
  if (made !== undefined && path.resolve(folder) === path.resolve(made)) return;
  const parent = await factsOf(folder);
  if (parent === undefined) throw fail(`its folder ${folder} does not exist`);
  if (!parent.isDirectory()) throw fail(`${folder} is not a folder`);
  await access(folder, constants.W_OK).catch((error: unknown) => {
    throw fail(error instanceof Error ? error.message : String(error), error);
  });
}

/**
 * A folder that will be made, or replaced.
 *
 * @throws PARAGRAD_OPTION for an empty path; PARAGRAD_OUT_EXISTS when it is an input, or an input lies in it
 */
export async function checkOutFolder(folder: string, option: string, inputs: Inputs): Promise<void> {
  requirePath(folder, option);
  if ((await factsOf(folder)) === undefined) return;
  for (const input of await pathsOf(inputs)) {
    const full = await realpath(input).catch(() => undefined);
    for (let at = full; at !== undefined; at = path.dirname(at) === at ? undefined : path.dirname(at))
      if (await isSame(at, folder)) throw isInput(folder, option, at === full ? 'is' : 'holds');
  }
}

function isInput(file: string, option: string, how: 'is' | 'holds' | 'belongs to'): ParagradError {
  return new ParagradError(
    'PARAGRAD_OUT_EXISTS',
    `${file} ${how} what is read here, and is not replaced even with --force: choose another ${option}`,
    { place: { file, option } },
  );
}

/** Paths of this machine; patterns as the files that they mean. */
async function pathsOf(inputs: Inputs): Promise<string[]> {
  const given = inputs.flatMap((input) => input ?? []).filter((each) => each !== '-' && !isAddress(each));
  return (await Promise.all(given.map((each) => (isPattern(each) ? expandPattern(each) : [each])))).flat();
}

async function factsOf(file: string) {
  return stat(file, { bigint: true }).catch(() => undefined);
}

/** One file or folder, whatever the ways to it. */
async function isSame(a: string, b: string): Promise<boolean> {
  const [one, other] = await Promise.all([factsOf(a), factsOf(b)]);
  return one !== undefined && other !== undefined && one.dev === other.dev && one.ino === other.ino;
}
