import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type * as bindings from '@duckdb/node-bindings';
import { ParagradError } from '../errors.ts';
import { memoryLimitBytes, usableCores } from './limits.ts';

/**
 * DuckDB behind a small door: the only file that loads it, and only when a file is read or written. The raw bindings are
 * used, since their typed vectors are ten times as fast as rows of objects.
 */
type Api = typeof bindings;

const decoder = new TextDecoder();

/** Memory for DuckDB itself, as a share of what this process may use: the encoded data need the rest. */
const MEMORY_SHARE = 0.4;
const LEAST_MEMORY = 256 * 1024 ** 2;
/** What a streaming result may run ahead by, as a share of DuckDB's memory; the default (1 MB) starves its threads. */
const STREAM_SHARE = 0.1;
const STREAM_BYTES = { least: 64e6, most: 512e6 };

export interface Duck {
  readonly api: Api;
  /** Runs a statement to its end. */
  run(sql: string): Promise<bindings.Result>;
  /** All rows of a query whose columns are all VARCHAR. */
  strings(sql: string): Promise<(string | null)[][]>;
  /**
   * The chunks of a query, read ahead by DuckDB's threads. A streaming result can END EARLY WITHOUT AN ERROR: the caller
   * must count rows and, when some are lacking, run the query to its end for the message.
   */
  stream(sql: string, signal?: AbortSignal): AsyncGenerator<bindings.DataChunk>;
  /** The chunks of a result that is complete. It can be read once. */
  chunks(result: bindings.Result, signal?: AbortSignal): AsyncGenerator<bindings.DataChunk>;
  /** Appends data chunks to a table: `fill` is given the function that takes them. */
  append(table: string, fill: (append: (chunk: bindings.DataChunk) => void) => void): void;
  /** A second connection to the same database: a stream takes one for itself. */
  connect(): Promise<Duck>;
  close(): void;
}

/** DuckDB's part of the memory that this process may use. */
export function duckMemoryBytes(memoryBytes: number): number {
  return Math.max(LEAST_MEMORY, Math.floor(memoryBytes * MEMORY_SHARE));
}

/**
 * Opens an empty database in memory. It spills to a folder of its own under the system's temporary folder.
 *
 * @param memoryBytes what the whole process may use
 * @param threads that DuckDB works with; what they read is in the same order, however many there are
 */
export async function openDuck(memoryBytes: number = memoryLimitBytes(), threads: number = usableCores()): Promise<Duck> {
  const loaded = await import('@duckdb/node-bindings');
  const api: Api = (loaded as unknown as { default: Api }).default;
  const config = api.create_config();
  const set = (name: string, value: string): void => api.set_config(config, name, value);
  set('memory_limit', `${Math.floor(duckMemoryBytes(memoryBytes) / 1024 ** 2)}MiB`);
  set('temp_directory', join(tmpdir(), `paragrad-duckdb-${process.pid}-${randomBytes(6).toString('hex')}`));
  set('threads', String(threads));
  set('preserve_insertion_order', 'true');
  set('autoinstall_known_extensions', 'false');
  set('autoload_known_extensions', 'false');
  const database = await api.open(':memory:', config);
  const ahead = Math.min(STREAM_BYTES.most, Math.max(STREAM_BYTES.least, duckMemoryBytes(memoryBytes) * STREAM_SHARE));
  return connectTo(api, database, Math.floor(ahead), true);
}

async function connectTo(api: Api, database: bindings.Database, aheadBytes: number, owner: boolean): Promise<Duck> {
  const connection = await api.connect(database);
  await api.query(connection, `SET streaming_buffer_size = '${aheadBytes}B'`);
  let closed = false;
  const duck: Duck = {
    api,
    run: (sql) => api.query(connection, sql),
    strings: async (sql) => readStrings(api, await api.query(connection, sql)),
    stream: (sql, signal) =>
      chunksOf(api, connection, async () => api.execute_prepared_streaming(await api.prepare(connection, sql)), signal),
    chunks: (result, signal) => chunksOf(api, connection, () => Promise.resolve(result), signal),
    append(table, fill) {
      const appender = api.appender_create(connection, null, table);
      fill((chunk) => api.append_data_chunk(appender, chunk));
      api.appender_close_sync(appender);
    },
    connect: () => connectTo(api, database, aheadBytes, false),
    close() {
      if (closed) return;
      closed = true;
      api.disconnect_sync(connection);
      if (owner) api.close_sync(database);
    },
  };
  return duck;
}

async function* chunksOf(
  api: Api,
  connection: bindings.Connection,
  execute: () => Promise<bindings.Result>,
  signal: AbortSignal | undefined,
): AsyncGenerator<bindings.DataChunk> {
  const stop = (): void => api.interrupt(connection);
  signal?.throwIfAborted();
  signal?.addEventListener('abort', stop);
  let next: Promise<bindings.DataChunk | null> | undefined;
  try {
    const result = await execute();
    // The next chunk is made, by a thread of its own, while this one is worked on.
    next = api.fetch_chunk(result);
    for (;;) {
      const chunk = await next;
      next = undefined;
      signal?.throwIfAborted();
      if (chunk === null || api.data_chunk_get_size(chunk) === 0) return;
      next = api.fetch_chunk(result);
      // It is waited for below, or in the end; a failure is no surprise until then.
      next.catch(() => undefined);
      yield chunk;
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
    // Whoever leaves early may close the connection.
    await next?.catch(() => undefined);
  }
}

/** Is row `row` valid? Bytes under NULL are garbage: look here first. No mask: all are. */
export function isValid(validity: Uint8Array | null, row: number): boolean {
  return validity === null || (((validity[row >> 3] as number) >> (row & 7)) & 1) === 1;
}

export function validityOf(api: Api, vector: bindings.Vector, rows: number): Uint8Array | null {
  return api.vector_get_validity(vector, Math.ceil(rows / 64) * 8) as Uint8Array | null;
}

async function readStrings(api: Api, result: bindings.Result): Promise<(string | null)[][]> {
  const rows: (string | null)[][] = [];
  const columns = api.column_count(result);
  for (;;) {
    const chunk = await api.fetch_chunk(result);
    const size = chunk === null ? 0 : api.data_chunk_get_size(chunk);
    if (chunk === null || size === 0) return rows;
    const first = rows.length;
    for (let row = 0; row < size; row += 1) rows.push(new Array<string | null>(columns).fill(null));
    for (let column = 0; column < columns; column += 1) {
      const texts = textsOf(api, api.data_chunk_get_vector(chunk, column), size);
      for (let row = 0; row < size; row += 1) (rows[first + row] as (string | null)[])[column] = texts[row] as string | null;
    }
  }
}

/** The values of a VARCHAR vector. */
export function textsOf(api: Api, vector: bindings.Vector, size: number): (string | null)[] {
  const data = api.vector_get_data(vector, size * 16);
  const view = new DataView(data.buffer, data.byteOffset, size * 16);
  const validity = validityOf(api, vector, size);
  return Array.from({ length: size }, (_, row) => {
    if (!isValid(validity, row)) return null;
    const bytes = view.getUint32(row * 16, true);
    const text =
      bytes <= 12
        ? data.subarray(row * 16 + 4, row * 16 + 4 + bytes)
        : api.get_data_from_pointer(data.buffer as ArrayBuffer, data.byteOffset + row * 16 + 8, bytes);
    return decoder.decode(text);
  });
}

/** A string as an SQL literal. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A path as an SQL literal that DuckDB does not take for a pattern of names. */
export function pathLiteral(path: string): string {
  return literal(path.replace(/[[*?]/gu, '[$&]'));
}

/** Several paths as an SQL list; one as a literal. */
export function pathsLiteral(files: readonly { readonly path: string }[]): string {
  const literals = files.map(({ path }) => pathLiteral(path));
  return literals.length === 1 ? (literals[0] as string) : `[${literals.join(', ')}]`;
}

/** An SQL identifier. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** The first line of a DuckDB message, without its class. */
export function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return (message.split('\n')[0] as string).replace(/^[A-Z][A-Za-z ]* Error: /u, '').trim();
}

/** A DuckDB failure as an error of ours about a file. */
export function dataError(source: string, error: unknown, hint = ''): ParagradError {
  if (error instanceof ParagradError) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (/Out of Memory Error/u.test(message))
    return new ParagradError('PARAGRAD_MEMORY', `${source}: not enough memory to read it: ${firstLine(error)}`, {
      place: { file: source },
      cause: error,
    });
  return new ParagradError('PARAGRAD_DATA', `${source}: ${firstLine(error)}${hint}`, { place: { file: source }, cause: error });
}
