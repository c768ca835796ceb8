import type { ClassTally, OneClassMetrics } from '../models/class-metrics.ts';
import type { Predicted } from '../models/metrics.ts';

/**
 * What a report shows of the validation rows, small enough to be kept beside the model (`validation.json`): without it a report
 * would need the data again.
 */
export type Diagnostics =
  | {
      readonly kind: 'number';
      /** A sample, evenly spaced in the order of the rows. */
      readonly points: readonly (readonly [actual: number, predicted: number])[];
      readonly errors: { readonly low: number; readonly high: number; readonly counts: readonly number[] };
    }
  | {
      readonly kind: 'classes';
      /** From (0, 0) to (1, 1). */
      readonly roc: readonly (readonly [falsePositive: number, truePositive: number])[];
      /** Tenths of the rows, by probability. */
      readonly calibration: readonly { readonly predicted: number; readonly actual: number; readonly rows: number }[];
    }
  | {
      readonly kind: 'labels';
      /** Weight of the rows by actual class, then by the class that they are called. */
      readonly confusion: readonly (readonly number[])[];
      /** By class; null where a measure has no denominator. */
      readonly byClass: readonly { readonly [K in keyof OneClassMetrics]: number | null }[];
    };

const MOST_POINTS = 1000;
const BARS = 30;
const BINS = 10;
/** Steps of the ROC curve that are kept, on each axis. */
const ROC_STEPS = 150;
/** Errors beyond these parts of all are counted in the outer bars. */
const TAILS = 0.005;

/**
 * @param predicted rows with a weight above 0 count, each once
 * @param probability of the positive class, at z; undefined for a numeric target
 */
export function diagnose({ y, z, v }: Predicted, probability: ((z: number) => number) | undefined): Diagnostics | null {
  const rows = Array.from(y.keys()).filter((i) => (v[i] as number) > 0);
  if (rows.length === 0) return null;
  const actual = rows.map((i) => y[i] as number);
  const scores = rows.map((i) => z[i] as number);
  if (probability !== undefined)
    return { kind: 'classes', roc: rocOf(actual, scores), calibration: calibrationOf(actual, scores.map(probability)) };
  const count = Math.min(MOST_POINTS, rows.length);
  const points = Array.from({ length: count }, (_, k) => {
    const i = Math.floor((k * rows.length) / count);
    return [actual[i] as number, scores[i] as number] as const;
  });
  return { kind: 'number', points, errors: histogramOf(scores.map((score, i) => score - (actual[i] as number))) };
}

/** What a report shows of several classes; null where no row counts. */
export function diagnoseClasses(tally: ClassTally): Diagnostics | null {
  if (tally.metrics().rows === 0) return null;
  return { kind: 'labels', confusion: tally.matrix(), byClass: tally.byClass() };
}

function histogramOf(errors: readonly number[]): { low: number; high: number; counts: number[] } {
  const sorted = Float64Array.from(errors).sort();
  const last = sorted.length - 1;
  const low = sorted[Math.floor(last * TAILS)] as number;
  const high = sorted[Math.ceil(last * (1 - TAILS))] as number;
  const width = high > low ? (high - low) / BARS : 1;
  const counts = new Array<number>(BARS).fill(0);
  for (const error of errors) {
    const bar = Math.max(0, Math.min(BARS - 1, Math.floor((error - low) / width)));
    counts[bar] = (counts[bar] as number) + 1;
  }
  return { low, high: low + BARS * width, counts };
}

function rocOf(actual: readonly number[], scores: readonly number[]): [number, number][] {
  const order = scores.map((_, i) => i).sort((a, b) => (scores[b] as number) - (scores[a] as number));
  const positives = actual.filter((value) => value > 0.5).length;
  const negatives = actual.length - positives;
  const points: [number, number][] = [[0, 0]];
  let found = 0;
  let mistaken = 0;
  for (const [k, i] of order.entries()) {
    if ((actual[i] as number) > 0.5) found += 1;
    else mistaken += 1;
    // Rows of the same score are called positive together.
    if (scores[order[k + 1] as number] === scores[i] && k + 1 < order.length) continue;
    const point: [number, number] = [mistaken / Math.max(1, negatives), found / Math.max(1, positives)];
    const [x, y] = points[points.length - 1] as [number, number];
    if (point[0] - x >= 1 / ROC_STEPS || point[1] - y >= 1 / ROC_STEPS) points.push(point);
  }
  const [x, y] = points[points.length - 1] as [number, number];
  return x === 1 && y === 1 ? points : [...points, [1, 1]];
}

function calibrationOf(actual: readonly number[], probabilities: readonly number[]): { predicted: number; actual: number; rows: number }[] {
  const order = probabilities.map((_, i) => i).sort((a, b) => (probabilities[a] as number) - (probabilities[b] as number));
  const bins = Math.min(BINS, order.length);
  return Array.from({ length: bins }, (_, bin) => {
    const part = order.slice(Math.floor((bin * order.length) / bins), Math.floor(((bin + 1) * order.length) / bins));
    const mean = (of: readonly number[]): number => part.reduce((sum, i) => sum + (of[i] as number), 0) / part.length;
    return { predicted: mean(probabilities), actual: mean(actual), rows: part.length };
  });
}
