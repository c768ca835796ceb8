import { createHash } from 'node:crypto';
import type { Vector } from '../update/pass.ts';
import { outputOf, outputsOf } from '../update/vectors.ts';

/**
 * SHA-256 of the weights: f64 little-endian in the order of the encoded columns, then the intercept; of several classes one after
 * the other (docs/numerics.md §8).
 */
export function weightsSha256(vector: Vector): string {
  const count = outputsOf(vector);
  const bytes = new DataView(new ArrayBuffer((vector.weights.length + count) * 8));
  let at = 0;
  for (let c = 0; c < count; c += 1) {
    const { weights, intercept } = outputOf(vector, c);
    for (const value of weights) {
      bytes.setFloat64(at, value, true);
      at += 8;
    }
    bytes.setFloat64(at, intercept, true);
    at += 8;
  }
  return createHash('sha256').update(new Uint8Array(bytes.buffer)).digest('hex');
}
