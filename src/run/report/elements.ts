import { html } from './text.ts';

/** A chart or a table, with what it is and how to read it. */
export function figure(title: string, caption: string, chart: string): string {
  return `<figure><h3>${html(title)}</h3><figcaption>${html(caption)}</figcaption>${chart}</figure>`;
}

/** Figures under a heading; nothing where there are none. */
export function section(title: string, figures: readonly string[]): string {
  return figures.length === 0 ? '' : `<h2>${html(title)}</h2>\n<div class="charts">${figures.join('\n')}</div>`;
}

/** Cells of text, row by row; `figures`: a table of numbers, with a first row of names. */
export function table(rows: readonly (readonly string[])[], kind: '' | 'figures' = ''): string {
  return `<table${kind === '' ? '' : ` class="${kind}"`}>${rows.map((cells) => `<tr>${cells.map((cell) => `<td>${html(cell)}</td>`).join('')}</tr>`).join('')}</table>`;
}
