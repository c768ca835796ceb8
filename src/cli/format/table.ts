import type { Style } from './style.ts';
import { padEnd, padStart, widthOf } from './text.ts';

export interface TableColumn {
  readonly title?: string;
  readonly align?: 'left' | 'right';
}

const GAP = '  ';

/** Rows of cells in aligned columns, indented by two; the titles above are dim. Nothing for no rows. */
export function table(columns: readonly TableColumn[], rows: readonly (readonly string[])[], style: Style): string[] {
  if (rows.length === 0) return [];
  const titles = columns.map(({ title }) => title ?? '');
  const titled = titles.some((title) => title !== '');
  const widths = columns.map((_, j) => Math.max(widthOf(titles[j] as string), ...rows.map((row) => widthOf(row[j] ?? ''))));
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ align }, j) => (align === 'right' ? padStart : padEnd)(cells[j] ?? '', widths[j] as number))
      .join(GAP)
      .trimEnd();
  const body = rows.map((row) => `  ${line(row)}`);
  return titled ? [`  ${style.dim(line(titles))}`, ...body] : body;
}

/** Lines under a heading. */
export function section(title: string, remark: string, lines: readonly string[], style: Style): string[] {
  return lines.length === 0 ? [] : ['', style.bold(title) + (remark === '' ? '' : `  ${style.dim(remark)}`), ...lines];
}
