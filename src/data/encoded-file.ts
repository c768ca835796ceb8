import { randomBytes } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import type * as bindings from '@duckdb/node-bindings';
import { ParagradError } from '../errors.ts';
import { panelRows } from '../partition/layout.ts';
import { type Duck, firstLine, identifier, literal, openDuck } from './duckdb.ts';
import type { Encoded } from './encoded.ts';
import { encodedColumns } from './encoder.ts';
import { type ChunkViews, type StoredSet, viewsOf } from './store.ts';

/** Rows of a DuckDB data chunk. */
const VECTOR_ROWS = 2048;
/** DuckDB's number of the type DOUBLE. */
const DOUBLE = 11 as bindings.Type.DOUBLE;

/** Finds stored rows by source row number. */
function locator(encoded: Encoded): { rows: Float64Array; of(i: number): { set: StoredSet; position: number } } {
  const { trainingRows, validationRows, store, counts } = encoded;
  const training = trainingRows.length;
  const at = new Float64Array(counts.rows).fill(-1);
  for (let i = 0; i < training; i += 1) at[trainingRows[i] as number] = i;
  for (let i = 0; i < validationRows.length; i += 1) at[validationRows[i] as number] = training + i;
  const rows = Float64Array.from([...at.keys()].filter((row) => (at[row] as number) >= 0));
  return {
    rows,
    of(i) {
      const position = at[rows[i] as number] as number;
      return position < training ? { set: store.training, position } : { set: store.validation, position: position - training };
    },
  };
}

/** Writes the encoded columns of one row, and validation, y, v, offset and row number, into column i of `out`. */
function copyRow(views: ChunkViews, lanes: number, inChunk: number, width: number, out: readonly Float64Array[], i: number): void {
  const lane = inChunk % lanes;
  let from = (inChunk - lane) * width + lane;
  for (let column = 0; column < width; column += 1) {
    (out[column] as Float64Array)[i] = views.x[from] as number;
    from += lanes;
  }
  (out[width] as Float64Array)[i] = views.y[inChunk] as number;
  (out[width + 1] as Float64Array)[i] = views.v[inChunk] as number;
  (out[width + 2] as Float64Array)[i] = views.offset?.[inChunk] ?? 0;
}

/** Appends all rows in source order to the table `encoded`, c0 … of DOUBLE. */
function appendAll(duck: Duck, append: (chunk: bindings.DataChunk) => void, encoded: Encoded, width: number): void {
  const { api } = duck;
  const columns = width + 5;
  const double = api.create_logical_type(DOUBLE);
  const chunk = api.create_data_chunk(Array.from({ length: columns }, () => double));
  const out = Array.from({ length: columns }, () => new Float64Array(VECTOR_ROWS));
  const { rows, of } = locator(encoded);
  const lanes = panelRows(encoded.store.training.layout.dtype);
  const known = new Map<StoredSet, { chunk: number; views: ChunkViews }>();
  for (let first = 0; first < rows.length; first += VECTOR_ROWS) {
    const count = Math.min(VECTOR_ROWS, rows.length - first);
    for (let i = 0; i < count; i += 1) {
      const { set, position } = of(first + i);
      const index = Math.floor(position / set.layout.chunkRows);
      let cached = known.get(set);
      if (cached === undefined || cached.chunk !== index) {
        cached = { chunk: index, views: viewsOf(encoded.store, set, index) };
        known.set(set, cached);
      }
      copyRow(cached.views, lanes, position - index * set.layout.chunkRows, width, out, i);
      (out[width + 3] as Float64Array)[i] = rows[first + i] as number;
      (out[width + 4] as Float64Array)[i] = set === encoded.store.validation ? 1 : 0;
    }
    api.data_chunk_reset(chunk);
    for (const [c, values] of out.entries()) api.copy_data_to_vector(api.data_chunk_get_vector(chunk, c), 0, values.buffer, 0, count * 8);
    api.data_chunk_set_size(chunk, count);
    append(chunk);
  }
}

/**
 * Writes a data set to Parquet exactly as training sees it: one DOUBLE column per encoded column, then `__split`
 * ('train' | 'validation'), `__target`, `__row` (source row number, from 0) and, when they were given, `__weight` and `__offset`.
 * Rows in source order; whole or not at all. Parquet readers compare names without case, so DuckDB adds `_1` to a name
 * that differs from another in case only.
 *
 * @throws PARAGRAD_FILE when the file cannot be written
 */
export async function writeEncoded(encoded: Encoded, path: string): Promise<void> {
  const names = encodedColumns(encoded.encoder).map((column) => column.name);
  const width = names.length;
  const temporary = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  const duck = await openDuck();
  try {
    await duck.run(`CREATE TABLE encoded (${Array.from({ length: width + 5 }, (_, i) => `c${i} DOUBLE`).join(', ')})`);
    duck.append('encoded', (append) => appendAll(duck, append, encoded, width));
    const list = [
      ...names.map((name, i) => `c${i} AS ${identifier(name)}`),
      `CASE WHEN c${width + 4} = 1 THEN 'validation' ELSE 'train' END AS __split`,
      `c${width} AS __target`,
      `CAST(c${width + 3} AS BIGINT) AS __row`,
      ...(encoded.weighted ? [`c${width + 1} AS __weight`] : []),
      ...(encoded.store.training.chunks.some(({ offset }) => offset !== 0) ? [`c${width + 2} AS __offset`] : []),
    ];
    await duck.run(`COPY (SELECT ${list.join(', ')} FROM encoded) TO ${literal(temporary)} (FORMAT parquet)`);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    if (error instanceof ParagradError) throw error;
    throw new ParagradError('PARAGRAD_FILE', `${path} cannot be written: ${firstLine(error)}`, { place: { file: path }, cause: error });
  } finally {
    duck.close();
  }
}
