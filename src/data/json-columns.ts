import { ParagradError } from '../errors.ts';
import { type Duck, literal } from './duckdb.ts';
import { compareUtf8, quote } from './names.ts';

/** Objects of the sample that decides order and types of columns, as DuckDB takes them. */
const SAMPLE_ROWS = 20_480;

export interface JsonColumn {
  readonly name: string;
  /** In DuckDB's words. */
  readonly type: string;
}

/** A JSON pointer to a key, as an SQL literal. */
export function pointer(name: string): string {
  return literal(`/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`);
}

/**
 * The columns of lines of JSON: keys in the order in which the sample has them first, then those that only later lines have,
 * in byte order. Every line is looked at, so that no key is passed over.
 *
 * @param from `objects`: gives each line as `json`; `sniffer`: reads the file with types that DuckDB finds
 * @throws PARAGRAD_DATA for lines that are no objects, doubled keys, and keys that differ in case only
 */
export async function jsonColumns(duck: Duck, from: { source: string; objects: string; sniffer: string }): Promise<JsonColumn[]> {
  const { source, objects, sniffer } = from;
  const fail = (why: string, column?: string): ParagradError =>
    new ParagradError('PARAGRAD_DATA', `${source}: ${why}`, { place: column === undefined ? { file: source } : { file: source, column } });
  const kinds = `SELECT CAST(to_json(json_keys(json)) AS VARCHAR), json_type(json) FROM ${objects} GROUP BY ALL`;
  const all = await duck.strings(kinds);
  if (all.length === 0) throw fail('has no rows');
  const other = all.find(([, type]) => type !== 'OBJECT');
  if (other !== undefined) throw fail(`a line holds ${other[1]?.toLowerCase()} where an object is needed: {"column": value, …}`);
  const keysOf = (row: (string | null)[]): string[] => JSON.parse(row[0] ?? '[]') as string[];
  const lists = all.map(keysOf);
  for (const keys of lists) {
    const doubled = keys.find((key, i) => keys.indexOf(key) !== i);
    if (doubled !== undefined) throw fail(`a line has the key ${quote(doubled)} twice`, doubled);
  }
  const sample = `SELECT json_keys(json) AS keys, row_number() OVER () AS row FROM (SELECT json FROM ${objects} LIMIT ${SAMPLE_ROWS})`;
  const first = (await duck.strings(`SELECT CAST(to_json(keys) AS VARCHAR) FROM (${sample}) GROUP BY keys ORDER BY min(row)`)).flatMap(
    keysOf,
  );
  const names = [...new Set([...first, ...lists.flat().sort(compareUtf8)])];
  if (names.length === 0) throw fail('its objects have no keys');
  if (names.includes('')) throw fail('a key is empty', '');
  const lower = new Map<string, string>();
  for (const name of names) {
    const same = lower.get(name.toLowerCase());
    if (same !== undefined) throw fail(`keys ${quote(same)} and ${quote(name)} differ in case only: rename one`, name);
    lower.set(name.toLowerCase(), name);
  }
  const sniffed = new Map(
    (await duck.strings(`SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM ${sniffer})`)).map(([name, type]) => [
      name,
      type as string,
    ]),
  );
  const types = await lateTypes(
    duck,
    objects,
    names.filter((name) => [undefined, 'JSON'].includes(sniffed.get(name))),
  );
  return names.map((name) => ({ name, type: types.get(name) ?? sniffed.get(name) ?? 'JSON' }));
}

/** Types of columns about which the sample says nothing, or more than one thing: from all rows. */
async function lateTypes(duck: Duck, objects: string, names: readonly string[]): Promise<Map<string, string>> {
  if (names.length === 0) return new Map();
  const list = names.map((name) => `CAST(to_json(list(DISTINCT json_type(json, ${pointer(name)}))) AS VARCHAR)`).join(', ');
  const found = (await duck.strings(`SELECT ${list} FROM ${objects}`))[0] ?? [];
  return new Map(
    names.map((name, i) => {
      const types = (JSON.parse(found[i] ?? '[]') as (string | null)[]).filter((type) => type !== null && type !== 'NULL');
      if (types.every((type) => ['UBIGINT', 'BIGINT', 'DOUBLE', 'HUGEINT', 'UHUGEINT'].includes(type as string)) && types.length > 0)
        return [name, 'DOUBLE'];
      if (types.length === 1 && types[0] === 'BOOLEAN') return [name, 'BOOLEAN'];
      return [name, types.some((type) => type === 'OBJECT' || type === 'ARRAY') ? 'JSON' : 'VARCHAR'];
    }),
  );
}
