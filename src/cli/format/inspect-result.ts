import type { ColumnDescription, DataDescription } from '../../run/inspect.ts';
import { alignPoints, count, short } from './numbers.ts';
import type { Style } from './style.ts';
import { section, type TableColumn, table } from './table.ts';
import { clean, cut, plural, widthOf } from './text.ts';

const NAME_WIDTH = 28;
const VALUE_WIDTH = 20;
const right = (title: string): TableColumn => ({ title, align: 'right' });

/** Days since 1970-01-01 as a date. */
function date(days: number | null): string {
  if (days === null) return '–';
  const time = new Date(days * 86_400_000);
  return Number.isNaN(time.getTime())
    ? short(days)
    : time
        .toISOString()
        .slice(0, Number.isInteger(days) ? 10 : 16)
        .replace('T', ' ');
}

const MARKS: Readonly<Record<string, string>> = { target: '*', weight: '†', offset: '‡' };
const name = (column: ColumnDescription): string =>
  cut(clean(column.name), NAME_WIDTH) + (column.role in MARKS ? ` ${MARKS[column.role]}` : '');
const missing = (column: ColumnDescription, style: Style): string => (column.missing === 0 ? style.dim('0') : count(column.missing));

/** Years and other numbers of four digits are easier to read without a separator. */
function value(x: number | null): string {
  const text = short(x, 5);
  return x !== null && Math.abs(x) < 9999.5 ? text.replace(',', '') : text;
}

/** min, mean, max and standard deviation as text. */
function measures({ kind, min, mean, max, standardDeviation }: ColumnDescription): [string, string, string, string] {
  if (kind !== 'date') return [value(min), value(mean), value(max), value(standardDeviation)];
  const days = standardDeviation === null ? '–' : `${short(standardDeviation, 3)} d`;
  return [date(min), date(mean === null ? null : Math.round(mean)), date(max), days];
}

function numbers(columns: readonly ColumnDescription[], style: Style): string[] {
  const titles = [{ title: 'column' }, ...['missing', 'min', 'mean', 'max', 'std. dev.'].map(right)];
  const texts = columns.map(measures);
  const aligned = ([0, 1, 2, 3] as const).map((k) => alignPoints(texts.map((row) => row[k])));
  const rows = columns.map((column, i) => [name(column), missing(column, style), ...aligned.map((cells) => cells[i] as string)]);
  return table(titles, rows, style);
}

function categories(columns: readonly ColumnDescription[], style: Style, width: number): string[] {
  const titles = [{ title: 'column' }, right('missing'), right('values'), { title: 'most frequent' }];
  const heads = columns.map((column) => [name(column), missing(column, style), count(column.distinct ?? 0)]);
  const used =
    2 +
    [0, 1, 2].reduce((sum, j) => sum + 2 + Math.max(widthOf(titles[j]?.title ?? ''), ...heads.map((row) => widthOf(row[j] as string))), 0);
  return table(
    titles,
    columns.map((column, i) => [...(heads[i] as string[]), frequent(column, Math.max(24, width - used), style)]),
    style,
  );
}

/** As many of the most frequent values as there is room for, with their counts. */
function frequent({ top, distinct }: ColumnDescription, width: number, style: Style): string {
  const shown: string[] = [];
  let used = 0;
  for (const { value, count: rows } of top) {
    const label = cut(value === '' ? '""' : clean(value), VALUE_WIDTH);
    const cells = widthOf(label) + 1 + count(rows).length + (shown.length === 0 ? 0 : 3);
    if (shown.length > 0 && used + cells + 2 > width) break;
    used += cells;
    shown.push(`${label} ${style.dim(count(rows))}`);
  }
  const rest = shown.length < (distinct ?? 0) ? style.dim(' …') : '';
  return shown.join(style.dim(' · ')) + rest;
}

function leftOut(columns: readonly ColumnDescription[], style: Style): string[] {
  return table(
    [{}, {}],
    columns.map((column) => [name(column), style.dim(clean(column.note === '' ? column.role : column.note))]),
    style,
  );
}

/** What `paragrad inspect FILE` prints. @param width cells of a line */
export function inspectResult(description: DataDescription, style: Style, width: number): string {
  const { columns, rows, source, encoded } = description;
  const used = columns.filter(({ role }) => ['feature', 'target', 'weight', 'offset'].includes(role));
  const ofKinds = (...kinds: ColumnDescription['kind'][]): ColumnDescription[] => used.filter(({ kind }) => kinds.includes(kind));
  const rest = columns.filter((column) => !used.includes(column));
  const target = Object.entries(MARKS)
    .flatMap(([role, mark]) => (columns.some((column) => column.role === role) ? [`${mark} the ${role}`] : []))
    .join(', ');
  const lines = [
    `${style.bold(clean(source))}  ${style.dim(`${plural(rows, 'row')}, ${plural(columns.length, 'column')}${target === '' ? '' : `; ${target}`}`)}`,
    ...section('Numbers', '', numbers(ofKinds('number'), style), style),
    ...section('Dates', '', numbers(ofKinds('date'), style), style),
    ...section('Booleans', 'the mean is the part that is true', numbers(ofKinds('boolean'), style), style),
    ...section('Categories', '', categories(ofKinds('category'), style, width), style),
    ...section('Left out', 'training would not use these', leftOut(rest, style), style),
  ];
  if (encoded !== null) lines.push('', `Encoded rows are saved in ${style.bold(clean(encoded))}`);
  return lines.join('\n');
}
