import type { EncodedColumn } from '../data/encoder.ts';
import type { Vector } from '../update/pass.ts';
import type { Coefficient } from './types.ts';

/** Coefficients of encoded columns, the most important (weight × spread of the column) first. */
export function coefficientsOf(columns: readonly EncodedColumn[], columnMeans: ArrayLike<number>, { weights }: Vector): Coefficient[] {
  return columns
    .map((column, j) => coefficientOf(column, columnMeans[j] as number, weights[j] as number))
    .sort((a, b) => b.importance - a.importance);
}

/** @param mean of the encoded column over the training rows */
export function coefficientOf(column: EncodedColumn, mean: number, weight: number): Coefficient {
  const spread = Math.sqrt(Math.max(0, column.kind === 'indicator' ? mean * (1 - mean) : column.variance));
  return { name: column.name, value: weight / column.scale, standardized: weight, importance: Math.abs(weight) * spread };
}

/** The intercept in the user's own units: z where every number is 0, no category applies and nothing is missing. */
export function interceptOf(columns: readonly EncodedColumn[], { weights, intercept }: Vector): number {
  return columns.reduce((sum, { mean, scale }, j) => sum - ((weights[j] as number) * mean) / scale, intercept);
}
