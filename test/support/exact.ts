import type { ReferenceProblem } from './nist.ts';

/** A double as an exact fraction: mantissa · 2^exponent, over a power of two. */
function fractionOf(value: number): { numerator: bigint; denominator: bigint } {
  let denominator = 1n;
  let scaled = value;
  while (!Number.isInteger(scaled)) {
    scaled *= 2;
    denominator *= 2n;
  }
  return { numerator: BigInt(scaled), denominator };
}

/** Correctly rounded to about 30 bits beyond a double's mantissa, then to a double. */
function quotient(numerator: bigint, denominator: bigint): number {
  if (numerator === 0n) return 0;
  const sign = numerator < 0n !== denominator < 0n ? -1 : 1;
  const [n, d] = [numerator < 0n ? -numerator : numerator, denominator < 0n ? -denominator : denominator];
  const shift = d.toString(2).length - n.toString(2).length + 90;
  const scaled = shift >= 0 ? (n << BigInt(shift)) / d : n / (d << BigInt(-shift));
  return sign * Number(scaled) * 2 ** -shift;
}

/**
 * The least-squares solution by the normal equations in exact rational arithmetic (fraction-free Gaussian elimination, Bareiss
 * 1968): intercept first.
 */
export function solveExactly({ x, y }: Pick<ReferenceProblem, 'x' | 'y'>): number[] {
  // One common denominator, a power of two, makes all inputs whole numbers; it cancels in the solution of columns and target alike.
  const design = x.map((row, i) => [1, ...row, y[i] as number].map(fractionOf));
  const common = design.flat().reduce((most, { denominator }) => (denominator > most ? denominator : most), 1n);
  const rows = design.map((row) => row.map(({ numerator, denominator }) => numerator * (common / denominator)));
  const size = (rows[0]?.length ?? 0) - 1;
  const at = (row: readonly bigint[], j: number): bigint => row[j] as bigint;
  const matrix = Array.from({ length: size }, (_, a) =>
    Array.from({ length: size + 1 }, (_, b) => rows.reduce((sum, row) => sum + at(row, a) * at(row, b), 0n)),
  );
  let previous = 1n;
  for (let k = 0; k < size; k += 1) {
    const pivot = matrix.findIndex((row, i) => i >= k && at(row, k) !== 0n);
    [matrix[k], matrix[pivot]] = [matrix[pivot] as bigint[], matrix[k] as bigint[]];
    const top = matrix[k] as bigint[];
    for (let i = 0; i < size; i += 1) {
      if (i === k) continue;
      const row = matrix[i] as bigint[];
      const factor = at(row, k);
      for (let j = 0; j <= size; j += 1) row[j] = (at(row, j) * at(top, k) - factor * at(top, j)) / previous;
    }
    previous = at(top, k);
  }
  return matrix.map((row, i) => quotient(at(row, size), at(row, i)));
}
