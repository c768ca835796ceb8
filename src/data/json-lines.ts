import { ParagradError } from '../errors.ts';
import { headText } from './csv-head.ts';
import { type Duck, dataError, firstLine, literal, pathsLiteral } from './duckdb.ts';
import { LOADED, type Relation } from './duckdb-table.ts';
import { verifyGzip } from './gzip.ts';
import { jsonColumns, pointer } from './json-columns.ts';
import { badIn, lenientColumns } from './lenient.ts';
import type { FileHead } from './open-file.ts';
import { checkCasts, profile, type RawColumn, wrongValue } from './profile.ts';
import type { ReadOptions } from './read-options.ts';
import type { SourceFiles } from './source-files.ts';
import { castTarget, kindOf, readingOf } from './sql-types.ts';
import type { ColumnKind } from './table.ts';

/** JSON is read once into DuckDB's memory when it takes at most this share of what the process may use. */
const LOAD_SHARE = 0.2;
const GZIP_RATIO = 8;
/** Bytes of one object. */
const LARGEST_OBJECT = 64 * 1024 * 1024;

/** Does a file hold lines of JSON? By its name, else by its first character. */
export function looksLikeJson({ label, head: bytes, whole }: FileHead): boolean {
  if (/\.(jsonl|ndjson)(\.gz)?$/iu.test(label)) return true;
  const packed = bytes[0] === 0x1f && bytes[1] === 0x8b;
  const head = packed ? Buffer.from(headText(bytes, label, whole).text.slice(0, 1000)) : bytes;
  const first = head.find((byte) => byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09);
  return first === 0x7b;
}

/** Is every file packed by gzip, or none? @throws PARAGRAD_DATA when they differ, or a file is no text, or holds an array */
function packed(files: readonly FileHead[]): boolean {
  const found = files.map(({ head, label, whole }) => {
    const { text, gzip } = headText(head, label, whole);
    if (text.trimStart().startsWith('['))
      throw new ParagradError('PARAGRAD_DATA', `${label} holds an array: one object per line is read (jq -c '.[]' makes them)`, {
        place: { file: label, line: 1 },
      });
    return gzip;
  });
  const other = found.findIndex((gzip) => gzip !== found[0]);
  if (other >= 0) {
    const [first, label] = [files[0]?.label, files[other]?.label as string];
    throw new ParagradError('PARAGRAD_DATA', `${label} is written otherwise than ${first}: one is packed by gzip`, {
      place: { file: label },
    });
  }
  return found[0] ?? false;
}

/** The type that a column is declared with: numbers always DOUBLE. */
function declaredType(found: string, wanted: ColumnKind | undefined): string {
  const own = kindOf(found);
  if (wanted === 'text') return 'VARCHAR';
  if (own === 'number') return 'DOUBLE';
  return own === 'other' ? 'JSON' : found === 'UUID' ? 'VARCHAR' : found;
}

/** The relation of files of JSON lines, plain or packed by gzip: an object per line, its keys are the columns. */
export async function openJsonLines(duck: Duck, given: SourceFiles, options: ReadOptions): Promise<Relation> {
  const { label: source, files } = given;
  const gzip = packed(files);
  const shared = `compression=${gzip ? "'gzip'" : "'uncompressed'"}, maximum_object_size=${LARGEST_OBJECT}`;
  const paths = pathsLiteral(files);
  const objects = `read_ndjson_objects(${paths}, ${shared})`;
  let explain = (error: unknown): ParagradError | Promise<ParagradError> => explainJson(given, error);
  try {
    if (gzip) for (const { path, label } of files) await verifyGzip(path, label);
    // Objects with many keys are still rows, and no maps.
    const sniffer = `read_json(${paths}, format='newline_delimited', records='true', map_inference_threshold=-1, hive_partitioning=false, ${shared})`;
    const found = await jsonColumns(duck, { source, objects, sniffer });
    options.check(
      found.map(({ name }) => name),
      source,
    );
    const typed = found.map(({ name, type: own }, i): RawColumn => {
      const dropped = options.dropped(name);
      const wanted = dropped ? undefined : options.wanted(name);
      const type = declaredType(own, wanted);
      const reading = readingOf(type, `c${i}`, wanted) ?? { kind: 'other', expression: `c${i}` };
      return { name, type, reading, dropped, plain: options.plain(name) };
    });
    const lenient = options.badRows === 'error' ? undefined : lenientColumns(typed);
    const columns = lenient?.columns ?? typed;
    const forcedBy = (column: RawColumn): string | undefined => options.forcedBy(column.name);
    explain = (error) => explainValue(duck, { given, objects, columns, forcedBy }, error);
    const plain = new Set(lenient?.watched);
    const typeOf = ({ type, dropped }: RawColumn, i: number): string => (dropped ? 'JSON' : plain.has(i) ? 'VARCHAR' : type);
    const declared = columns.map((column, i) => `${literal(column.name)}: ${literal(typeOf(column, i))}`).join(', ');
    const names = columns.map((_, i) => `c${i}`).join(', ');
    const rows = `read_json(${paths}, format='newline_delimited', records='true', hive_partitioning=false, ${shared}, columns={${declared}}) AS t(${names})`;
    const reader = lenient === undefined || lenient.list === '' ? rows : `(SELECT ${lenient.list} FROM ${rows})`;
    const kept = columns.flatMap(({ dropped }, i) => (dropped ? [] : [`c${i}`]));
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0) * (gzip ? GZIP_RATIO : 1);
    const load = kept.length > 0 && (options.load ?? bytes <= options.memoryBytes * LOAD_SHARE);
    if (load) await duck.run(`CREATE TABLE ${LOADED} AS SELECT ${lenient === undefined ? kept.join(', ') : '*'} FROM ${reader}`);
    const from = load ? LOADED : reader;
    const profiled = await profile(duck, from, columns);
    await checkCasts(duck, { source, from, columns, forcedBy });
    const bad = lenient === undefined ? undefined : await badIn(duck, { source, from, lenient, mode: options.badRows });
    const skip = options.badRows === 'skip' ? lenient?.bad : undefined;
    return { duck, source, from, rows: profiled.rows, columns: profiled.columns, bad, skip, explain };
  } catch (error) {
    throw await explain(error);
  }
}

/** DuckDB's message about JSON: file and line. */
function explainJson(given: SourceFiles, error: unknown): ParagradError {
  if (error instanceof ParagradError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const file = given.files.find(({ path }) => message.includes(`file "${path}"`))?.label ?? given.label;
  const line = /\bin (?:line|record\/value) (\d+)/u.exec(message)?.[1];
  if (line === undefined) return dataError(file, error);
  const why = /Malformed JSON/u.test(message) ? `is not JSON (${firstLine(error).replace(/^.*?: /u, '')})` : firstLine(error);
  return new ParagradError('PARAGRAD_DATA', `${file}, line ${line}: ${why}`, { place: { file, line: Number(line) }, cause: error });
}

interface Typed {
  readonly given: SourceFiles;
  readonly objects: string;
  readonly columns: readonly RawColumn[];
  forcedBy(column: RawColumn): string | undefined;
}

/** Finds the first value that is not what its column was declared as: DuckDB does not say which column it is in. */
async function explainValue(duck: Duck, { given, objects, columns, forcedBy }: Typed, error: unknown): Promise<ParagradError> {
  const plain = explainJson(given, error);
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof ParagradError || !/transform error/u.test(message)) return plain;
  const typed = columns.filter(({ type, dropped }) => !dropped && type !== 'VARCHAR' && type !== 'JSON');
  const bad = typed.map(({ name, type }) => {
    const text = `json_extract_string(json, ${pointer(name)})`;
    const sql = castTarget(kindOf(type));
    return `CASE WHEN ${text} IS NOT NULL AND TRY_CAST(${text} AS ${sql}) IS NULL THEN ${text} END`;
  });
  const rows = `SELECT ${bad.map((expression, i) => `${expression} AS b${i}`).join(', ')} FROM ${objects}`;
  const list = typed.map((_, i) => `b${i}`).join(', ');
  const values = await duck.strings(`SELECT ${list} FROM (${rows}) WHERE coalesce(${list}) IS NOT NULL LIMIT 1`).catch(() => []);
  const at = values[0]?.findIndex((value) => value !== null) ?? -1;
  if (at < 0) return plain;
  const column = typed[at] as RawColumn;
  return wrongValue({
    source: plain.place.file ?? given.label,
    line: plain.place.line,
    column: column.name,
    value: values[0]?.[at] as string,
    kind: kindOf(column.type),
    forced: forcedBy(column),
  });
}
