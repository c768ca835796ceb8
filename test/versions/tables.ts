/** A table of numbers alone, which arrays can hold: all of them doubles that take 16 digits. */
export const NUMBERS = { rows: 3000, columns: 5 } as const;

/** Row i: the columns, then the target. Square roots and + − × ÷ give the same bits everywhere. */
export function numbersRow(i: number): number[] {
  const x = [Math.sqrt(i + 1), ((i * 37) % 101) / 7, (i % 13) / 3 - 2, 1 / (1 + (i % 29)), ((i * i) % 1009) / 11];
  const y = x.reduce((sum, value, j) => sum + value * (j - 1.5), 0) + ((i * 71) % 97) / 41;
  return [...x, y];
}
