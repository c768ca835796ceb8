import type { OutColumn, OutValues, RowEncoder } from './row-format.ts';
import { ThriftWriter } from './thrift.ts';

/** Rows of a row group: as many as make up about 32 MiB of numbers, between these. */
const GROUP_BYTES = 32 * 1024 * 1024;
const MOST_ROWS = 122_880;
const LEAST_ROWS = 1024;

/** Numbers of the format (github.com/apache/parquet-format, parquet.thrift). */
const MAGIC = Buffer.from('PAR1');
const TYPES = { number: 5, integer: 2, text: 6 } as const;
const PLAIN = 0;
const RLE = 3;
const UTF8 = 0;
const REQUIRED = 0;
const UNCOMPRESSED = 0;

interface PlacedColumn {
  readonly column: OutColumn;
  readonly offset: number;
  readonly bytes: number;
  readonly rows: number;
}

/**
 * Parquet, as plain as it can be: one page per column and row group, no compression, no missing values. Our own bytes rather
 * than DuckDB's, since they must be the same with every version and on every machine, and since rows come as a stream.
 */
export class ParquetRows implements RowEncoder {
  readonly #columns: readonly OutColumn[];
  readonly #groupRows: number;
  readonly #groups: PlacedColumn[][] = [];
  readonly #numbers: (Float64Array | undefined)[];
  readonly #texts: string[][];
  #filled = 0;
  #offset = 0;

  constructor(columns: readonly OutColumn[]) {
    this.#columns = columns;
    this.#groupRows = Math.max(LEAST_ROWS, Math.min(MOST_ROWS, Math.floor(GROUP_BYTES / (8 * Math.max(1, columns.length)))));
    this.#numbers = columns.map(({ kind }) => (kind === 'text' ? undefined : new Float64Array(this.#groupRows)));
    this.#texts = columns.map(() => []);
  }

  *rows(columns: readonly OutValues[], count: number): Generator<Uint8Array> {
    for (let done = 0; done < count; ) {
      const rows = Math.min(count - done, this.#groupRows - this.#filled);
      for (const [j, values] of columns.entries()) {
        if (values instanceof Float64Array) this.#numbers[j]?.set(values.subarray(done, done + rows), this.#filled);
        else for (let i = done; i < done + rows; i += 1) this.#texts[j]?.push(values[i] as string);
      }
      this.#filled += rows;
      done += rows;
      if (this.#filled === this.#groupRows) yield* this.#group();
    }
  }

  *end(): Generator<Uint8Array> {
    if (this.#filled > 0) yield* this.#group();
    const footer = this.#footer();
    const length = Buffer.alloc(4);
    length.writeUInt32LE(footer.length);
    yield* this.#placed(footer, length, MAGIC);
  }

  *#placed(...parts: Uint8Array[]): Generator<Uint8Array> {
    if (this.#offset === 0) parts.unshift(MAGIC);
    for (const part of parts) {
      this.#offset += part.length;
      yield part;
    }
  }

  *#group(): Generator<Uint8Array> {
    const placed: PlacedColumn[] = [];
    for (const [j, column] of this.#columns.entries()) {
      const page = this.#page(j, column);
      const header = pageHeader(page.length, this.#filled);
      const offset = Math.max(this.#offset, MAGIC.length);
      placed.push({ column, offset, bytes: header.length + page.length, rows: this.#filled });
      yield* this.#placed(header, page);
      this.#texts[j] = [];
    }
    this.#groups.push(placed);
    this.#filled = 0;
  }

  /** The values of a column, little-endian; texts with their lengths before them. A copy: what is written must stay. */
  #page(j: number, { kind }: OutColumn): Uint8Array {
    if (kind === 'text') return textPage(this.#texts[j] as string[]);
    const values = this.#numbers[j] as Float64Array;
    const page = new DataView(new ArrayBuffer(this.#filled * 8));
    for (let i = 0; i < this.#filled; i += 1) {
      const value = values[i] as number;
      if (kind === 'number') page.setFloat64(i * 8, value, true);
      else page.setBigInt64(i * 8, BigInt(value), true);
    }
    return new Uint8Array(page.buffer);
  }

  #footer(): Uint8Array {
    const out = new ThriftWriter();
    out.i32(1, 1);
    out.structs(2, [undefined, ...this.#columns], (column) => {
      if (column === undefined) {
        out.text(4, 'schema');
        out.i32(5, this.#columns.length);
        return;
      }
      out.i32(1, TYPES[column.kind]);
      out.i32(3, REQUIRED);
      out.text(4, column.name);
      if (column.kind === 'text') out.i32(6, UTF8);
    });
    out.i64(
      3,
      this.#groups.reduce((sum, group) => sum + (group[0]?.rows ?? 0), 0),
    );
    out.structs(4, this.#groups, (group) => {
      out.structs(1, group, (placed) => columnChunk(out, placed));
      out.i64(
        2,
        group.reduce((sum, { bytes }) => sum + bytes, 0),
      );
      out.i64(3, group[0]?.rows ?? 0);
    });
    out.text(6, 'paragrad');
    return out.finish();
  }
}

/** Different texts of which the bytes are kept: labels come again and again. */
const KNOWN_TEXTS = 1000;

function textPage(texts: readonly string[]): Uint8Array {
  const known = new Map<string, Uint8Array>();
  return Buffer.concat(
    texts.map((text) => {
      const bytes = known.get(text) ?? sized(text);
      if (known.size < KNOWN_TEXTS) known.set(text, bytes);
      return bytes;
    }),
  );
}

function sized(text: string): Uint8Array {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function pageHeader(bytes: number, rows: number): Uint8Array {
  const out = new ThriftWriter();
  out.i32(1, 0);
  out.i32(2, bytes);
  out.i32(3, bytes);
  out.struct(5, () => {
    out.i32(1, rows);
    out.i32(2, PLAIN);
    out.i32(3, RLE);
    out.i32(4, RLE);
  });
  return out.finish();
}

function columnChunk(out: ThriftWriter, { column, offset, bytes, rows }: PlacedColumn): void {
  out.i64(2, offset);
  out.struct(3, () => {
    out.i32(1, TYPES[column.kind]);
    out.numbers(2, [PLAIN]);
    out.texts(3, [column.name]);
    out.i32(4, UNCOMPRESSED);
    out.i64(5, rows);
    out.i64(6, bytes);
    out.i64(7, bytes);
    out.i64(9, offset);
  });
}
