import { compareUtf8 } from './names.ts';
import type { ColumnRole } from './schema.ts';
import type { ColumnStatistics } from './statistics.ts';
import type { ColumnKind } from './table.ts';

/**
 * How source columns become encoded columns (docs/numerics.md §8): fitted on training rows, plain JSON, part of the model.
 * A column gives its value, or its levels in UTF-8 byte order and then `other`; then `missing`.
 */
export interface NumberEncoder {
  readonly kind: 'number' | 'date';
  readonly name: string;
  /** false: constant in training; only `missing` is left of it. */
  readonly value: boolean;
  /** x = (value − mean) / scale; 0 and 1 when not standardised. */
  readonly mean: number;
  readonly scale: number;
  /** M2/n of the training rows that have a value, in the source's units. */
  readonly variance: number;
  /** Was missing in some training row: there is an indicator of that. */
  readonly missing: boolean;
}

export interface BooleanEncoder {
  readonly kind: 'boolean';
  readonly name: string;
  readonly value: boolean;
  readonly missing: boolean;
}

export interface CategoryEncoder {
  readonly kind: 'category';
  readonly name: string;
  /** In UTF-8 byte order. */
  readonly levels: readonly string[];
  /** Training had more values than levels: the rest share one column. */
  readonly other: boolean;
  readonly missing: boolean;
}

export type ColumnEncoder = NumberEncoder | BooleanEncoder | CategoryEncoder;

export interface Encoder {
  readonly version: 1;
  /** Features that have at least one encoded column, in source order. */
  readonly columns: readonly ColumnEncoder[];
}

/** One column of the encoded matrix. */
export interface EncodedColumn {
  /** `Lot_Area`, `Neighborhood=North_Ames`, `Neighborhood other`, `Lot_Frontage missing` */
  readonly name: string;
  readonly kind: 'number' | 'indicator';
  /** Name of the source column. */
  readonly source: string;
  readonly part: 'value' | 'level' | 'other' | 'missing';
  readonly level?: string;
  /** Indicators have mean 0 and scale 1: they stay 0 and 1. */
  readonly mean: number;
  readonly scale: number;
  /** Of the encoded values over the training rows; NaN for an indicator, whose mean says it. */
  readonly variance: number;
}

/** Encoded columns that a source column gives. */
export function widthOf(column: ColumnEncoder): number {
  const own = column.kind === 'category' ? column.levels.length + (column.other ? 1 : 0) : column.value ? 1 : 0;
  return own + (column.missing ? 1 : 0);
}

/** Columns of the encoded matrix. */
export function encodedWidth(encoder: Encoder): number {
  return encoder.columns.reduce((sum, column) => sum + widthOf(column), 0);
}

/** The columns of the encoded matrix, in order. */
export function encodedColumns(encoder: Encoder): EncodedColumn[] {
  return encoder.columns.flatMap((column): EncodedColumn[] => {
    const { name: source } = column;
    const indicator = { kind: 'indicator', source, mean: 0, scale: 1, variance: Number.NaN } as const;
    const own: EncodedColumn[] = [];
    if (column.kind === 'category') {
      for (const level of column.levels) own.push({ ...indicator, name: `${source}=${level}`, part: 'level', level });
      if (column.other) own.push({ ...indicator, name: `${source} other`, part: 'other' });
    } else if (column.kind === 'boolean') {
      if (column.value) own.push({ ...indicator, name: source, part: 'value' });
    } else if (column.value) {
      const { mean, scale, variance } = column;
      own.push({ name: source, kind: 'number', source, part: 'value', mean, scale, variance: variance / (scale * scale) });
    }
    if (column.missing) own.push({ ...indicator, name: `${source} missing`, part: 'missing' });
    return own;
  });
}

/** Kinds that a table must give for the encoder's columns, by name: what `openTable` takes as `expected`. */
export function expectedKinds(encoder: Encoder): Map<string, ColumnKind> {
  return new Map(encoder.columns.map((column) => [column.name, column.kind === 'category' ? 'text' : column.kind]));
}

/** A feature and what training rows say about it. */
export interface FittedFeature {
  readonly name: string;
  readonly kind: ColumnKind;
  readonly statistics: ColumnStatistics;
  /** Text only. */
  readonly dictionary?: readonly string[];
}

/** The most frequent values, ties by bytes; then in byte order. */
function levelsOf(counts: Float64Array, dictionary: readonly string[], most: number): { levels: string[]; other: boolean } {
  const seen: number[] = [];
  for (let code = 0; code < counts.length; code += 1) if ((counts[code] as number) > 0) seen.push(code);
  const text = (code: number): string => dictionary[code] as string;
  seen.sort((a, b) => (counts[b] as number) - (counts[a] as number) || compareUtf8(text(a), text(b)));
  return { levels: seen.slice(0, most).map(text).sort(compareUtf8), other: seen.length > most };
}

function fitColumn(feature: FittedFeature, options: { standardize: boolean; maxCategories: number }): ColumnEncoder {
  const { name, statistics } = feature;
  const missing = statistics.missing > 0;
  if (statistics.kind === 'text')
    return { kind: 'category', name, ...levelsOf(statistics.counts, feature.dictionary ?? [], options.maxCategories), missing };
  const value = statistics.m2 > 0;
  if (feature.kind === 'boolean') return { kind: 'boolean', name, value, missing };
  const kind = feature.kind === 'date' ? 'date' : 'number';
  const variance = value ? statistics.m2 / statistics.weight : 0;
  if (!value || !options.standardize) return { kind, name, value, mean: 0, scale: 1, variance, missing };
  return { kind, name, value, mean: statistics.mean, scale: Math.sqrt(variance), variance, missing };
}

/** Why a fitted column gives nothing, or less than it could: undefined when it gives all. */
function lossOf(column: ColumnEncoder, statistics: ColumnStatistics): { role: ColumnRole; note: string } | undefined {
  const empty = statistics.kind === 'text' ? statistics.counts.every((count) => count === 0) : statistics.weight === 0;
  if (empty) return { role: 'empty', note: 'no value in any training row' };
  if (column.kind === 'category') {
    const only = column.levels[0];
    return column.levels.length === 1 && !column.missing
      ? { role: 'constant', note: `always ${JSON.stringify(only)} in training rows` }
      : undefined;
  }
  if (column.value) return undefined;
  const constant = statistics.kind === 'number' ? statistics.min : 0;
  const shown = column.kind === 'boolean' ? constant === 1 : constant;
  if (column.missing) return { role: 'feature', note: `always ${shown} or missing in training rows: encoded as "was missing" only` };
  return { role: 'constant', note: `always ${shown} in training rows` };
}

/** Fits the encoder; `found` holds roles and notes of columns that give nothing, or only their indicator. */
export function fitEncoder(
  features: readonly FittedFeature[],
  options: { standardize: boolean; maxCategories: number },
): { encoder: Encoder; found: Map<string, { role: ColumnRole; note: string }> } {
  const columns: ColumnEncoder[] = [];
  const found = new Map<string, { role: ColumnRole; note: string }>();
  for (const feature of features) {
    const column = fitColumn(feature, options);
    const loss = lossOf(column, feature.statistics);
    if (loss !== undefined) found.set(feature.name, loss);
    if (loss === undefined || loss.role === 'feature') columns.push(column);
  }
  return { encoder: { version: 1, columns }, found };
}

/** Encoded columns of each code of a dictionary, counted from the column's first: −1 for a text without a level. */
export function codeColumns(column: CategoryEncoder, dictionary: readonly string[]): Int32Array {
  const at = new Map(column.levels.map((level, i) => [level, i]));
  const rest = column.other ? column.levels.length : -1;
  return Int32Array.from(dictionary, (text) => at.get(text) ?? rest);
}
