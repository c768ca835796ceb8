// Exports of batch.ts and descend.ts, for each storage type and loss.
import * as batch from './batch';
import * as descend from './descend';
import { Logistic, Squared } from './losses';

export function gradientListF32Squared(
  list: usize, count: usize, columns: usize, blockColumns: usize, w: usize, b: f64, scratch: usize, accumulators: usize, out: usize,
): void {
  batch.gradientList<f32, Squared>(list, count, list + count * batch.ENTRY, columns, blockColumns, w, b, scratch, accumulators, out);
}

export function gradientListF32Logistic(
  list: usize, count: usize, columns: usize, blockColumns: usize, w: usize, b: f64, scratch: usize, accumulators: usize, out: usize,
): void {
  batch.gradientList<f32, Logistic>(list, count, list + count * batch.ENTRY, columns, blockColumns, w, b, scratch, accumulators, out);
}

export function gradientListF64Squared(
  list: usize, count: usize, columns: usize, blockColumns: usize, w: usize, b: f64, scratch: usize, accumulators: usize, out: usize,
): void {
  batch.gradientList<f64, Squared>(list, count, list + count * batch.ENTRY, columns, blockColumns, w, b, scratch, accumulators, out);
}

export function gradientListF64Logistic(
  list: usize, count: usize, columns: usize, blockColumns: usize, w: usize, b: f64, scratch: usize, accumulators: usize, out: usize,
): void {
  batch.gradientList<f64, Logistic>(list, count, list + count * batch.ENTRY, columns, blockColumns, w, b, scratch, accumulators, out);
}

export function descendListF32Squared(
  list: usize, batches: usize, count: usize, columns: usize, blockColumns: usize, w: usize, at: usize, mean: usize,
  l2: f64, intercept: u32, scratch: usize, accumulators: usize, out: usize,
): void {
  descend.descendList<f32, Squared>(list, batches, count, columns, blockColumns, w, at, mean, l2, intercept, scratch, accumulators, out);
}

export function descendListF32Logistic(
  list: usize, batches: usize, count: usize, columns: usize, blockColumns: usize, w: usize, at: usize, mean: usize,
  l2: f64, intercept: u32, scratch: usize, accumulators: usize, out: usize,
): void {
  descend.descendList<f32, Logistic>(list, batches, count, columns, blockColumns, w, at, mean, l2, intercept, scratch, accumulators, out);
}

export function descendListF64Squared(
  list: usize, batches: usize, count: usize, columns: usize, blockColumns: usize, w: usize, at: usize, mean: usize,
  l2: f64, intercept: u32, scratch: usize, accumulators: usize, out: usize,
): void {
  descend.descendList<f64, Squared>(list, batches, count, columns, blockColumns, w, at, mean, l2, intercept, scratch, accumulators, out);
}

export function descendListF64Logistic(
  list: usize, batches: usize, count: usize, columns: usize, blockColumns: usize, w: usize, at: usize, mean: usize,
  l2: f64, intercept: u32, scratch: usize, accumulators: usize, out: usize,
): void {
  descend.descendList<f64, Logistic>(list, batches, count, columns, blockColumns, w, at, mean, l2, intercept, scratch, accumulators, out);
}
