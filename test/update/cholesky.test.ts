import { describe, expect, it } from 'vitest';
import { subtractProducts } from '../../src/kernels/cholesky-wasm.ts';
import { columnBase, factorise, packedLength, solve, useTrailingUpdate } from '../../src/update/cholesky.ts';
import { generator } from './random-problems.ts';

/** B·Bᵀ/n of random B with `rank` columns, packed, λ on its diagonal. */
function randomMatrix(size: number, rank: number, ridge: number, seed: number): { values: Float64Array; lambda: Float64Array } {
  const random = generator(seed);
  const b = Array.from({ length: size }, () => Float64Array.from({ length: rank }, () => random() - 0.5));
  const values = new Float64Array(packedLength(size));
  for (let j = 0; j < size; j += 1)
    for (let i = j; i < size; i += 1)
      values[columnBase(size, j) + i] = b[i].reduce((sum, x, k) => sum + x * b[j][k], 0) / rank + (i === j ? ridge : 0);
  return { values, lambda: new Float64Array(size).fill(ridge) };
}

/** Column by column, k ascending: the contract. */
function plainCholesky(size: number, a: Float64Array, lambda: Float64Array): void {
  for (let j = 0; j < size; j += 1) {
    const diagonal = a[columnBase(size, j) + j];
    for (let i = j; i < size; i += 1)
      for (let k = 0; k < j; k += 1) a[columnBase(size, j) + i] -= a[columnBase(size, k) + i] * a[columnBase(size, k) + j];
    const pivot = a[columnBase(size, j) + j];
    const replaced = !(pivot >= lambda[j] / 2);
    const root = Math.sqrt(replaced ? diagonal : pivot);
    a[columnBase(size, j) + j] = root;
    for (let i = j + 1; i < size; i += 1) a[columnBase(size, j) + i] = replaced ? 0 : a[columnBase(size, j) + i] / root;
  }
}

describe('cholesky', () => {
  it.each([0, 1, 2, 3, 31, 32, 33, 34, 35, 64, 65, 97, 130])('gives the bits of the plain loops at size %i', (size) => {
    for (const rank of [size + 3, Math.ceil(size / 2)]) {
      const { values, lambda } = randomMatrix(size, rank, 1e-9, size + 1);
      const plain = values.slice();
      plainCholesky(size, plain, lambda);
      expect(factorise(size, values, lambda).values).toEqual(plain);
    }
  });

  it.each([161, 198, 199])('gives them in SIMD, too, at size %i', (size) => {
    useTrailingUpdate(subtractProducts);
    try {
      for (const rank of [size + 3, Math.ceil(size / 2)]) {
        const { values, lambda } = randomMatrix(size, rank, 1e-9, size + 1);
        const plain = values.slice();
        plainCholesky(size, plain, lambda);
        expect(Buffer.from(factorise(size, values, lambda).values.buffer).equals(Buffer.from(plain.buffer))).toBe(true);
      }
      expect(subtractProducts(300, new Float64Array(packedLength(300)), columnBase, 0, 64)).toBe(true);
    } finally {
      useTrailingUpdate(undefined);
    }
  });

  it.each([1, 4, 5, 39, 40, 41])('solves with the bits of the plain loops at size %i', (size) => {
    const { values, lambda } = randomMatrix(size, 2 * size, 1e-4, size);
    const factor = factorise(size, values, lambda);
    const h = Float64Array.from({ length: size }, (_, j) => j - 7.3);
    const u = h.slice();
    for (let k = 0; k < size; k += 1) {
      u[k] /= values[columnBase(size, k) + k];
      for (let i = k + 1; i < size; i += 1) u[i] -= values[columnBase(size, k) + i] * u[k];
    }
    for (let k = size - 1; k >= 0; k -= 1) {
      for (let i = k + 1; i < size; i += 1) u[k] -= values[columnBase(size, k) + i] * u[i];
      u[k] /= values[columnBase(size, k) + k];
    }
    solve(factor, h);
    expect(h).toEqual(u);
  });

  it('solves', () => {
    const size = 40;
    const { values, lambda } = randomMatrix(size, 80, 1e-4, 5);
    const matrix = values.slice();
    const factor = factorise(size, values, lambda);
    expect(factor.weak).toEqual([]);
    const wanted = Float64Array.from({ length: size }, (_, j) => j - 7);
    const h = Float64Array.from({ length: size }, (_, i) => {
      let sum = 0;
      for (let j = 0; j < size; j += 1) sum += matrix[columnBase(size, Math.min(i, j)) + Math.max(i, j)] * wanted[j];
      return sum;
    });
    solve(factor, h);
    h.forEach((value, j) => {
      expect(value).toBeCloseTo(wanted[j], 9);
    });
  });

  it('replaces a pivot below λ/2 by the diagonal and clears its column', () => {
    // Rows 0 and 1 are equal up to λ, and the ridge of column 1 is said to be larger than it is.
    const values = Float64Array.of(1, 1, 0.5, 1, 0.5, 2);
    const factor = factorise(3, values, Float64Array.of(1e-3, 1e-3, 1e-3));
    expect(Array.from(factor.values)).toEqual([1, 1, 0.5, 1, 0, Math.sqrt(2 - 0.25)]);
    expect(factor.weak).toEqual([1]);
  });

  it('survives NaN', () => {
    const factor = factorise(2, Float64Array.of(NaN, 1, 4), Float64Array.of(0.1, 0.1));
    expect(factor.values[2]).toBe(2);
    expect(factor.weak).toEqual([0]);
  });

  it('counts repeated columns as weak', () => {
    const ridge = 1e-9;
    const factor = factorise(2, Float64Array.of(1 + ridge, 1, 1 + ridge), Float64Array.of(ridge, ridge));
    expect(factor.weak).toEqual([1]);
  });
});
