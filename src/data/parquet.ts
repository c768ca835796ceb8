import { ParagradError } from '../errors.ts';
import { type Duck, dataError, firstLine, pathLiteral, pathsLiteral } from './duckdb.ts';
import type { Relation } from './duckdb-table.ts';
import { badIn, lenientColumns } from './lenient.ts';
import { quote } from './names.ts';
import type { FileHead } from './open-file.ts';
import { checkCasts, profile, type RawColumn } from './profile.ts';
import type { ReadOptions } from './read-options.ts';
import { checkSameColumns, type SourceFiles } from './source-files.ts';
import { kindOf, readingOf } from './sql-types.ts';

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

/** Names and types of the columns that all files have in common. */
async function commonColumns(duck: Duck, files: readonly FileHead[]): Promise<{ names: string[]; types: string[] }> {
  const found: { label: string; names: string[]; types: string[] }[] = [];
  for (const { path, label } of files) {
    const place = { file: label };
    try {
      const described = await duck.strings(`SELECT column_type FROM (DESCRIBE SELECT * FROM ${reader([{ path }])})`);
      found.push({ label, names: await columnNames(duck, path), types: described.map((row) => row[0] as string) });
    } catch (cause) {
      const why = `${label} cannot be read as Parquet (cut short or damaged?): ${firstLine(cause)}`;
      throw new ParagradError('PARAGRAD_DATA', why, { place, cause });
    }
    const { names } = found[found.length - 1] as (typeof found)[number];
    const doubled = names.find((name, i) => names.indexOf(name) !== i);
    if (doubled !== undefined)
      throw new ParagradError('PARAGRAD_DATA', `${label}: two columns have the name ${quote(doubled)}`, {
        place: { file: label, column: doubled },
      });
  }
  const first = found[0] as (typeof found)[number];
  for (const other of found.slice(1)) {
    checkSameColumns(first, other);
    const at = other.types.findIndex((type, i) => kindOf(type) !== kindOf(first.types[i] as string));
    if (at >= 0)
      throw new ParagradError(
        'PARAGRAD_DATA',
        `${other.label}: column ${quote(first.names[at] as string)} is ${other.types[at]}, and ${first.types[at]} in ${first.label}`,
        { place: { file: other.label, column: first.names[at] as string } },
      );
  }
  return first;
}

const reader = (files: readonly { readonly path: string }[]): string => `read_parquet(${pathsLiteral(files)}, hive_partitioning=false)`;

/** The relation of Parquet files. */
export async function openParquet(duck: Duck, { label: source, files }: SourceFiles, options: ReadOptions): Promise<Relation> {
  const explain = (error: unknown): ParagradError => dataError(source, error, ': is the file whole?');
  const { names, types } = await commonColumns(duck, files);
  options.check(names, source);
  const given = names.map((name, i): RawColumn => {
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
  const rows = `${reader(files)} AS t(${given.map((_, i) => `c${i}`).join(', ')})`;
  const lenient = options.badRows === 'error' ? undefined : lenientColumns(given);
  const columns = lenient?.columns ?? given;
  const from = lenient === undefined || lenient.list === '' ? rows : `(SELECT ${lenient.list} FROM ${rows})`;
  try {
    const found = await profile(duck, from, columns);
    if (found.rows === 0) throw new ParagradError('PARAGRAD_DATA', `${source} has no rows`, { place: { file: source } });
    await checkCasts(duck, { source, from, columns, forcedBy: (column) => options.forcedBy(column.name) });
    const bad = lenient === undefined ? undefined : await badIn(duck, { source, from, lenient, mode: options.badRows });
    const skip = options.badRows === 'skip' ? lenient?.bad : undefined;
    return { duck, source, from, rows: found.rows, columns: found.columns, bad, skip, explain };
  } catch (error) {
    throw explain(error);
  }
}
