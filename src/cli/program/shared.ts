import { type Command, Option } from 'commander';
import type { TableSource } from '../../data/source-files.ts';
import { collect, parseCount, parseNumber } from '../options.ts';

// What several commands say in the same words: their options, and how options, headings and examples are put into the help.

type Parse = (flag: string, text: string) => number | string;

export function option(flags: string, description: string, parse?: Parse): Option {
  const made = new Option(flags, description);
  return parse === undefined ? made : made.argParser((text) => parse(made.long ?? flags, text));
}

export const list = (flags: string, description: string): Option => new Option(flags, description).argParser(collect);

/** One table: several files are read as if they were one. */
export const FILES = 'CSV, JSON lines (both also .gz) or Parquet; several files or a pattern make one table; - is standard input';
export const sourceOf = (files: readonly string[]): TableSource => (files.length === 1 ? (files[0] as string) : files);

/** Adds options under a heading of the help. */
export function group(command: Command, heading: string, ...options: Option[]): void {
  for (const each of options) command.addOption(each.helpGroup(heading));
}

/** The examples at the end of a command's help; a test runs each of them. */
export function examples(command: Command, ...lines: string[]): void {
  command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`);
}

export const COLUMNS = (): Option[] => [
  list('--category <column>', 'read a column as categories (may be repeated)'),
  list('--number <column>', 'read a column as numbers (may be repeated)'),
  list('--drop <column>', 'leave a column out (may be repeated)'),
  option('--weight <column>', 'how much each row counts: numbers of at least 0'),
  option('--offset <column>', 'what is added to each row’s prediction before the model’s own part, as a known effect'),
  option('--id <column>', 'names the rows: no feature, and repeated in predictions'),
  option('--bad-rows <error|skip|impute>', 'what to do with a wrong value: end, skip its row, or count it as missing (default error)'),
  option('--max-categories <count>', 'most categories of a column, rarer ones share one (default 256)', parseCount),
];
export const SPLIT = (): Option[] => [
  option('--validation-fraction <number>', 'part of the rows that is kept from training, to test the model (default 0.2)', parseNumber),
  option('--split-by <column>', 'keep all rows with the same value on one side of the split'),
  option('--validation-after <column=value>', 'test on the rows above this number or date, train on the others'),
  option('--validation-data <file>', 'test on the rows of another file, train on all of these'),
  option('--seed <count>', 'decides the split and the order of rows (default 0)', parseCount),
];
export const SHUFFLE = (): Option =>
  option('--shuffle <windows|none>', 'mix rows inside each chunk, so that a sorted file does no harm (default windows)');
export const LAYOUT = (): Option[] => [
  option('--chunk-rows <count>', 'rows that are summed as a unit, a multiple of 16 (default: 4 MiB)', parseCount),
  option('--block-columns <count>', 'columns that are multiplied as a unit (default: an eighth)', parseCount),
];
export const JSON_OPTION = (): Option => option('--json', 'print one JSON object, for programs');
export const DTYPE = (): Option => option('--dtype <f32|f64>', 'storage of the encoded features (default f32)');
export const HELP = (): Option => new Option('-h, --help', 'show this help');
export const POSITIVE = (): Option =>
  option(
    '--positive <label>',
    'class whose probability is predicted (default: the greater number, or the text that is later in byte order)',
  );
export const MODEL = (): Option =>
  option(
    '--model <auto|linear|logistic|softmax>',
    'auto: logistic for a target of two classes (texts, booleans or whole numbers), softmax for text with more, else linear (default auto)',
  );
export const FORMAT = (): Option =>
  option('--format <csv|jsonl|parquet>', 'format of what is written (default: by the file’s ending, else csv)');
export const BAD_VALUES = (): Option =>
  option('--bad-rows <error|impute>', 'what to do with a wrong value: end, or count it as missing (default error)');
export const THRESHOLD = (): Option =>
  option('--threshold <number>', 'probability above which a row is called positive (default 0.5)', parseNumber);
export const LOG_TARGET = (): Option => option('--log-target', 'train on the logarithm of the target; predictions are in its own units');
export const KEY_FILE = (): Option => option('--key-file <file>', 'with the key of the run, from paragrad key (default: PARAGRAD_KEY)');
export const STANDARDIZE = (): Option => option('--no-standardize', 'leave numbers in their own units: neither centred nor scaled');
