import { type OutColumn, rowEncoder, rowFormat } from '../../data/write/row-format.ts';
import { ParagradError } from '../../errors.ts';
import { checkSeed } from '../../random.ts';
import { requireOptions } from '../arguments.ts';
import { writeWhole } from '../out-file.ts';
import { checkOutFile, requirePath } from '../out-paths.ts';
import { prepareFrom } from '../prepare.ts';
import { type Recipe, RowMaker } from './rows.ts';
import { generatedTable } from './table.ts';

/** What can be said of a table of random numbers. */
export interface GenerateOptions {
  readonly rows: number;
  /** Features; there is one column more, the target. */
  readonly columns: number;
  /** CSV, lines of JSON or Parquet, by the ending or by `format`; or a dataset folder, encoded as `prepare` does by default. */
  readonly out: string;
  readonly format?: 'csv' | 'jsonl' | 'parquet' | 'dataset' | undefined;
  /** Replace a dataset that is there; files are always replaced. */
  readonly force?: boolean | undefined;
  /** Default 'linear': a numeric target y; 'logistic': y is 0 or 1. */
  readonly model?: 'linear' | 'logistic' | undefined;
  /** Of the features' covariance: 1 (default) for independent columns, up to 1e8. */
  readonly condition?: number | undefined;
  /** Next to a signal of standard deviation 1. Default 0.5: R² of 0.8 at best; log-odds of standard deviation 2. */
  readonly noise?: number | undefined;
  /** Default 0. */
  readonly seed?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onRows?: ((rows: number) => void) | undefined;
}

/** What was written, and the model behind it. */
export interface Generated {
  readonly out: string;
  readonly format: string;
  readonly rows: number;
  readonly columns: number;
  readonly model: 'linear' | 'logistic';
  readonly condition: number;
  /** Between neighbouring columns. */
  readonly correlation: number;
  readonly noise: number;
  readonly seed: number;
  readonly bytes: number;
  /** Of the file, or the id of the dataset: the same everywhere. */
  readonly sha256: string;
  /** What the target was made with, for x1, x2, …; of two classes, of the log-odds (null without noise). The intercept is 0. */
  readonly coefficients: readonly (number | null)[];
}

/** Numbers that are held at a time. */
const BLOCK_VALUES = 1 << 18;
const MOST_COLUMNS = 100_000;
const MOST_VALUES = 2 ** 52;

/**
 * Writes a table of random numbers with a known model: columns x1, x2, … and y, row by row in bounded memory. The bytes follow from
 * the options alone, on every machine.
 *
 * @throws PARAGRAD_OPTION for an option out of range; PARAGRAD_OUT when the file cannot be written
 */
export async function generate(options: GenerateOptions): Promise<Generated> {
  requireOptions(options, 'generate({ rows, columns, out })');
  const { rows, columns, out, model = 'linear', condition = 1, noise = 0.5, seed = 0 } = options;
  requirePath(out, '--out');
  const format = options.format === 'dataset' ? 'dataset' : rowFormat(out, options.format, '--out', ['dataset']);
  check({ rows, columns, model, condition, noise, seed });
  if (format !== 'dataset') await checkOutFile(out, '--out');
  const maker = new RowMaker({ columns, model, condition, noise, seed });
  const { bytes, sha256 } =
    format === 'dataset'
      ? await writeDataset(maker, options)
      : await writeWhole(out, encoded(maker, rows, rowEncoder(format, columnsOf(maker)), options));
  const coefficients = [...maker.weights].map((weight) => (model === 'linear' ? weight : noise === 0 ? null : weight / noise));
  return { out, format, rows, columns, model, condition, correlation: maker.correlation, noise, seed, bytes, sha256, coefficients };
}

async function writeDataset(
  maker: RowMaker,
  { rows, out, force, signal, onRows }: GenerateOptions,
): Promise<{ bytes: number; sha256: string }> {
  const open = { open: () => Promise.resolve(generatedTable(maker, rows)) };
  const { bytes, id } = await prepareFrom(open, {
    out,
    target: 'y',
    ...(force === undefined ? {} : { force }),
    ...(signal === undefined ? {} : { signal }),
    onEvent: (event) => (event.kind === 'reading' ? onRows?.(event.rows) : undefined),
  });
  return { bytes, sha256: id };
}

function columnsOf({ recipe: { columns, model } }: RowMaker): OutColumn[] {
  const features = Array.from({ length: columns }, (_, j): OutColumn => ({ name: `x${j + 1}`, kind: 'number' }));
  return [...features, { name: 'y', kind: model === 'linear' ? 'number' : 'integer' }];
}

async function* encoded(
  maker: RowMaker,
  rows: number,
  encoder: ReturnType<typeof rowEncoder>,
  { signal, onRows }: Pick<GenerateOptions, 'signal' | 'onRows'>,
): AsyncGenerator<Uint8Array> {
  const width = maker.recipe.columns + 1;
  const blockRows = Math.max(1, Math.floor(BLOCK_VALUES / width));
  const block = Array.from({ length: width }, () => new Float64Array(blockRows));
  for (let first = 0; first < rows; first += blockRows) {
    signal?.throwIfAborted();
    const count = Math.min(blockRows, rows - first);
    maker.fill(block, first, count);
    yield* encoder.rows(block, count);
    onRows?.(first + count);
    // Signals and progress get a turn.
    await new Promise(setImmediate);
  }
  yield* encoder.end();
}

function check({ rows, columns, model, condition, noise, seed }: Recipe & { readonly rows: number }): void {
  const most = Math.floor(MOST_VALUES / (columns + 1));
  if (!Number.isSafeInteger(columns) || columns < 1 || columns > MOST_COLUMNS)
    throw wrong('--columns', `a whole number from 1 to ${MOST_COLUMNS}`, columns);
  if (!Number.isSafeInteger(rows) || rows < 1 || rows > most) throw wrong('--rows', `a whole number from 1 to ${most}`, rows);
  if (model !== 'linear' && model !== 'logistic') throw wrong('--model', 'linear or logistic', model);
  if (!(condition >= 1 && condition <= 1e8)) throw wrong('--condition', 'a number from 1 to 1e8', condition);
  if (columns === 1 && condition !== 1) throw wrong('--condition', '1 where there is one column', condition);
  if (!(noise >= 0 && noise < Number.POSITIVE_INFINITY)) throw wrong('--noise', 'a number of at least 0', noise);
  checkSeed(seed);
}

function wrong(option: string, what: string, value: unknown): ParagradError {
  return new ParagradError('PARAGRAD_OPTION', `${option} must be ${what}, not ${value}`, { place: { option } });
}
