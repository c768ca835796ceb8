import { ParagradError } from '../../errors.ts';
import { listOf } from '../names.ts';
import { CsvRows } from './csv-rows.ts';
import { JsonRows } from './json-rows.ts';
import { ParquetRows } from './parquet-rows.ts';

/** A column of a table that is written. */
export interface OutColumn {
  readonly name: string;
  /** integer: whole numbers below 2⁵³. No value is ever missing. */
  readonly kind: 'number' | 'integer' | 'text';
}

/** Values of a column, one per row: texts for `text`, else numbers. May be longer than the rows that are meant. */
export type OutValues = Float64Array | readonly string[];

/**
 * Turns columns into the bytes of a file, in bounded memory. The bytes depend on the values alone, neither on how the rows are
 * cut into calls nor on the machine.
 */
export interface RowEncoder {
  /** The bytes that come next, now that these rows are there. */
  rows(columns: readonly OutValues[], count: number): Iterable<Uint8Array>;
  /** The last bytes. */
  end(): Iterable<Uint8Array>;
}

export type RowFormat = 'csv' | 'jsonl' | 'parquet';

/** All formats by name. A new one is a file and a line here. */
const FORMATS: Readonly<Record<RowFormat, new (columns: readonly OutColumn[]) => RowEncoder>> = {
  csv: CsvRows,
  jsonl: JsonRows,
  parquet: ParquetRows,
};

const EXTENSIONS: Readonly<Record<string, RowFormat>> = { csv: 'csv', jsonl: 'jsonl', ndjson: 'jsonl', parquet: 'parquet', pq: 'parquet' };

export function rowEncoder(format: RowFormat, columns: readonly OutColumn[]): RowEncoder {
  return new FORMATS[format](columns);
}

/**
 * The format that is written: what was asked for, else what the file's name ends with, else CSV.
 *
 * @param file undefined: a stream
 * @param option that named the file
 * @param others what else may be asked for, which the caller looks at before
 * @throws PARAGRAD_OPTION for an unknown format, or an ending of a format that is not written
 */
export function rowFormat(
  file: string | undefined,
  asked: string | undefined,
  option = '--out',
  others: readonly string[] = [],
): RowFormat {
  if (asked !== undefined) {
    if (Object.hasOwn(FORMATS, asked)) return asked as RowFormat;
    throw new ParagradError(
      'PARAGRAD_OPTION',
      `--format must be one of ${[...Object.keys(FORMATS), ...others].join(', ')}, not '${asked}'`,
      {
        place: { option: '--format' },
      },
    );
  }
  const ending = /\.([a-z0-9]+)$/iu.exec(file ?? '')?.[1]?.toLowerCase();
  if (ending === undefined || ending === 'txt') return 'csv';
  const format = EXTENSIONS[ending];
  if (format === undefined)
    throw new ParagradError(
      'PARAGRAD_OPTION',
      `${option} ${file}: files that end in ${listOf(Object.keys(EXTENSIONS).map((name) => `.${name}`))} are written${option === '--out' ? '; --format says which format another name has' : ''}`,
      { place: { option, ...(file === undefined ? {} : { file }) } },
    );
  return format;
}
