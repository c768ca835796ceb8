import { describe, expect, test } from 'vitest';
import { train } from '../../src/index.ts';
import { solveExactly } from '../support/exact.ts';
import { FILIP, LONGLEY, type ReferenceProblem, WAMPLER1, WAMPLER3, WAMPLER5 } from '../support/nist.ts';

/** Least digits in which two vectors agree, component by component, capped at 15. */
function digits(found: readonly number[], exact: readonly number[]): number {
  return Math.min(15, ...found.map((value, i) => -Math.log10(Math.abs(value - (exact[i] as number)) / Math.abs(exact[i] as number))));
}

/** Intercept first, in the problem's own units. */
async function coefficientsOf(problem: ReferenceProblem): Promise<{ coefficients: number[]; reason: string; passes: number }> {
  const columns = problem.x[0]?.length ?? 0;
  const columnNames = Array.from({ length: columns }, (_, j) => `x${j}`);
  const source = { x: Float64Array.from(problem.x.flat()), rows: problem.y.length, columns, y: Float64Array.from(problem.y), columnNames };
  const { summary } = await train(source, { dtype: 'f64', tolerance: 0, l2: 0, validationFraction: 0 });
  const byName = new Map(summary.coefficients.map(({ name, value }) => [name, value]));
  return {
    coefficients: [summary.intercept, ...columnNames.map((name) => byName.get(name) as number)],
    reason: summary.reason,
    passes: summary.passes,
  };
}

describe('NIST reference problems, f64, tolerance 0, against certified and exact rational solutions', () => {
  test.each([LONGLEY, WAMPLER1, WAMPLER3])('$name: ≥ 9 digits', async (problem) => {
    const { coefficients } = await coefficientsOf(problem);
    expect(digits(coefficients, problem.certified)).toBeGreaterThanOrEqual(9);
    expect(digits(coefficients, solveExactly(problem))).toBeGreaterThanOrEqual(9);
  });

  test.each([WAMPLER5, FILIP])('$name: ends by itself, with the digits that its condition leaves', async (problem) => {
    const { coefficients, reason } = await coefficientsOf(problem);
    expect(['converged', 'precision reached']).toContain(reason);
    expect(digits(coefficients, problem.certified)).toBeGreaterThanOrEqual(5);
  });
});

test('the certified values are those of exact arithmetic, where inputs are whole numbers', () => {
  for (const problem of [WAMPLER1, WAMPLER3, WAMPLER5]) expect(digits(solveExactly(problem), problem.certified)).toBe(15);
});
