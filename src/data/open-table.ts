import { ParagradError } from '../errors.ts';
import { openCsv } from './csv.ts';
import { openDuck } from './duckdb.ts';
import { duckTable, LOADED } from './duckdb-table.ts';
import { joinTables, kindsOf } from './join-tables.ts';
import { looksLikeJson, openJsonLines } from './json-lines.ts';
import { checkUnchanged, type FileHead } from './open-file.ts';
import { openParquet } from './parquet.ts';
import { type OpenOptions, readOptions } from './read-options.ts';
import { findFiles, type TableSource } from './source-files.ts';
import type { Table } from './table.ts';

/** "PAR1" */
const PARQUET_MAGIC = [0x50, 0x41, 0x52, 0x31];
const NOT_READ = /\.(xlsx?|arrow|feather|avro|orc|db|sqlite|zip|zst|bz2|xz)$/iu;

/** How the files of a table are written. */
function formatOf(file: FileHead): typeof openCsv {
  const { label, head } = file;
  const parquet = PARQUET_MAGIC.every((byte, i) => head[i] === byte);
  if (parquet) return openParquet;
  if (/\.(parquet|pq)$/iu.test(label))
    throw new ParagradError('PARAGRAD_DATA', `${label} is not a Parquet file: it does not start with PAR1`, { place: { file: label } });
  if (looksLikeJson(file)) return openJsonLines;
  if (/\.json(\.gz)?$/iu.test(label) || NOT_READ.test(label))
    throw new ParagradError(
      'PARAGRAD_FORMAT',
      `${label}: CSV, lines of JSON (both also packed by gzip) and Parquet are read, not ${label.slice(label.lastIndexOf('.'))}`,
      { place: { file: label } },
    );
  return openCsv;
}

/**
 * Opens files as one table: CSV or lines of JSON (plain or packed by gzip), or Parquet; which, their first bytes say.
 *
 * @throws PARAGRAD_FILE when one is missing, a folder, empty or unreadable; PARAGRAD_COLUMN when an option names a column
 * that is lacking; PARAGRAD_DATA or PARAGRAD_VALUE when the content is wrong, or the files do not fit together
 */
export async function openTable(source: TableSource, options: OpenOptions = {}): Promise<Table> {
  const { validationData, ...others } = options;
  const table = await openOne(source, others);
  if (validationData === undefined) return table;
  try {
    // Read as the first table was; a column that only training has is told when it is scanned.
    const { expected: _expected, category: _c, number: _n, drop: _d, weight: _w, offset: _o, id, splitBy: _s, ...rest } = others;
    const dropped = new Set(others.drop);
    const kinds = new Map([...kindsOf(table)].filter(([name]) => !dropped.has(name)));
    return joinTables(table, await openOne(validationData, { ...rest, validationAfter: undefined, expected: kinds, expectedId: id }));
  } catch (error) {
    table.close();
    throw error;
  }
}

async function openOne(source: TableSource, options: OpenOptions): Promise<Table> {
  const reading = readOptions(options);
  const { label, files, release } = await findFiles(source, options);
  try {
    const open = formatOf(files[0]);
    const other = files.find((file) => formatOf(file) !== open);
    if (other !== undefined)
      throw new ParagradError('PARAGRAD_DATA', `${other.label} is not of the same format as ${files[0].label}`, {
        place: { file: other.label },
      });
    const duck = await openDuck(options.memoryBytes, options.threads);
    try {
      const relation = await open(duck, { label, files }, reading).catch(async (error: unknown) => {
        await checkUnchanged(files);
        throw error;
      });
      await checkUnchanged(files);
      const table = duckTable({ ...relation, checkSource: relation.from === LOADED ? undefined : () => checkUnchanged(files) });
      return {
        ...table,
        close() {
          table.close();
          release();
        },
      };
    } catch (error) {
      duck.close();
      throw error;
    }
  } catch (error) {
    release();
    throw error;
  }
}
