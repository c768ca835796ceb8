import type { EncodedColumn } from '../data/encoder.ts';
import { type OutColumn, rowEncoder, rowFormat } from '../data/write/row-format.ts';
import { outputOf, outputsOf } from '../update/vectors.ts';
import { requireModel } from './arguments.ts';
import { coefficientOf } from './coefficients.ts';
import type { FittedModel } from './model.ts';
import { writeWhole } from './out-file.ts';
import { requirePath } from './out-paths.ts';
import type { Coefficient } from './types.ts';

const CLASS: OutColumn = { name: 'class', kind: 'text' };
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
 * Writes a model's coefficients, the most important first, and its intercept (`part` intercept) last; of softmax those of every
 * class, whose label comes first, in the column `class`. The value of z, by hand:
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
  requireModel(model, 'writeCoefficients(model, file)');
  requirePath(file, '--coefficients');
  const classes = model.record.target.kind === 'labels' ? model.labels : undefined;
  const encoder = rowEncoder(rowFormat(file, undefined, '--coefficients'), classes === undefined ? COLUMNS : [CLASS, ...COLUMNS]);
  const means = model.record.columnMeans;
  const { columns } = model;
  const outputs = Array.from({ length: outputsOf(model.vector) }, (_, k) => ({ ...outputOf(model.vector, k), label: classes?.[k] ?? '' }));
  const rows = outputs.flatMap(({ weights, label }) =>
    columns.map((column, j): Row => {
      const { source, part, level, mean, scale } = column;
      const coefficient = coefficientOf(column, means[j] as number, weights[j] as number);
      return { ...coefficient, class: label, source, part, level: level ?? '', mean, scale };
    }),
  );
  rows.sort((a, b) => b.importance - a.importance);
  for (const [k, { intercept, label }] of outputs.entries()) {
    const whole = { class: label, name: 'intercept', value: model.intercept(k), standardized: intercept, importance: 0 };
    rows.push({ ...whole, source: '', part: 'intercept', level: '', mean: 0, scale: 1 });
  }
  const text = (of: (row: Row) => string): string[] => rows.map(of);
  const number = (of: (row: Row) => number): Float64Array => Float64Array.from(rows, of);
  const values = [
    ...(classes === undefined ? [] : [text((row) => row.class ?? '')]),
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
  return { path: file, coefficients: rows.length - outputs.length };
}
