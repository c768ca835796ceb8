import type { PredictReport } from '../../run/predict.ts';
import { count } from './numbers.ts';
import type { Style } from './style.ts';
import { clean, plural } from './text.ts';

const COLUMNS_SHOWN = 5;

/** What a user should know of the rows that were predicted. */
export function predictRemarks(report: PredictReport): string[] {
  const remarks: string[] = [];
  const { missingColumns, unseenValues } = report;
  if (missingColumns.length > 0) {
    const names = missingColumns.slice(0, COLUMNS_SHOWN).map((name) => JSON.stringify(clean(name)));
    const more = missingColumns.length > names.length ? ` and ${count(missingColumns.length - names.length)} more` : '';
    const one = missingColumns.length === 1;
    remarks.push(
      `${one ? 'column' : 'columns'} ${names.join(', ')}${more} ${one ? 'is' : 'are'} not in the file: taken as missing in every row`,
    );
  }
  if (unseenValues > 0)
    remarks.push(
      `${plural(unseenValues, 'value is a category', 'values are categories')} that training did not have: taken as "other" where there is one, else as none`,
    );
  return remarks;
}

/** What `paragrad predict --out` prints. */
export function predictResult(summary: PredictReport & { readonly out: string | null }, style: Style): string {
  const where = summary.out === null ? '' : `, saved in ${style.bold(clean(summary.out))}`;
  return `${plural(summary.rows, 'row')} predicted${where}`;
}
