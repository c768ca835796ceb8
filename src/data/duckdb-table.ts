import type * as bindings from '@duckdb/node-bindings';
import { assert, ParagradError } from '../errors.ts';
import type { BadRows } from './bad-rows.ts';
import { type Duck, dataError, literal, textsOf, validityOf } from './duckdb.ts';
import { quote } from './names.ts';
import { type Batch, INGEST_ROWS, type ScanOptions, type Table, type TableColumn, type Values } from './table.ts';

/** Dictionaries of at most this many texts are made together. */
const SMALL_DICTIONARY = 1000;

/** The relation of a table that was read into DuckDB's memory. */
export const LOADED = 'loaded';

/** A relation of DuckDB, ready to scan. */
export interface Relation {
  readonly duck: Duck;
  readonly source: string;
  /** What stands after FROM. */
  readonly from: string;
  readonly rows: number;
  /** All rows of these columns, read already: the first scan takes them, and later ones read again. */
  held?: { readonly result: bindings.Result; readonly columns: readonly number[] } | undefined;
  /** Throws when the files are not those any more that were opened; undefined: they are not read again. */
  readonly checkSource?: (() => Promise<void>) | undefined;
  /** What is wrong in it; SQL that says whether a row is to be skipped. */
  readonly bad?: BadRows | undefined;
  readonly skip?: string | undefined;
  /** `expression` gives DOUBLE or, for text, VARCHAR. */
  readonly columns: readonly (TableColumn & { readonly expression: string })[];
  /** DuckDB's message in the user's terms. */
  explain(error: unknown): ParagradError | Promise<ParagradError>;
}

/** A column of a batch while it is filled. */
interface Filling {
  readonly values: Values;
  /** The texts of an id column, so far. */
  readonly texts?: string[] | undefined;
  readonly keep: boolean;
  /** Allocated when first needed; all zeros, or in use when `anyMissing`. */
  missing: Uint8Array | undefined;
  anyMissing: boolean;
}

/** A table over a relation of DuckDB. Text columns are scanned as codes of an ENUM type, so no value becomes a string. */
export function duckTable(relation: Relation): Table {
  const { duck, columns } = relation;
  const dictionaries = new Map<number, Promise<readonly string[]>>();
  const dictionariesOf = async (wanted: readonly number[]): Promise<(readonly string[] | undefined)[]> => {
    const fresh = wanted.filter((c) => columns[c]?.kind === 'text' && !dictionaries.has(c));
    if (fresh.length > 0) {
      const made = makeEnums(relation, fresh);
      for (const [i, c] of fresh.entries())
        dictionaries.set(
          c,
          made.then((all) => all[i] as readonly string[]),
        );
    }
    return Promise.all(wanted.map((c) => dictionaries.get(c)));
  };
  return {
    source: relation.source,
    columns,
    rows: relation.rows,
    bad: relation.bad,
    scan: (wanted, options = {}) => scanRelation(relation, wanted, dictionariesOf, options),
    close: () => duck.close(),
  };
}

/** Types e<column> = ENUM of the values of text columns, in byte order; one reading for all. */
async function makeEnums(relation: Relation, wanted: readonly number[]): Promise<(readonly string[])[]> {
  const { duck, columns, from } = relation;
  const lists = wanted.map((c) => {
    const { expression } = columns[c] as Relation['columns'][number];
    return `list_sort(list(DISTINCT ${expression}) FILTER (WHERE ${expression} IS NOT NULL)) AS c${c}`;
  });
  const name = `dictionaries_${wanted[0]}`;
  try {
    await duck.run(`CREATE TABLE ${name} AS SELECT ${lists.join(', ')} FROM ${from}`);
    // Small ones in two statements for all: a statement for each takes milliseconds, and there may be thousands.
    const small = wanted.filter((c) => (columns[c]?.text?.distinct ?? Number.POSITIVE_INFINITY) <= SMALL_DICTIONARY);
    const large = wanted.filter((c) => !small.includes(c));
    const zeros = wanted.map((c) => `CAST(list_contains(list_transform(c${c}, lambda t: contains(t, chr(0))), true) AS VARCHAR)`);
    const [found = []] = await duck.strings(`SELECT ${zeros.join(', ')} FROM ${name}`);
    const odd = wanted.find((_, i) => found[i] === 'true');
    if (odd !== undefined) throw zeroInText(relation.source, columns[odd]?.name ?? '');
    for (const c of large) await duck.run(`CREATE TYPE e${c} AS ENUM (SELECT unnest(c${c}) FROM ${name})`);
    if (small.length > 0) {
      // Lists that are unnested side by side are filled up with NULL.
      const values = await duck.strings(`SELECT ${small.map((c) => `unnest(c${c})`).join(', ')} FROM ${name}`);
      const members = small.map((_, i) => values.flatMap((row) => (row[i] === null ? [] : [literal(row[i] as string)])));
      await duck.run(small.map((c, i) => `CREATE TYPE e${c} AS ENUM (${(members[i] as string[]).join(', ')})`).join('; '));
    }
    const types = await duck.run(`SELECT ${wanted.map((c) => `CAST(NULL AS e${c})`).join(', ')}`);
    const result = wanted.map((_, i) => {
      const type = duck.api.column_logical_type(types, i);
      return Array.from({ length: duck.api.enum_dictionary_size(type) }, (_value, code) => duck.api.enum_dictionary_value(type, code));
    });
    await duck.run(`DROP TABLE ${name}`);
    return result;
  } catch (error) {
    throw await relation.explain(error);
  }
}

/** Statements and dictionaries of DuckDB take a text for ended where a zero character is. */
function zeroInText(file: string, column: string): ParagradError {
  const why = 'a text holds a zero character: replace it (U+0000), or leave the column out';
  return new ParagradError('PARAGRAD_VALUE', `${file}, column ${quote(column)}: ${why}`, { place: { file, column } });
}

async function* scanRelation(
  relation: Relation,
  wanted: readonly number[],
  dictionariesOf: (wanted: readonly number[]) => Promise<(readonly string[] | undefined)[]>,
  { signal, ids = new Set(), keep = false }: ScanOptions,
): AsyncGenerator<Batch> {
  const coded = wanted.filter((c) => !ids.has(c));
  const made = await dictionariesOf(coded);
  const dictionaries = wanted.map((c) => (ids.has(c) ? undefined : made[coded.indexOf(c)]));
  const expressions = wanted.map((c) => {
    const column = relation.columns[c];
    assert(column !== undefined && column.kind !== 'other', 'a column that cannot be scanned');
    return column.kind === 'text' && !ids.has(c) ? `CAST(${column.expression} AS e${c})` : column.expression;
  });
  const { skip } = relation;
  if (skip !== undefined) expressions.push(`CAST(${skip} AS DOUBLE)`);
  // Without columns the rows still count.
  const list = expressions.length === 0 ? 'CAST(0 AS DOUBLE)' : expressions.join(', ');
  const sql = `SELECT ${list} FROM ${relation.from}`;
  const isId = wanted.map((c) => ids.has(c) && relation.columns[c]?.kind === 'text');
  const kinds: FillingKind[] = wanted.map((_, i) => ({ dictionary: dictionaries[i], id: isId[i] === true }));
  if (skip !== undefined) kinds.push({ dictionary: undefined, id: false });
  const fresh = (done: number): Filling[] => newFillings(kinds, Math.min(INGEST_ROWS, relation.rows - done), keep);
  let columns = fresh(0);
  const held = takeHeld(relation, wanted, dictionaries);
  const at = columns.map((_, i) => held?.columns[i] ?? i);
  // A stream takes its connection for itself.
  const duck = await relation.duck.connect();
  let firstRow = 0;
  let filled = 0;
  const batch = (): Batch => {
    const values = columns.map((column) => finish(column, filled));
    if (skip === undefined) return { firstRow, rows: filled, columns: values };
    const flags = values.pop() as Extract<Values, { kind: 'number' }>;
    return { firstRow, rows: filled, columns: values, skip: Uint8Array.from(flags.values.subarray(0, filled)) };
  };
  try {
    try {
      for await (const chunk of held === undefined ? duck.stream(sql, signal) : duck.chunks(held.result, signal)) {
        const size = duck.api.data_chunk_get_size(chunk);
        for (let done = 0; done < size; ) {
          // More rows than the relation has: it is counted in the end, and they have no place.
          if (firstRow + filled >= relation.rows) throw changed(relation, `after its ${relation.rows} rows there are more`);
          const rows = Math.min(size - done, INGEST_ROWS - filled, relation.rows - firstRow - filled);
          for (const [i, column] of columns.entries())
            fill(duck, column, duck.api.data_chunk_get_vector(chunk, at[i] as number), size, done, rows, filled);
          done += rows;
          filled += rows;
          if (filled < INGEST_ROWS) continue;
          yield batch();
          firstRow += filled;
          filled = 0;
          if (keep) columns = fresh(firstRow);
          for (const column of columns) {
            column.anyMissing = false;
            if (column.texts !== undefined) column.texts.length = 0;
          }
        }
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (held === undefined) await relation.checkSource?.();
      throw await relation.explain(error);
    }
    if (held === undefined) await relation.checkSource?.();
    if (firstRow + filled !== relation.rows) throw await endedEarly(relation, duck, expressions, firstRow + filled);
    if (filled > 0) yield batch();
  } finally {
    duck.close();
  }
}

/** The rows that were read already, once, and where in them the wanted columns are. */
function takeHeld(
  relation: Relation,
  wanted: readonly number[],
  dictionaries: readonly (readonly string[] | undefined)[],
): { result: bindings.Result; columns: number[] } | undefined {
  const { held, skip } = relation;
  if (held === undefined || skip !== undefined || dictionaries.some((dictionary) => dictionary !== undefined)) return undefined;
  const columns = wanted.map((c) => held.columns.indexOf(c));
  if (columns.includes(-1)) return undefined;
  relation.held = undefined;
  return { result: held.result, columns };
}

interface FillingKind {
  readonly dictionary: readonly string[] | undefined;
  /** Texts of this batch alone. */
  readonly id: boolean;
}

/** Arrays for a batch. Those that are kept are in one shared buffer, of which what is not used takes no memory. */
function newFillings(kinds: readonly FillingKind[], rows: number, keep: boolean): Filling[] {
  const buffer = keep ? new SharedArrayBuffer(kinds.length * rows * Float64Array.BYTES_PER_ELEMENT) : undefined;
  return kinds.map(({ dictionary, id }, i) => {
    const texts: string[] | undefined = id ? [] : undefined;
    const at = i * rows * Float64Array.BYTES_PER_ELEMENT;
    const values: Values =
      dictionary === undefined && texts === undefined
        ? { kind: 'number', values: buffer === undefined ? new Float64Array(rows) : new Float64Array(buffer, at, rows), missing: undefined }
        : {
            kind: 'text',
            codes: buffer === undefined ? new Int32Array(rows) : new Int32Array(buffer, at, rows),
            dictionary: texts ?? dictionary ?? [],
          };
    return { values, texts, keep, missing: undefined, anyMissing: false };
  });
}

/** Copies rows [from, from + rows) of a vector into a column at `at`: the vector's memory is reused by DuckDB. */
function fill(duck: Duck, column: Filling, vector: bindings.Vector, size: number, from: number, rows: number, at: number): void {
  const { api } = duck;
  const validity = validityOf(api, vector, size);
  if (column.values.kind === 'number') {
    const data = api.vector_get_data(vector, size * 8);
    const { values } = column.values;
    values.set(new Float64Array(data.buffer, data.byteOffset + from * 8, rows), at);
    if (validity !== null) {
      for (let i = 0; i < rows; i += 1) {
        const row = from + i;
        if ((((validity[row >> 3] as number) >> (row & 7)) & 1) === 0) values[at + i] = Number.NaN;
      }
    }
    return;
  }
  const { codes, dictionary } = column.values;
  if (column.texts !== undefined) {
    const texts = textsOf(api, vector, size);
    for (let i = 0; i < rows; i += 1) {
      const text = texts[from + i] as string | null;
      codes[at + i] = text === null ? -1 : column.texts.push(text) - 1;
    }
    return;
  }
  const width = dictionary.length <= 256 ? 1 : dictionary.length <= 65_536 ? 2 : 4;
  const data = api.vector_get_data(vector, size * width);
  const begin = data.byteOffset + from * width;
  const source =
    width === 1
      ? new Uint8Array(data.buffer, begin, rows)
      : width === 2
        ? new Uint16Array(data.buffer, begin, rows)
        : new Int32Array(data.buffer, begin, rows);
  codes.set(source, at);
  if (validity !== null) {
    for (let i = 0; i < rows; i += 1) {
      const row = from + i;
      if ((((validity[row >> 3] as number) >> (row & 7)) & 1) === 0) codes[at + i] = -1;
    }
  }
}

/** Turns NaN (missing, or NaN in the file) into a mask; the mask is only made where one is needed. */
function finish(column: Filling, rows: number): Values {
  if (column.values.kind === 'text') return column.values;
  const { values } = column.values;
  if (!values.subarray(0, rows).includes(Number.NaN)) return { kind: 'number', values, missing: undefined };
  column.missing ??= new Uint8Array(column.keep ? new SharedArrayBuffer(values.length) : new ArrayBuffer(values.length));
  if (!column.anyMissing) column.missing.fill(0);
  column.anyMissing = true;
  for (let i = 0; i < rows; i += 1) {
    if (!Number.isNaN(values[i])) continue;
    column.missing[i] = 1;
    values[i] = 0;
  }
  return { kind: 'number', values, missing: column.missing };
}

/** Runs the query of a stream that ended early to its end, for DuckDB's message. */
async function endedEarly(relation: Relation, duck: Duck, expressions: readonly string[], rows: number): Promise<ParagradError> {
  const counts = expressions.length === 0 ? 'count(*)' : expressions.map((e) => `count(${e})`).join(', ');
  try {
    await duck.run(`SELECT ${counts} FROM ${relation.from}`);
  } catch (error) {
    return relation.explain(error);
  }
  return changed(relation, `reading ended after ${rows} of ${relation.rows} rows`);
}

function changed({ source }: Relation, how: string): ParagradError {
  return dataError(source, new Error(`${how}: did the file change meanwhile?`));
}
