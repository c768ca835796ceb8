import type { EncodedColumn } from '../data/encoder.ts';
import { type OutColumn, rowEncoder, rowFormat } from '../data/write/row-format.ts';
import { coefficientOf } from './coefficients.ts';
import type { FittedModel } from './model.ts';
import { writeWhole } from './out-file.ts';
import type { Coefficient } from './types.ts';

const COLUMNS: readonly OutColumn[] = [
  { name: 'name', kind: 'text' },
  { name: 'column', kind: 'text' },
  { name: 'part', kind: 'text' },
  { name: 'level', kind: 'text' },
  { name: 'coefficient', kind: 'number' },
  { name: 'standardized', kind: 'number' },
  { name: 'importance', kind: 'number' },
  { name: 'mean', kind: 'number' },
  { name: 'scale', kind: 'number' },
];

type Row = Coefficient & Pick<EncodedColumn, 'source' | 'mean' | 'scale'> & { readonly part: string; readonly level?: string };

/**
 * Writes a model's coefficients, the most important first, and its intercept (`part` intercept) last. The value of z, by hand:
 * intercept + Σ coefficient · value over numbers (dates in days since 1970-01-01, true as 1), + the coefficient of each
 * category's level, or of `other`; where a number is missing, its training mean is its value (`mean`: 0 where nothing was
 * standardised) and the coefficient of `missing` is added.
 *
 * @param file .csv, .jsonl or .parquet
 * @throws PARAGRAD_OPTION for another ending; PARAGRAD_OUT when the file cannot be written
 */
export async function writeCoefficients(
  model: FittedModel,
  file: string,
): Promise<{ readonly path: string; readonly coefficients: number }> {
  const encoder = rowEncoder(rowFormat(file, undefined, '--coefficients'), COLUMNS);
  const { weights, intercept } = model.vector;
  const means = model.record.columnMeans;
  const rows = model.columns.map((column, j): Row => {
    const { source, part, level, mean, scale } = column;
    return { ...coefficientOf(column, means[j] as number, weights[j] as number), source, part, level: level ?? '', mean, scale };
  });
  rows.sort((a, b) => b.importance - a.importance);
  const whole = { name: 'intercept', value: model.intercept(), standardized: intercept, importance: 0 };
  rows.push({ ...whole, source: '', part: 'intercept', level: '', mean: 0, scale: 1 });
  const text = (of: (row: Row) => string): string[] => rows.map(of);
  const number = (of: (row: Row) => number): Float64Array => Float64Array.from(rows, of);
  const values = [
    text(({ name }) => name),
    text(({ source }) => source),
    text(({ part }) => part),
    text(({ level }) => level ?? ''),
    number(({ value }) => value),
    number(({ standardized }) => standardized),
    number(({ importance }) => importance),
    number(({ mean }) => mean),
    number(({ scale }) => scale),
  ];
  await writeWhole(file, [...encoder.rows(values, rows.length), ...encoder.end()], '--coefficients');
  return { path: file, coefficients: rows.length - 1 };
}
