import type { EncodedColumn } from '../data/encoder.ts';
import type { TargetEncoder } from '../data/target.ts';
import type { Vector } from '../update/pass.ts';
import { outputOf, outputsOf } from '../update/vectors.ts';
import type { Coefficient } from './types.ts';

/** Coefficients of encoded columns (of softmax: for every class), the most important (weight × spread of the column) first. */
export function coefficientsOf(
  columns: readonly EncodedColumn[],
  columnMeans: ArrayLike<number>,
  vector: Vector,
  target: TargetEncoder,
): Coefficient[] {
  const ofOutput = (output: number): Coefficient[] => {
    const { weights } = outputOf(vector, output);
    const label = target.kind === 'labels' ? { class: target.labels[output] as string } : {};
    return columns.map((column, j) => ({ ...label, ...coefficientOf(column, columnMeans[j] as number, weights[j] as number) }));
  };
  return Array.from({ length: outputsOf(vector) }, (_, output) => ofOutput(output))
    .flat()
    .sort((a, b) => b.importance - a.importance);
}

/** @param mean of the encoded column over the training rows */
export function coefficientOf(column: EncodedColumn, mean: number, weight: number): Coefficient {
  const spread = Math.sqrt(Math.max(0, column.kind === 'indicator' ? mean * (1 - mean) : column.variance));
  return { name: column.name, value: weight / column.scale, standardized: weight, importance: Math.abs(weight) * spread };
}

/** The intercept of each output in the user's own units: z where every number is 0, no category applies and nothing is missing. */
export function interceptsOf(columns: readonly EncodedColumn[], vector: Vector): number[] {
  return Array.from({ length: outputsOf(vector) }, (_, output) => {
    const { weights, intercept } = outputOf(vector, output);
    return columns.reduce((sum, { mean, scale }, j) => sum - ((weights[j] as number) * mean) / scale, intercept);
  });
}
