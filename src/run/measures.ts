import type { Predicted } from '../models/metrics.ts';
import { isPositive } from './threshold.ts';

/** More measures of a numeric target, weighted; the median is of the rows, each counted once. */
export interface ErrorMeasures {
  /** Mean of ŷ − y: above 0, predictions are too large on the whole. */
  readonly bias: number;
  readonly medianAbsoluteError: number;
  readonly maxAbsoluteError: number;
}

/** Rows by actual and predicted class, weighted. */
export interface Confusion {
  readonly truePositive: number;
  readonly falsePositive: number;
  readonly trueNegative: number;
  readonly falseNegative: number;
}

/** What a threshold makes of the probabilities. NaN where a measure has no denominator. */
export interface ThresholdMeasures extends Confusion {
  /** A row is called positive when its probability is above. */
  readonly threshold: number;
  readonly accuracy: number;
  /** Part of the rows called positive that are. */
  readonly precision: number;
  /** Part of the positive rows that are called so. */
  readonly recall: number;
  /** Part of the negative rows that are called so. */
  readonly specificity: number;
  readonly f1: number;
}

export function errorMeasures({ y, z, v }: Predicted): ErrorMeasures {
  const errors: number[] = [];
  let weight = 0;
  let sum = 0;
  let largest = 0;
  for (let i = 0; i < y.length; i += 1) {
    if (v[i] === 0) continue;
    const error = (z[i] as number) - (y[i] as number);
    weight += v[i] as number;
    sum += (v[i] as number) * error;
    largest = Math.max(largest, Math.abs(error));
    errors.push(Math.abs(error));
  }
  const sorted = Float64Array.from(errors).sort();
  const middle = (sorted.length - 1) / 2;
  const median = ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle)] ?? Number.NaN)) / 2;
  return { bias: sum / weight, medianAbsoluteError: median, maxAbsoluteError: largest };
}

/** Mean of (p − y)², y 0 or 1. */
export function brierScore({ y, v }: Predicted, probability: Float64Array): number {
  let weight = 0;
  let sum = 0;
  for (let i = 0; i < y.length; i += 1) {
    const error = (probability[i] as number) - (y[i] as number);
    weight += v[i] as number;
    sum += (v[i] as number) * error * error;
  }
  return sum / weight;
}

/** Rows at one threshold. */
export function thresholdMeasures({ y, z, v }: Predicted, probability: Float64Array, threshold: number): ThresholdMeasures {
  // [called negative, called positive] of the negative rows, then of the positive ones.
  const rows = [0, 0, 0, 0];
  for (let i = 0; i < y.length; i += 1) {
    const called = isPositive(z[i] as number, probability[i] as number, threshold) ? 1 : 0;
    const cell = ((y[i] as number) > 0.5 ? 2 : 0) + called;
    rows[cell] = (rows[cell] as number) + (v[i] as number);
  }
  const [trueNegative, falsePositive, falseNegative, truePositive] = rows as [number, number, number, number];
  return {
    threshold,
    truePositive,
    falsePositive,
    trueNegative,
    falseNegative,
    accuracy: (truePositive + trueNegative) / (truePositive + trueNegative + falsePositive + falseNegative),
    precision: truePositive / (truePositive + falsePositive),
    recall: truePositive / (truePositive + falseNegative),
    specificity: trueNegative / (trueNegative + falsePositive),
    f1: (2 * truePositive) / (2 * truePositive + falsePositive + falseNegative),
  };
}
