import { ParagradError } from '../errors.ts';
import { BAD_EXAMPLES, type BadExample, type BadRows } from './bad-rows.ts';
import { type Duck, literal, pathsLiteral } from './duckdb.ts';
import { findBad, type Lenient } from './lenient.ts';
import type { FileHead } from './open-file.ts';
import type { ReadOptions } from './read-options.ts';

/** A line that is no row. */
export interface RejectedLine {
  readonly file: FileHead;
  /** As DuckDB counts: records, the header being the first. */
  readonly line: number;
  readonly text: string;
}

/** What may be passed over; anything else (an open quote, bytes that are no text) says nothing about the rows that follow. */
const HARMLESS = ['MISSING COLUMNS', 'TOO MANY COLUMNS'];

/**
 * The lines of CSV files that have too few or too many fields: one reading.
 *
 * @param reader `read_csv(…` without the closing bracket
 * @throws PARAGRAD_DATA for what cannot be passed over
 */
export async function rejectedLines(duck: Duck, files: readonly FileHead[], reader: string): Promise<RejectedLine[]> {
  await duck.run(`SELECT count(COLUMNS(*)) FROM ${reader}, store_rejects=true, rejects_limit=0)`);
  const rows = await duck.strings(
    `SELECT s.file_path, CAST(e.line AS VARCHAR), first(CAST(e.error_type AS VARCHAR)), first(e.csv_line), first(e.error_message)
     FROM reject_errors e JOIN reject_scans s ON e.scan_id = s.scan_id AND e.file_id = s.file_id GROUP BY s.file_path, e.line ORDER BY s.file_path, e.line`,
  );
  await duck.run('DROP TABLE reject_errors; DROP TABLE reject_scans');
  const lines = rows.map(([path, line, type, text, why]) => {
    const file = files.find((each) => each.path === path) ?? (files[0] as FileHead);
    if (!HARMLESS.includes(type ?? ''))
      throw new ParagradError('PARAGRAD_DATA', `${file.label}, line ${line}: ${why}: this cannot be passed over, so correct it`, {
        place: { file: file.label, line: Number(line) },
      });
    return { file, line: Number(line), text: text ?? '' };
  });
  return lines;
}

/** Rows of each file that can be read as rows. */
async function rowsByFile(duck: Duck, files: readonly FileHead[], reader: string): Promise<number[]> {
  const counts = await duck.strings(`SELECT filename, CAST(count(*) AS VARCHAR) FROM ${reader} GROUP BY filename`);
  const found = new Map(counts.map(([name, count]) => [name, Number(count)]));
  return files.map(({ path }) => found.get(path) ?? 0);
}

/** What is wrong in CSV files: values by column, lines that are no rows, the first of both. */
export async function badInCsv(
  duck: Duck,
  csv: {
    files: readonly FileHead[];
    from: string;
    lenient: Lenient;
    rejects: readonly RejectedLine[];
    skip: number;
    dialect: string;
    options: ReadOptions;
  },
): Promise<BadRows> {
  const { files, from, lenient, rejects, options } = csv;
  const mode = options.badRows === 'skip' ? 'skip' : 'impute';
  const { rows, columns, first } = await findBad(duck, from, lenient);
  const names = `columns={${lenient.columns.map((_, i) => `${literal(`c${i}`)}: 'VARCHAR'`).join(', ')}}`;
  const reader = `read_csv(${pathsLiteral(files)}, ${csv.dialect}, auto_detect=false, ignore_errors=true, filename=true, ${names})`;
  const counts = first.length === 0 || files.length === 1 ? [] : await rowsByFile(duck, files, reader);
  const values = first.map(({ row, column, value }): BadExample => {
    let [at, inFile] = [0, row];
    while (inFile >= (counts[at] ?? Number.POSITIVE_INFINITY)) {
      inFile -= counts[at] as number;
      at += 1;
    }
    const file = files[at] as FileHead;
    // Behind the header, and behind the lines that are no rows.
    let line = csv.skip + inFile + 2;
    for (const reject of rejects) if (reject.file === file && reject.line <= line) line += 1;
    return { file: file.label, line, row, column, value };
  });
  const lines = rejects
    .slice(0, BAD_EXAMPLES)
    .map(({ file, line, text }): BadExample => ({ file: file.label, line, row: null, column: null, value: text }));
  return { mode, rows: mode === 'skip' ? rows : 0, lines: rejects.length, columns, examples: [...values, ...lines] };
}
