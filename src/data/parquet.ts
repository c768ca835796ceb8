import { ParagradError } from '../errors.ts';
import { type Duck, dataError, firstLine, pathLiteral } from './duckdb.ts';
import type { Relation } from './duckdb-table.ts';
import { quote } from './names.ts';
import type { FileHead } from './open-file.ts';
import { checkCasts, profile, type RawColumn } from './profile.ts';
import type { ReadOptions } from './read-options.ts';
import { readingOf } from './sql-types.ts';

/** Names of the top-level columns as the file has them: DuckDB renames doubled ones, and those that differ in case only. */
async function columnNames(duck: Duck, path: string): Promise<string[]> {
  const rows = await duck.strings(`SELECT name, CAST(coalesce(num_children, 0) AS VARCHAR) FROM parquet_schema(${pathLiteral(path)})`);
  const names: string[] = [];
  let at = 1;
  const skip = (): void => {
    const children = Number(rows[at]?.[1] ?? 0);
    at += 1;
    for (let i = 0; i < children; i += 1) skip();
  };
  while (at < rows.length) {
    names.push(rows[at]?.[0] as string);
    skip();
  }
  return names;
}

/** The relation of a Parquet file. */
export async function openParquet(duck: Duck, file: FileHead, options: ReadOptions): Promise<Relation> {
  const source = file.path;
  const reader = `read_parquet(${pathLiteral(source)}, hive_partitioning=false)`;
  const explain = (error: unknown): ParagradError => dataError(source, error, ': is the file whole?');
  let names: string[];
  let types: string[];
  try {
    names = await columnNames(duck, source);
    types = (await duck.strings(`SELECT column_type FROM (DESCRIBE SELECT * FROM ${reader})`)).map((row) => row[0] as string);
  } catch (error) {
    throw new ParagradError('PARAGRAD_DATA', `${source} cannot be read as Parquet (cut short or damaged?): ${firstLine(error)}`, {
      place: { file: source },
      cause: error,
    });
  }
  const doubled = names.find((name, i) => names.indexOf(name) !== i);
  if (doubled !== undefined)
    throw new ParagradError('PARAGRAD_DATA', `${source}: two columns have the name ${quote(doubled)}`, {
      place: { file: source, column: doubled },
    });
  options.check(names, source);
  const columns = names.map((name, i): RawColumn => {
    const type = types[i] as string;
    const dropped = options.dropped(name);
    const wanted = dropped ? undefined : options.wanted(name);
    const reading = readingOf(type, `c${i}`, wanted);
    if (reading === undefined)
      throw new ParagradError(
        'PARAGRAD_DATA',
        `${source}: column ${quote(name)} (${type}) cannot be read as a ${wanted}, as ${options.forcedBy(name)} asks`,
        { place: { file: source, column: name } },
      );
    return { name, type, reading, dropped, plain: options.plain(name) };
  });
  const from = `${reader} AS t(${columns.map((_, i) => `c${i}`).join(', ')})`;
  try {
    const found = await profile(duck, from, columns);
    if (found.rows === 0) throw new ParagradError('PARAGRAD_DATA', `${source} has no rows`, { place: { file: source } });
    await checkCasts(duck, { source, from, columns, forcedBy: (column) => options.forcedBy(column.name) });
    return { duck, source, from, rows: found.rows, columns: found.columns, explain };
  } catch (error) {
    throw explain(error);
  }
}
