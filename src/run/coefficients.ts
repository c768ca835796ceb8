import type { EncodedColumn } from '../data/encoder.ts';
import type { Vector } from '../update/pass.ts';
import type { Coefficient } from './types.ts';

/** Coefficients of encoded columns, the most important (weight × spread of the column) first. */
export function coefficientsOf(columns: readonly EncodedColumn[], columnMeans: ArrayLike<number>, { weights }: Vector): Coefficient[] {
  return columns
    .map((column, j): Coefficient => {
      const weight = weights[j] as number;
      const mean = columnMeans[j] as number;
      const spread = Math.sqrt(Math.max(0, column.kind === 'indicator' ? mean * (1 - mean) : column.variance));
      return { name: column.name, value: weight / column.scale, standardized: weight, importance: Math.abs(weight) * spread };
    })
    .sort((a, b) => b.importance - a.importance);
}

/** The intercept in the user's own units: z where every number is 0, no category applies and nothing is missing. */
export function interceptOf(columns: readonly EncodedColumn[], { weights, intercept }: Vector): number {
  return columns.reduce((sum, { mean, scale }, j) => sum - ((weights[j] as number) * mean) / scale, intercept);
}
