import { badNotes } from '../../run/bad-notes.ts';
import type { PredictReport } from '../../run/predict.ts';
import { count } from './numbers.ts';
import type { Style } from './style.ts';
import { clean, cut, plural } from './text.ts';

const COLUMNS_SHOWN = 5;
const EXAMPLE_WIDTH = 30;

/** What a user should know of the rows that were predicted. */
export function predictRemarks(report: PredictReport): string[] {
  const remarks: string[] = [];
  const { missingColumns } = report;
  if (missingColumns.length > 0) {
    const names = missingColumns.slice(0, COLUMNS_SHOWN).map((name) => JSON.stringify(clean(name)));
    const more = missingColumns.length > names.length ? ` and ${count(missingColumns.length - names.length)} more` : '';
    const one = missingColumns.length === 1;
    remarks.push(
      `${one ? 'column' : 'columns'} ${names.join(', ')}${more} ${one ? 'is' : 'are'} not in the file: taken as missing in every row`,
    );
  }
  remarks.push(...columnRemarks(report), ...badNotes(report.bad).map(clean));
  return remarks;
}

/** Columns whose values training did not know, and columns that have gaps: each by itself, the worst first. */
function columnRemarks({ columns }: PredictReport): string[] {
  const unseen = columns.filter((column) => column.unseen > 0).sort((a, b) => b.unseen - a.unseen);
  const gaps = columns.filter((column) => column.missing > 0).sort((a, b) => b.missing - a.missing);
  const remarks = unseen.slice(0, COLUMNS_SHOWN).map((column) => {
    const examples = column.examples.map((text) => JSON.stringify(cut(clean(text), EXAMPLE_WIDTH))).join(', ');
    const values = plural(column.unseen, 'value is a category', 'values are categories');
    return `column ${JSON.stringify(clean(column.column))}: ${values} that training did not have, such as ${examples}: taken as none of them`;
  });
  if (unseen.length > COLUMNS_SHOWN)
    remarks.push(`${plural(unseen.length - COLUMNS_SHOWN, 'more column has', 'more columns have')} such values`);
  if (gaps.length > 0) {
    const names = gaps.slice(0, COLUMNS_SHOWN).map(({ column, missing }) => `${JSON.stringify(clean(column))} (${count(missing)})`);
    const more = gaps.length > names.length ? ` and ${count(gaps.length - names.length)} more columns` : '';
    remarks.push(`values are missing in ${names.join(', ')}${more}`);
  }
  return remarks;
}

/** What `paragrad predict --out` prints. */
export function predictResult(summary: PredictReport & { readonly out: string | null }, style: Style): string {
  const where = summary.out === null ? '' : `, saved in ${style.bold(clean(summary.out))}`;
  return `${plural(summary.rows, 'row')} predicted${where}`;
}
