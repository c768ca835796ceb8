import type { BadExample, BadRows } from '../data/bad-rows.ts';
import { quote } from '../data/names.ts';

const count = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`;

function place({ file, line, row, column, value }: BadExample): string {
  const where = line !== null ? `line ${line}` : `data row ${((row ?? 0) + 1).toLocaleString('en-US')}`;
  return `${file}, ${where}${column === null ? '' : `, column ${quote(column)}`}: ${value === '' ? 'no value' : quote(value)}`;
}

/** What was passed over, in words: counts by column and the first examples. */
export function badNotes(bad: BadRows | undefined): string[] {
  if (bad === undefined) return [];
  const notes: string[] = [];
  const values = bad.columns.reduce((sum, column) => sum + column.values, 0);
  const by = bad.columns.map((column) => `${quote(column.column)} ${column.values}`).join(', ');
  const [wrong, broken] = [bad.examples.filter(({ column }) => column !== null), bad.examples.filter(({ column }) => column === null)];
  const first = (examples: readonly BadExample[]): string => examples.map(place).join('; ');
  if (values > 0 && bad.mode === 'skip')
    notes.push(`${count(bad.rows, 'row was', 'rows were')} skipped for wrong values (${by}): ${first(wrong)}`);
  if (values > 0 && bad.mode === 'impute')
    notes.push(
      `${count(values, 'wrong value counts as missing', 'wrong values count as missing')} (${by})${bad.rows === 0 ? '' : `; ${count(bad.rows, 'row was', 'rows were')} skipped for a wrong weight or offset`}: ${first(wrong)}`,
    );
  if (bad.lines > 0) notes.push(`${count(bad.lines, 'line was', 'lines were')} skipped for too few or too many fields: ${first(broken)}`);
  return notes;
}
