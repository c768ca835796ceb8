import { readFileSync } from 'node:fs';
import type { Command, Option } from 'commander';
import { nearestName } from '../data/names.ts';
import { ParagradError } from '../errors.ts';
import { collect } from './options.ts';

/** Names that `config.json` of a run has for what the command line calls otherwise. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  timeLimitSeconds: 'timeLimit',
  checkpointSeconds: 'checkpointEvery',
  workerTimeoutSeconds: 'workerTimeout',
  joinTimeoutSeconds: 'joinTimeout',
};
/** What `config.json` of a run says beside options, and what belongs to that run alone. */
const RUN_ONLY = ['numericsVersion', 'source', 'out', 'force'];

const camelCase = (name: string): string => name.replace(/-([a-z])/gu, (_, letter: string) => letter.toUpperCase());

/**
 * The options of a command: those of the command line, and for the rest those of the file that `--config` names. Its keys are the
 * options' names (`learning-rate`, or `learningRate`); `config.json` of a run is such a file, too.
 *
 * @throws PARAGRAD_CONFIG when the file is none; PARAGRAD_OPTION for a name or value that cannot be
 */
export function withConfig<Flags extends object>(command: Command): Flags {
  const { config: file, ...flags } = command.opts<{ config?: string }>();
  if (file === undefined) return flags as Flags;
  const options = new Map(command.options.map((option) => [option.attributeName(), option]));
  const values = read(file);
  const ofRun = 'numericsVersion' in values;
  const added: [string, unknown][] = [];
  for (const [key, value] of Object.entries(values)) {
    if (value === null || (ofRun && RUN_ONLY.includes(key))) continue;
    const name = OTHER_NAMES[key] ?? camelCase(key);
    const option = options.get(name);
    if (option === undefined || name === 'config' || name === 'help') throw unknown(key, file, [...options.values()]);
    if (command.getOptionValueSource(name) !== 'cli') added.push([name, parsed(option, value, file)]);
  }
  return { ...flags, ...Object.fromEntries(added) } as Flags;
}

function read(file: string): Record<string, unknown> {
  const place = { file, option: '--config' };
  let text: string;
  try {
    // Some editors begin a file with a byte order mark.
    text = readFileSync(file, 'utf8').replace(/^\uFEFF/u, '');
  } catch (cause) {
    throw new ParagradError('PARAGRAD_CONFIG', `--config ${file} cannot be read: ${(cause as Error).message}`, { place, cause });
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (cause) {
    throw new ParagradError('PARAGRAD_CONFIG', `--config ${file} is not JSON: ${(cause as Error).message}`, { place, cause });
  }
  throw new ParagradError('PARAGRAD_CONFIG', `--config ${file} must hold one object, such as {"l2": 0.1, "drop": ["id"]}`, { place });
}

/** A value of the file as the command line would give it. */
function parsed(option: Option, value: unknown, file: string): unknown {
  const name = option.long ?? option.name();
  if (option.isBoolean() || option.negate) {
    if (typeof value === 'boolean') return value;
    throw wrong(name, 'true or false', value, file);
  }
  if (option.parseArg === (collect as Option['parseArg'])) {
    const texts: unknown[] = Array.isArray(value) ? value : [value];
    if (texts.every((text) => typeof text === 'string')) return texts;
    throw wrong(name, 'a list of names', value, file);
  }
  if (option.parseArg === undefined ? typeof value !== 'string' : typeof value !== 'string' && typeof value !== 'number')
    throw wrong(name, option.parseArg === undefined ? 'a text' : 'a number', value, file);
  return option.parseArg === undefined ? value : option.parseArg(String(value), undefined);
}

function unknown(key: string, file: string, options: readonly Option[]): ParagradError {
  const names = options.map((option) => (option.long ?? '').replace(/^--(no-)?/u, '')).filter((name) => name !== 'config');
  const near = nearestName(key, names);
  const positive = /^no-?([a-z]+)$/iu.exec(key)?.[1]?.toLowerCase();
  const hint = options.some((option) => option.long === `--no-${positive}`)
    ? ` (say "${positive}": false)`
    : near === undefined
      ? ''
      : ` (did you mean ${near}?)`;
  return new ParagradError('PARAGRAD_OPTION', `--config ${file}: there is no option '${key}'${hint}`, {
    place: { file, option: '--config' },
  });
}

function wrong(option: string, what: string, value: unknown, file: string): ParagradError {
  return new ParagradError('PARAGRAD_OPTION', `--config ${file}: ${option} must be ${what}, not ${JSON.stringify(value)}`, {
    place: { file, option },
  });
}
