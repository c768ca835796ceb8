import { gunzipSync, constants as zlib } from 'node:zlib';
import { ParagradError } from '../errors.ts';
import { quote } from './names.ts';

/**
 * The head of a CSV file, read by us: DuckDB's own detection takes a ragged file for one of a single column, an unclosed
 * quote for a file without quotes, and renames a doubled column silently.
 */
export interface CsvHead {
  readonly delimiter: string;
  readonly names: readonly string[];
  readonly gzip: boolean;
  /** Empty lines before the header, which DuckDB would take for it. */
  readonly skip: number;
}

const DELIMITERS = [',', '\t', ';', '|'];
/** Records that are looked at to choose the delimiter. */
const RECORDS = 6;

/** The head of a file (its first bytes) as text. @throws PARAGRAD_DATA when it is not UTF-8 text */
export function headText(bytes: Uint8Array, source: string, whole: boolean): { text: string; gzip: boolean } {
  const fail = (why: string): never => {
    throw new ParagradError('PARAGRAD_DATA', `${source} ${why}`, { place: { file: source } });
  };
  const gzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
  let plain = bytes;
  if (gzip) {
    try {
      plain = gunzipSync(bytes, { finishFlush: zlib.Z_SYNC_FLUSH });
    } catch (error) {
      fail(`starts like a gzip file, but cannot be unpacked: ${(error as Error).message}`);
    }
  }
  if ((plain[0] === 0xff && plain[1] === 0xfe) || (plain[0] === 0xfe && plain[1] === 0xff))
    fail('is UTF-16 text: convert it to UTF-8 (iconv -f utf-16 -t utf-8)');
  if (plain.includes(0)) fail('is not text: it holds zero bytes (CSV, lines of JSON, both also packed by gzip, and Parquet are read)');
  let text = '';
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(plain, { stream: gzip || !whole });
  } catch {
    fail('is not UTF-8 text: convert it (for example iconv -f latin1 -t utf-8), or give a Parquet file');
  }
  return { text, gzip };
}

/** Records of CSV text, quotes obeyed: fields of up to `most` records, and whether the last one was cut short. */
export function parseRecords(text: string, delimiter: string, most: number): { records: string[][]; open: 'quote' | 'line' | undefined } {
  const records: string[][] = [];
  let fields: string[] = [];
  let field = '';
  let at = 0;
  let quoted = false;
  while (at < text.length && records.length < most) {
    const char = text[at] as string;
    at += 1;
    if (quoted) {
      if (char !== '"') field += char;
      else if (text[at] === '"') {
        field += '"';
        at += 1;
      } else quoted = false;
    } else if (char === '"' && field === '') quoted = true;
    else if (char === delimiter) {
      fields.push(field);
      field = '';
    } else if (char === '\n' || char === '\r') {
      if (char === '\r' && text[at] === '\n') at += 1;
      if (fields.length > 0 || field !== '') records.push([...fields, field]);
      fields = [];
      field = '';
    } else field += char;
  }
  if (records.length >= most) return { records, open: undefined };
  if (quoted) return { records, open: 'quote' };
  if (fields.length === 0 && field === '') return { records, open: undefined };
  return { records: [...records, [...fields, field]], open: 'line' };
}

/** Fields per record, when the records agree; fewer when they do not. */
function scoreOf(text: string, delimiter: string): number {
  const { records, open } = parseRecords(text, delimiter, RECORDS);
  const whole = open === 'line' && records.length > 1 ? records.slice(0, -1) : records;
  const width = whole[0]?.length ?? 0;
  if (width < 2) return 0;
  return whole.every((record) => record.length === width) ? width : width / 1000;
}

/**
 * Delimiter and column names. `whole`: the text is the whole file, not only its head.
 *
 * @throws PARAGRAD_DATA without a header line, with two columns of one name, or when a quote in the header is not closed
 */
export function parseHead(text: string, source: string, gzip: boolean, whole: boolean): CsvHead {
  const fail = (why: string, column?: string): never => {
    throw new ParagradError('PARAGRAD_DATA', `${source}: ${why}`, {
      place: column === undefined ? { file: source, line: 1 } : { file: source, line: 1, column },
    });
  };
  const scores = DELIMITERS.map((delimiter) => scoreOf(text, delimiter));
  const delimiter = DELIMITERS[scores.indexOf(Math.max(...scores))] as string;
  const { records, open } = parseRecords(text, delimiter, 1);
  const header = records[0];
  if (header === undefined)
    return fail(open === 'quote' ? 'a quote in line 1 is not closed' : 'is empty: a header line with column names is needed');
  if (open === 'line' && !whole) fail('line 1 (the header) is longer than 4 MiB');
  if (header.every((name) => name.trim() !== '' && Number.isFinite(Number(name))))
    fail(`line 1 holds numbers only (${header.slice(0, 3).join(', ')} …): a header line with column names is needed`);
  const names = header.map((name, i) => (name.trim() === '' ? `column_${i + 1}` : name));
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) fail(`two columns have the name ${quote(name)}: rename one of them in line 1`, name);
    seen.add(name);
  }
  return { delimiter, names, gzip, skip: /^[\r\n]*/u.exec(text)?.[0].match(/\r\n|\r|\n/gu)?.length ?? 0 };
}
