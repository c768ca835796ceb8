import { ParagradError } from '../errors.ts';
import { openCsv } from './csv.ts';
import { openDuck } from './duckdb.ts';
import { duckTable } from './duckdb-table.ts';
import { readHead } from './open-file.ts';
import { openParquet } from './parquet.ts';
import { type OpenOptions, readOptions } from './read-options.ts';
import type { Table } from './table.ts';

/** "PAR1" */
const PARQUET_MAGIC = [0x50, 0x41, 0x52, 0x31];
const NOT_READ = /\.(jsonl?|ndjson|xlsx?|arrow|feather|avro|orc|db|sqlite|zip|zst|bz2|xz)$/iu;

/**
 * Opens a CSV (plain or packed by gzip) or Parquet file as a table; which, its first bytes say.
 *
 * @throws PARAGRAD_FILE when it is missing, a folder, empty or unreadable; PARAGRAD_COLUMN when an option names a column
 * that it lacks; PARAGRAD_DATA or PARAGRAD_VALUE when its content is wrong
 */
export async function openTable(path: string, options: OpenOptions = {}): Promise<Table> {
  const reading = readOptions(options);
  const file = await readHead(path);
  const parquet = PARQUET_MAGIC.every((byte, i) => file.head[i] === byte);
  if (!parquet && /\.(parquet|pq)$/iu.test(path))
    throw new ParagradError('PARAGRAD_DATA', `${path} is not a Parquet file: it does not start with PAR1`, { place: { file: path } });
  if (!parquet && NOT_READ.test(path))
    throw new ParagradError(
      'PARAGRAD_FORMAT',
      `${path}: CSV, CSV packed by gzip, and Parquet are read, not ${path.slice(path.lastIndexOf('.'))}`,
      { place: { file: path } },
    );
  const duck = await openDuck(reading.memoryBytes);
  try {
    return duckTable(await (parquet ? openParquet : openCsv)(duck, file, reading));
  } catch (error) {
    duck.close();
    throw error;
  }
}
