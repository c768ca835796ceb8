import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CsvHead } from './csv-head.ts';
import { type Duck, literal, pathLiteral } from './duckdb.ts';
import { makeTempFolder } from './folders.ts';
import type { DateFormats } from './lenient.ts';

/** Rows of the sample that decides the types, as DuckDB takes them. */
export const SAMPLE_ROWS = 20_480;

export interface Sniffed {
  readonly types: readonly string[];
  readonly formats: DateFormats;
  /** Whether the sample could be read at all. */
  readonly known: boolean;
}

/** How the file is written, as options of `read_csv`. */
export function dialect(head: CsvHead): string {
  const options = [
    `delim=${literal(head.delimiter)}`,
    `quote='"'`,
    `escape='"'`,
    'header=true',
    "comment=''",
    `skip=${head.skip}`,
    'strict_mode=true',
    'null_padding=false',
    "nullstr=''",
  ];
  return `${options.join(', ')}, compression=${head.gzip ? "'gzip'" : "'none'"}, hive_partitioning=false`;
}

/** Types by DuckDB's sample. A file that it cannot make sense of counts as text: reading it then finds the line. */
export async function sniff(duck: Duck, path: string, head: CsvHead): Promise<Sniffed> {
  const unknown: Sniffed = { types: head.names.map(() => 'VARCHAR'), formats: {}, known: false };
  try {
    const sniffer = `sniff_csv(${pathLiteral(path)}, ${dialect(head).replace(', hive_partitioning=false', '')}, sample_size=${SAMPLE_ROWS})`;
    const types = (await duck.strings(`SELECT c.type FROM (SELECT unnest(Columns) AS c FROM ${sniffer})`)).map((row) => row[0] as string);
    const formats = (await duck.strings(`SELECT DateFormat, TimestampFormat FROM ${sniffer}`))[0] ?? [];
    if (types.length !== head.names.length) return unknown;
    const [date, timestamp] = formats;
    for (const i of await otherWords(duck, path, head, types)) types[i] = 'VARCHAR';
    return {
      types,
      formats: { date: date || undefined, timestamp: timestamp || undefined },
      known: true,
    };
  } catch {
    return unknown;
  }
}

/** The same where lines of the sample may be no rows: the others are copied, and looked at. */
export async function sniffRows(duck: Duck, path: string, head: CsvHead): Promise<Sniffed> {
  const found = await sniff(duck, path, head);
  if (found.known) return found;
  const folder = makeTempFolder('paragrad-sample-');
  try {
    const copy = join(folder, 'sample.csv');
    const declared = head.names.map((_, i) => `'c${i}': 'VARCHAR'`).join(', ');
    const rows = `read_csv(${pathLiteral(path)}, ${dialect(head)}, auto_detect=false, ignore_errors=true, columns={${declared}})`;
    await duck.run(
      `COPY (SELECT * FROM ${rows} LIMIT ${SAMPLE_ROWS}) TO ${literal(copy)} (FORMAT csv, HEADER true, DELIMITER ${literal(head.delimiter)})`,
    );
    return await sniff(duck, copy, { ...head, gzip: false, skip: 0 });
  } catch {
    // Reading the file will say what is wrong.
    return found;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Columns that DuckDB takes for booleans, and whose words are yes and no and the like: categories, their labels are kept. */
async function otherWords(duck: Duck, path: string, head: CsvHead, types: readonly string[]): Promise<number[]> {
  const booleans = types.flatMap((type, i) => (type === 'BOOLEAN' ? [i] : []));
  if (booleans.length === 0) return [];
  const declared = types.map((_, i) => `'c${i}': 'VARCHAR'`).join(', ');
  const sample = `(SELECT * FROM read_csv(${pathLiteral(path)}, ${dialect(head)}, auto_detect=false, columns={${declared}}) LIMIT ${SAMPLE_ROWS})`;
  const list = booleans.map((i) => `CAST(count(c${i}) FILTER (WHERE lower(c${i}) NOT IN ('true', 'false')) AS VARCHAR)`).join(', ');
  const counts = (await duck.strings(`SELECT ${list} FROM ${sample}`))[0] ?? [];
  return booleans.filter((_, at) => counts[at] !== '0');
}

export function formatOptions({ date, timestamp }: DateFormats): string {
  return `${date ? `, dateformat=${literal(date)}` : ''}${timestamp ? `, timestampformat=${literal(timestamp)}` : ''}`;
}
