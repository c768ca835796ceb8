import type { Command } from 'commander';
import type { GenerateFlags, Handlers, InspectFlags, PrepareFlags } from '../flags.ts';
import { parseBytes, parseCount, parseNumber } from '../options.ts';
import {
  COLUMNS,
  DTYPE,
  examples,
  FILES,
  group,
  HELP,
  JSON_OPTION,
  LAYOUT,
  LOG_TARGET,
  MODEL,
  option,
  POSITIVE,
  SHUFFLE,
  SPLIT,
  STANDARDIZE,
  sourceOf,
} from './shared.ts';

// Commands about tables and what becomes of them.

export function addPrepare(program: Command, handlers: Handlers): void {
  const prepare = program.command('prepare').summary('encode a table into a dataset folder, to train on it again and again');
  prepare.argument('<file...>', FILES);
  prepare.description(
    'Encodes a table once, in little memory, into a folder that train reads at the speed of the disk: the same bits as training on the table.',
  );
  group(prepare, 'Data:', option('--target <column>', 'the column to predict (needed)'), ...COLUMNS(), POSITIVE(), ...SPLIT(), SHUFFLE());
  group(prepare, 'Encoding:', MODEL(), STANDARDIZE(), LOG_TARGET());
  group(prepare, 'Numbers (these decide the bits):', DTYPE(), ...LAYOUT());
  group(
    prepare,
    'Output:',
    option('--out <folder>', 'where the dataset is saved (needed)'),
    option('--force', 'replace the dataset folder where it exists'),
    option('--memory <size>', 'stay below this much memory, such as 1GiB (default: what there is)', parseBytes),
    option('--workers <count>', 'threads that read, the result is the same (default: one per core)', parseCount),
    JSON_OPTION(),
  );
  prepare.addHelpOption(HELP().helpGroup('Output:'));
  examples(
    prepare,
    'paragrad prepare houses.csv --target price --out dataset',
    'paragrad prepare clicks.csv --target clicked --dtype f64 --memory 1GiB --out clicks-dataset',
    'paragrad train dataset --out dataset-model',
  );
  prepare.action((files: string[], flags: PrepareFlags) => handlers.prepare(sourceOf(files), flags));
}

export function addInspect(program: Command, handlers: Handlers): void {
  const inspect = program.command('inspect').summary('show what is in a table, a dataset folder or a trained model');
  inspect.argument('<path...>', `${FILES}; or the folder of a dataset or a model`);
  inspect.description('Shows the columns of a table and their statistics, or the summary of a dataset or a trained model.');
  group(inspect, 'Data:', option('--target <column>', 'the column to predict'), ...COLUMNS());
  group(
    inspect,
    'Encoding, as train would do it with the same options:',
    option('--encoded <file>', 'write the encoded rows as Parquet (needs --target)'),
    MODEL(),
    POSITIVE(),
    STANDARDIZE(),
    LOG_TARGET(),
    option('--dtype <f32|f64>', 'precision of the encoded features (default f64)'),
    ...SPLIT(),
  );
  group(
    inspect,
    'Models:',
    option('--coefficients <file>', 'write all coefficients, in your units and standardised (.csv, .jsonl or .parquet)'),
    option('--report <file>', 'write a page (HTML) with charts of the run and its result'),
  );
  group(inspect, 'Datasets:', option('--verify', 'read all of a dataset folder and check every checksum'));
  group(inspect, 'Output:', option('--force', 'replace the file where it exists'), JSON_OPTION());
  inspect.addHelpOption(HELP().helpGroup('Output:'));
  examples(
    inspect,
    'paragrad inspect houses.csv',
    'paragrad inspect houses.csv --target price --encoded encoded.parquet',
    'paragrad inspect model',
    'paragrad inspect model --coefficients coefficients.csv',
    'paragrad inspect model --report report.html',
    'paragrad inspect dataset --verify',
  );
  inspect.action((paths: string[], flags: InspectFlags) => handlers.inspect(sourceOf(paths), flags));
}

export function addGenerate(program: Command, handlers: Handlers): void {
  const generate = program.command('generate').summary('make a table of random numbers with a known model');
  generate.description('Makes a table of random numbers, x1, x2, … and y, with a known model: the same bytes on every machine.');
  group(
    generate,
    'Table:',
    option('--rows <count>', 'number of rows (needed)', parseCount),
    option('--columns <count>', 'number of features (needed)', parseCount),
    option('--model <linear|logistic>', 'y is a number, or 0 and 1 (default linear)'),
    option('--condition <number>', 'condition number of the features: 1 is easy, 1e6 hard (default 1)', parseNumber),
    option('--noise <number>', 'in y, beside a signal of standard deviation 1 (default 0.5)', parseNumber),
    option('--seed <count>', 'another seed, another table (default 0)', parseCount),
  );
  group(
    generate,
    'Output:',
    option('--out <path>', 'file to write: .csv, .jsonl or .parquet; or a folder, for --format dataset (needed)'),
    option('--format <csv|jsonl|parquet|dataset>', 'format of what is written (default: by the file’s ending, else csv)'),
    option('--force', 'replace the file where it exists'),
    JSON_OPTION(),
  );
  generate.addHelpOption(HELP().helpGroup('Output:'));
  examples(
    generate,
    'paragrad generate --rows 10000 --columns 20 --out table.parquet',
    'paragrad generate --rows 1e4 --columns 5 --model logistic --condition 100 --out classes.csv',
    'paragrad generate --rows 10000 --columns 20 --format dataset --out table',
  );
  generate.action((flags: GenerateFlags) => handlers.generate(flags));
}
