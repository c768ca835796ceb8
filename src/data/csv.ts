import { ParagradError } from '../errors.ts';
import { type CsvHead, headText, parseHead } from './csv-head.ts';
import { badInCsv, rejectedLines } from './csv-rejects.ts';
import { dialect, formatOptions, SAMPLE_ROWS, sniff, sniffRows } from './csv-sniff.ts';
import { type Duck, dataError, pathsLiteral } from './duckdb.ts';
import { LOADED, type Relation } from './duckdb-table.ts';
import { verifyGzip } from './gzip.ts';
import { lenientColumns } from './lenient.ts';
import { quote } from './names.ts';
import type { FileHead } from './open-file.ts';
import { checkCasts, profile, profileWith, type RawColumn, wrongValue } from './profile.ts';
import type { ReadOptions } from './read-options.ts';
import { checkSameColumns, type SourceFiles } from './source-files.ts';
import { kindOf, readingOf } from './sql-types.ts';
import type { ColumnKind } from './table.ts';

/** A CSV file is read once into DuckDB's memory when it takes at most this share of what the process may use. */
const LOAD_SHARE = 0.2;
const GZIP_RATIO = 8;
const NEW_LINE = 0x0a;

/** The type that a column is declared with: numbers always DOUBLE, so that 1.5 may follow 20,000 whole numbers. */
function declaredType(sniffed: string, wanted: ColumnKind | undefined): string {
  const own = kindOf(sniffed);
  const kind = wanted ?? own;
  if (kind === 'number') return wanted === 'number' && own === 'date' ? sniffed : 'DOUBLE';
  if (kind === 'boolean') return 'BOOLEAN';
  if (kind === 'date') return own === 'date' ? sniffed : 'TIMESTAMP';
  return 'VARCHAR';
}

/** DuckDB's message about a CSV file: file, line, column, value and the way out. */
function explainCsv(files: SourceFiles, columns: readonly RawColumn[], forcedBy: (column: RawColumn) => string | undefined) {
  return (error: unknown): ParagradError => {
    if (error instanceof ParagradError) return error;
    const message = error instanceof Error ? error.message : String(error);
    const source = files.files.find(({ path }) => message.includes(`\n  file = ${path}\n`))?.label ?? files.label;
    const found = /CSV Error on Line: (\d+)/u.exec(message)?.[1];
    const line = found === undefined ? undefined : Number(found);
    const fail = (why: string): ParagradError =>
      new ParagradError('PARAGRAD_DATA', `${source}${line === undefined ? '' : `, line ${line}`}: ${why}`, {
        place: line === undefined ? { file: source } : { file: source, line },
        cause: error,
      });
    const value = /Error when converting column "c(\d+)"\. Could not convert string "([\s\S]*?)" to '/u.exec(message);
    const column = value === null ? undefined : columns[Number(value[1])];
    if (value !== null && column !== undefined)
      return wrongValue({
        source,
        line,
        column: column.name,
        value: value[2] as string,
        kind: kindOf(column.type),
        forced: forcedBy(column),
      });
    const fields = /Expected Number of Columns: (\d+) Found: (\d+)/u.exec(message);
    if (fields !== null) return fail(`${fields[2]} fields where the header has ${fields[1]}`);
    if (/unterminated quote/u.test(message)) return fail('a quote that opens here is not closed');
    if (/Maximum line size/u.test(message)) return fail('a line longer than 2 MB: is there a quote that is not closed?');
    if (/Invalid unicode/u.test(message)) return fail('not UTF-8 text: convert the file (for example iconv -f latin1 -t utf-8)');
    if (/invalid state/u.test(message))
      return fail('not well-formed CSV: look for mixed line ends (\\n and \\r\\n) or for text behind a closing quote');
    return dataError(source, error);
  };
}

/** The header that all files have in common. */
function commonHead(files: readonly FileHead[]): CsvHead {
  const heads = files.map(({ head, label, whole }) => {
    const { text, gzip } = headText(head, label, whole);
    return { ...parseHead(text, label, gzip, whole), label };
  });
  const first = heads[0] as CsvHead & { label: string };
  for (const other of heads.slice(1)) {
    checkSameColumns(first, other);
    const differs = (['delimiter', 'gzip', 'skip'] as const).find((what) => first[what] !== other[what]);
    if (differs !== undefined)
      throw new ParagradError('PARAGRAD_DATA', `${other.label} is written otherwise than ${first.label}: ${DIFFERENCES[differs]}`, {
        place: { file: other.label },
      });
  }
  return first;
}

const DIFFERENCES = {
  delimiter: 'their delimiters differ',
  gzip: 'one is packed by gzip',
  skip: 'there are empty lines before one header',
};

/** The relation of CSV files, plain or packed by gzip. */
export async function openCsv(duck: Duck, sources: SourceFiles, options: ReadOptions): Promise<Relation> {
  const { label: source, files } = sources;
  const head = commonHead(files);
  const { gzip } = head;
  options.check(head.names, source);
  const strict = options.badRows === 'error';
  const sniffed = await (strict ? sniff : sniffRows)(duck, files[0].path, head);
  const given = head.names.map((name, i): RawColumn => {
    const dropped = options.dropped(name);
    const wanted = dropped ? undefined : options.wanted(name);
    const type = dropped ? 'VARCHAR' : declaredType(sniffed.types[i] as string, wanted);
    return {
      name,
      type,
      reading: readingOf(type, `c${i}`, wanted) ?? { kind: 'other', expression: `c${i}` },
      dropped,
      plain: options.plain(name),
    };
  });
  const lenient = strict ? undefined : lenientColumns(given, sniffed.formats);
  const columns = lenient?.columns ?? given;
  const explain = explainCsv(sources, columns, (column) => options.forcedBy(column.name));
  const declared = columns.map(({ type }, i) => `'c${i}': '${lenient === undefined ? type : 'VARCHAR'}'`).join(', ');
  const reading = `read_csv(${pathsLiteral(files)}, ${dialect(head)}, auto_detect=false`;
  const reader =
    lenient === undefined
      ? `${reading}${formatOptions(sniffed.formats)}, columns={${declared}})`
      : `(SELECT ${lenient.list === '' ? 'c0' : lenient.list} FROM ${reading}, ignore_errors=true, columns={${declared}}))`;
  const kept = lenient === undefined ? columns.flatMap((column, i) => (column.dropped ? [] : [`c${i}`])).join(', ') : '*';
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const textBytes = bytes * (gzip ? GZIP_RATIO : 1);
  const load = kept !== '' && (options.load ?? textBytes <= options.memoryBytes * LOAD_SHARE);
  // Where there is no text to make a dictionary of, one reading is enough.
  const holdable = load && strict && columns.every(({ type, dropped, plain }) => dropped || plain || kindOf(type) !== 'text');
  const hold = holdable && valueBytes(files, columns, gzip ? textBytes : undefined) <= options.memoryBytes * LOAD_SHARE;
  try {
    // Both are waited for, so that nothing runs on when the database is closed.
    const [verified, taken] = await Promise.allSettled([
      gzip ? verifyAll(files) : undefined,
      hold ? holdRows(duck, reader, columns) : load ? duck.run(`CREATE TABLE ${LOADED} AS SELECT ${kept} FROM ${reader}`) : undefined,
    ]);
    for (const each of [verified, taken]) if (each.status === 'rejected') throw each.reason;
    const held = hold && taken.status === 'fulfilled' ? (taken.value as Held) : undefined;
    const rejects = strict ? [] : await rejectedLines(duck, files, `${reading}, columns={${declared}}`);
    const from = load && !hold ? LOADED : reader;
    const found = held === undefined ? await profile(duck, from, columns) : profileWith(duck.api.row_count(held.result), columns);
    if (found.rows === 0)
      throw new ParagradError(
        'PARAGRAD_DATA',
        `${source} has a header line (${head.names.slice(0, 3).map(quote).join(', ')}${head.names.length > 3 ? ' …' : ''}) and no rows`,
        { place: { file: source } },
      );
    if (held !== undefined) return { duck, source, from, rows: found.rows, columns: found.columns, held, explain };
    const late = await lateNumbers(
      duck,
      from,
      columns,
      found.columns.map((c) => c.text?.present ?? 0),
      options,
      sniffed.known,
    );
    for (const i of late)
      found.columns[i] = {
        name: (columns[i] as RawColumn).name,
        kind: 'number',
        sourceType: 'DOUBLE',
        expression: `CAST(c${i} AS DOUBLE)`,
      };
    await checkCasts(duck, { source, from, columns, forcedBy: (column) => options.forcedBy(column.name) });
    const bad =
      lenient === undefined
        ? undefined
        : await badInCsv(duck, { files, from, lenient, rejects, skip: head.skip, dialect: dialect(head), options });
    const skip = options.badRows === 'skip' ? lenient?.bad : undefined;
    return { duck, source, from, rows: found.rows, columns: found.columns, bad, skip, explain };
  } catch (error) {
    throw explain(error);
  }
}

type Held = NonNullable<Relation['held']>;

/** All rows, as they are scanned, in DuckDB's memory. */
async function holdRows(duck: Duck, reader: string, columns: readonly RawColumn[]): Promise<Held> {
  const held = columns.flatMap((column, i) => (column.dropped || column.reading.kind === 'other' ? [] : [i]));
  const list = held.map((i) => (columns[i] as RawColumn).reading.expression);
  return { result: await duck.run(`SELECT ${list.length === 0 ? '0' : list.join(', ')} FROM ${reader}`), columns: held };
}

/** Bytes that all values take as numbers, by the length of the first lines; `textBytes`: by the text, of which lines are not seen. */
function valueBytes(files: readonly FileHead[], columns: readonly RawColumn[], textBytes: number | undefined): number {
  const perRow = columns.filter(({ dropped }) => !dropped).length * Float64Array.BYTES_PER_ELEMENT;
  const rowsOf = ({ bytes, head }: FileHead): number => {
    let lines = 1;
    for (let at = head.indexOf(NEW_LINE); at >= 0; at = head.indexOf(NEW_LINE, at + 1)) lines += 1;
    return (bytes / head.length) * lines;
  };
  return textBytes ?? files.reduce((sum, file) => sum + rowsOf(file), 0) * perRow;
}

async function verifyAll(files: readonly FileHead[]): Promise<void> {
  for (const { path, label } of files) await verifyGzip(path, label);
}

/** Columns that were empty in the sample, so taken for text, and hold only numbers. */
async function lateNumbers(
  duck: Duck,
  from: string,
  columns: readonly RawColumn[],
  present: readonly number[],
  options: ReadOptions,
  known: boolean,
): Promise<number[]> {
  const text = columns.flatMap((column, i) =>
    column.reading.kind === 'text' && !column.dropped && options.wanted(column.name) === undefined && (present[i] as number) > 0 ? [i] : [],
  );
  if (text.length === 0) return [];
  const counts = async (expression: (i: number) => string, rows: string): Promise<number[]> =>
    (
      (await duck.strings(`SELECT ${text.map((i) => `CAST(count(${expression(i)}) AS VARCHAR)`).join(', ')} FROM ${rows}`))[0] as string[]
    ).map(Number);
  const sampled = known ? await counts((i) => `c${i}`, `(SELECT * FROM ${from} LIMIT ${SAMPLE_ROWS})`) : text.map(() => 0);
  if (sampled.every((count) => count > 0)) return [];
  const numbers = await counts((i) => `TRY_CAST(c${i} AS DOUBLE)`, from);
  return text.filter((i, at) => sampled[at] === 0 && numbers[at] === present[i]);
}
