/**
 * Columns that form a chain: each has variance 1 and is correlated with the one before by ρ, so that columns i and j are
 * correlated by ρ^|i−j|. Their covariance has a spectrum without gaps, as real tables have, it takes one multiplication per
 * value to make, and standardising the columns does not change it.
 */

/** Stands for a pivot of 0, so that it can divide. */
const TINY = 1e-150;
/** Halvings until a double has no more bits to gain. */
const HALVINGS = 60;

/**
 * Number of eigenvalues below x of the matrix with 1, 1 + ρ², …, 1 + ρ², 1 on the diagonal and −ρ beside it (Sturm): (1 − ρ²)
 * times the inverse of the covariance.
 */
function eigenvaluesBelow(x: number, rho: number, columns: number): number {
  const square = rho * rho;
  let below = 0;
  let pivot = 1;
  for (let i = 0; i < columns; i += 1) {
    const diagonal = i === 0 || i === columns - 1 ? 1 : 1 + square;
    pivot = diagonal - x - (i === 0 ? 0 : square / pivot);
    if (pivot === 0) pivot = -TINY;
    if (pivot < 0) below += 1;
  }
  return below;
}

/** The k-th smallest eigenvalue, k from 1. */
function eigenvalue(k: number, rho: number, columns: number): number {
  let low = (1 - rho) * (1 - rho);
  let high = (1 + rho) * (1 + rho);
  for (let i = 0; i < HALVINGS; i += 1) {
    const middle = (low + high) / 2;
    if (eigenvaluesBelow(middle, rho, columns) >= k) high = middle;
    else low = middle;
  }
  return (low + high) / 2;
}

/** Condition number of the covariance of `columns` ≥ 2 columns. */
export function conditionOf(rho: number, columns: number): number {
  return eigenvalue(columns, rho, columns) / eigenvalue(1, rho, columns);
}

/** The ρ of [0, 1) with which the covariance of the columns has this condition number. One column has 1, whatever was asked. */
export function correlationFor(condition: number, columns: number): number {
  if (columns < 2 || condition <= 1) return 0;
  let low = 0;
  let high = 1;
  for (let i = 0; i < HALVINGS; i += 1) {
    const middle = (low + high) / 2;
    if (conditionOf(middle, columns) < condition) low = middle;
    else high = middle;
  }
  return low;
}

/** Variance of Σ wⱼxⱼ. */
export function varianceOf(weights: Float64Array, rho: number): number {
  let sum = 0;
  /** Σ over earlier columns of wᵢ·ρ^(j−i). */
  let earlier = 0;
  for (const weight of weights) {
    sum += weight * weight + 2 * weight * earlier;
    earlier = rho * (earlier + weight);
  }
  return sum;
}
