import { type ArraySource, checkShape } from '../data/arrays.ts';
import { nearestName } from '../data/names.ts';
import { ParagradError } from '../errors.ts';
import type { TrainOptions } from './train-options.ts';

/** What kinds of value an option takes: programs in JavaScript have no types that would say so. */
type Kind = 'string' | 'number' | 'boolean' | 'strings' | 'function' | 'signal';

const KINDS: Readonly<Record<keyof TrainOptions, readonly Kind[]>> = {
  target: ['string'],
  model: ['string'],
  l2: ['number', 'string'],
  intercept: ['boolean'],
  start: ['string'],
  init: ['string'],
  standardize: ['boolean'],
  optimizer: ['string'],
  learningRate: ['number', 'string'],
  lineSearch: ['string'],
  momentum: ['number'],
  batchSize: ['number'],
  epochs: ['number'],
  schedule: ['string'],
  warmup: ['number'],
  precondition: ['string'],
  strategy: ['string'],
  staleness: ['number'],
  late: ['string'],
  servers: ['number'],
  replay: ['string'],
  syncEvery: ['number'],
  clients: ['number'],
  participation: ['number'],
  serverMomentum: ['number'],
  topology: ['string'],
  partner: ['string'],
  tolerance: ['number'],
  maxPasses: ['number'],
  timeLimitSeconds: ['number'],
  seed: ['number'],
  dtype: ['string'],
  engine: ['string'],
  workers: ['number', 'string'],
  communicate: ['string'],
  reducers: ['number'],
  backup: ['number'],
  maxRestarts: ['number'],
  workerTimeoutSeconds: ['number'],
  bind: ['string'],
  hosts: ['strings'],
  keyFile: ['string'],
  joinTimeoutSeconds: ['number'],
  linkDelay: ['string'],
  linkRate: ['string'],
  compress: ['string'],
  kill: ['strings'],
  pause: ['strings'],
  slow: ['strings'],
  rayAddress: ['string'],
  rayTokenFile: ['string'],
  rayData: ['string'],
  node: ['string'],
  partition: ['string'],
  validationFraction: ['number'],
  splitBy: ['string'],
  validationAfter: ['string'],
  validationData: ['string', 'strings'],
  chunkRows: ['number'],
  blockColumns: ['number'],
  shuffle: ['string'],
  positive: ['string'],
  category: ['strings'],
  number: ['strings'],
  drop: ['strings'],
  weight: ['string'],
  offset: ['string'],
  id: ['string'],
  badRows: ['string'],
  logTarget: ['boolean'],
  classWeight: ['string'],
  maxCategories: ['number'],
  out: ['string'],
  force: ['boolean'],
  checkpointSeconds: ['number'],
  earlyStopping: ['number'],
  explain: ['boolean'],
  kernels: ['string'],
  signal: ['signal'],
  onEvent: ['function'],
};

const WORDS: Readonly<Record<Kind, string>> = {
  string: 'a string',
  number: 'a number',
  boolean: 'true or false',
  strings: 'an array of strings',
  function: 'a function',
  signal: 'an AbortSignal',
};

/** Options that the command line calls otherwise; those of programs alone keep their names. */
const FLAGS: Readonly<Record<string, string>> = {
  timeLimitSeconds: '--time-limit',
  checkpointSeconds: '--checkpoint-every',
  workerTimeoutSeconds: '--worker-timeout',
  joinTimeoutSeconds: '--join-timeout',
  intercept: '--no-intercept',
  standardize: '--no-standardize',
  signal: 'signal',
  onEvent: 'onEvent',
};

/** The name that `place.option` has for an option everywhere: that of the command line. One that there is not is as it was given. */
function flagOf(name: string): string {
  if (!Object.hasOwn(KINDS, name)) return name;
  return FLAGS[name] ?? `--${name.replace(/[A-Z]/gu, (letter) => `-${letter.toLowerCase()}`)}`;
}

function is(kind: Kind, value: unknown): boolean {
  if (kind === 'strings') return Array.isArray(value) && value.every((item) => typeof item === 'string');
  if (kind === 'signal') return value instanceof AbortSignal;
  return typeof value === kind;
}

/** A value as a message shows it; there are some that JSON has no words for. */
function shown(value: unknown): string {
  try {
    return JSON.stringify(value) ?? typeof value;
  } catch {
    return typeof value;
  }
}

/**
 * Names and types of the options of a call.
 *
 * @throws PARAGRAD_OPTION for a name that there is not (with the nearest one), or a value of another type.
 */
export function checkOptions(options: unknown): asserts options is TrainOptions {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw new ParagradError('PARAGRAD_OPTION', 'options are missing: train(source, { target: … })');
  const names = Object.keys(KINDS);
  for (const [name, value] of Object.entries(options)) {
    const place = { place: { option: flagOf(name) } };
    const kinds = Object.hasOwn(KINDS, name) ? KINDS[name as keyof TrainOptions] : undefined;
    if (kinds === undefined) {
      const near = nearestName(name, names);
      throw new ParagradError(
        'PARAGRAD_OPTION',
        `there is no option '${name}'${near === undefined ? '' : `; did you mean '${near}'?`}`,
        place,
      );
    }
    if (value !== undefined && !kinds.some((kind) => is(kind, value)))
      throw new ParagradError(
        'PARAGRAD_OPTION',
        `option '${name}' must be ${kinds.map((kind) => WORDS[kind]).join(' or ')}, not ${shown(value)}`,
        place,
      );
  }
}

/** @throws PARAGRAD_OPTION for a source that is neither paths nor arrays that fit together */
export function checkSource(source: unknown): void {
  const paths = is('strings', source) || (typeof source === 'string' && source !== '');
  const arrays = typeof source === 'object' && source !== null && 'x' in source && 'y' in source;
  if (!paths && !arrays)
    throw new ParagradError('PARAGRAD_OPTION', 'the source is missing: a path, several paths, or { x, rows, columns, y }');
  if (arrays) checkShape(source as ArraySource);
}
