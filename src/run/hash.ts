import { createHash } from 'node:crypto';
import type { Vector } from '../update/pass.ts';

/** SHA-256 of the weights: f64 little-endian in the order of the encoded columns, then the intercept (docs/numerics.md §8). */
export function weightsSha256({ weights, intercept }: Vector): string {
  const bytes = new DataView(new ArrayBuffer((weights.length + 1) * 8));
  weights.forEach((weight, j) => {
    bytes.setFloat64(j * 8, weight, true);
  });
  bytes.setFloat64(weights.length * 8, intercept, true);
  return createHash('sha256').update(new Uint8Array(bytes.buffer)).digest('hex');
}
