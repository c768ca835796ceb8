import { ParagradError } from '../errors.ts';
import { bytesPerValue, type Dtype, panelRows } from '../partition/layout.ts';
import { type Encoder, encodedWidth, expectedKinds } from './encoder.ts';
import { quote } from './names.ts';
import { type ColumnCounts, type PackCounts, Packer, type Panels } from './pack.ts';
import { RowColumnReader } from './row-columns.ts';
import { type Batch, type ColumnKind, INGEST_ROWS, type RowColumns, type Table, type TextValues, type Values } from './table.ts';
import { fillTarget, type TargetEncoder } from './target.ts';

/** Encoded bytes of a block of rows. */
const BLOCK_BYTES = 8 * 1024 * 1024;

/** A run of encoded rows, in source order. Its arrays are reused: they hold until the next block is asked for. */
export interface EncodedRows {
  /** Row number of the first row, from 0. */
  readonly firstRow: number;
  readonly rows: number;
  /** [panels, columns, P], the last panel padded with zeros. */
  readonly x: Panels;
  /** The target as y, NaN where it is missing or of neither class; undefined when the table has no target. */
  readonly y: Float64Array | undefined;
  /** Undefined: every weight is 1, every offset 0. */
  readonly weight: Float64Array | undefined;
  readonly offset: Float64Array | undefined;
  /** What names each row, '' where it is missing; undefined when the model has no id column, or the table lacks it. */
  readonly ids: readonly string[] | undefined;
}

export interface RowEncoding {
  readonly columns: number;
  /** Columns of the encoder that the table lacks: encoded as missing in every row. */
  readonly missingColumns: readonly string[];
  readonly hasTarget: boolean;
  /** Grow while the blocks are read: of all columns together, and of each of the encoder's columns. */
  readonly counts: Readonly<PackCounts>;
  readonly columnCounts: readonly Readonly<ColumnCounts>[];
  readonly blocks: AsyncIterable<EncodedRows>;
}

/** What `openTable` must be told as `expected` for a table that a model is applied to. */
export function expectedByModel(encoder: Encoder, target?: TargetEncoder, columns: RowColumns = {}): Map<string, ColumnKind> {
  const kinds = expectedKinds(encoder);
  if (columns.weight !== undefined) kinds.set(columns.weight, 'number');
  if (columns.offset !== undefined) kinds.set(columns.offset, 'number');
  if (columns.id !== undefined) kinds.set(columns.id, 'text');
  if (target !== undefined) kinds.set(target.name, target.column);
  return kinds;
}

function indexesOf(table: Table, encoder: Encoder): number[] {
  return encoder.columns.map((column) => {
    const index = table.columns.findIndex(({ name }) => name === column.name);
    const found = table.columns[index]?.kind;
    const wanted = column.kind === 'category' ? 'text' : column.kind;
    if (found !== undefined && (found === 'text') !== (wanted === 'text'))
      throw new ParagradError(
        'PARAGRAD_DATA',
        `${table.source}: column ${quote(column.name)} is ${found} here, and was ${wanted} in training`,
        {
          place: { file: table.source, column: column.name },
        },
      );
    return found === 'other' ? -1 : index;
  });
}

/** Rows of a block: a multiple of 16, so that whole panels are written. */
function blockRowsOf(columns: number, dtype: Dtype): number {
  const rows = Math.floor(BLOCK_BYTES / Math.max(1, columns * bytesPerValue(dtype)));
  return Math.max(16, Math.min(INGEST_ROWS, rows - (rows % 16)));
}

/**
 * Encodes the rows of a table as a fitted encoder says, block by block in bounded memory: for prediction, and, with
 * `target`, for evaluation. Extra columns are ignored, lacking ones reported; texts without a level become `other` or
 * zeros, and are counted. `columns`: where weights (used when they are there), offsets (needed) and ids are.
 *
 * @throws PARAGRAD_COLUMN when the offsets lack; PARAGRAD_DATA when a column is text where training had numbers or the other
 * way round; PARAGRAD_VALUE (while blocks are read) for a value that is not finite
 */
export function encodeRows(
  table: Table,
  encoder: Encoder,
  options: {
    dtype: Dtype;
    target?: TargetEncoder | undefined;
    columns?: RowColumns | undefined;
    blockRows?: number | undefined;
    signal?: AbortSignal | undefined;
  },
): RowEncoding {
  const indexes = indexesOf(table, encoder);
  const target = options.target === undefined ? -1 : table.columns.findIndex(({ name }) => name === options.target?.name);
  const packer = new Packer(encoder, panelRows(options.dtype), table.source);
  const columns = encodedWidth(encoder);
  const { weight, offset, id } = options.columns ?? {};
  const has = (name: string | undefined): name is string => name !== undefined && table.columns.some((column) => column.name === name);
  if (offset !== undefined && !has(offset)) throw withoutOffset(table, offset);
  const ids = id === undefined ? -1 : table.columns.findIndex(({ name }) => name === id);
  const missing = encoder.columns.filter((_, i) => (indexes[i] as number) < 0).map((column) => column.name);
  const blockRows = options.blockRows ?? blockRowsOf(columns, options.dtype);
  return {
    columns,
    missingColumns: id !== undefined && ids < 0 ? [id, ...missing] : missing,
    hasTarget: target >= 0,
    get counts() {
      return packer.counts;
    },
    columnCounts: packer.columnCounts,
    blocks: blocksOf(table, packer, {
      dtype: options.dtype,
      blockRows,
      indexes,
      target: options.target === undefined || target < 0 ? undefined : { index: target, encoder: options.target },
      rowColumns: new RowColumnReader(table, { offset, weight: has(weight) ? weight : undefined }),
      ids,
      signal: options.signal,
    }),
  };
}

function withoutOffset(table: Table, offset: string): ParagradError {
  return new ParagradError(
    'PARAGRAD_COLUMN',
    `${table.source} has no column ${quote(offset)}: the model was trained with it as --offset, and needs it in every row`,
    { place: { file: table.source, column: offset } },
  );
}

interface BlockPlan {
  readonly dtype: Dtype;
  readonly blockRows: number;
  /** Index in the table of each of the encoder's columns; −1: lacking. */
  readonly indexes: readonly number[];
  readonly target: { readonly index: number; readonly encoder: TargetEncoder } | undefined;
  readonly rowColumns: RowColumnReader;
  /** Index of the column that names rows; −1: none. */
  readonly ids: number;
  readonly signal: AbortSignal | undefined;
}

async function* blocksOf(table: Table, packer: Packer, plan: BlockPlan): AsyncGenerator<EncodedRows> {
  const { blockRows, target } = plan;
  const P = panelRows(plan.dtype);
  const found = plan.indexes.filter((index) => index >= 0);
  const x = new (plan.dtype === 'f32' ? Float32Array : Float64Array)(Math.ceil(blockRows / P) * P * packer.columns);
  const y = new Float64Array(INGEST_ROWS);
  const base = Int32Array.from({ length: blockRows }, (_, i) => (i - (i % P)) * packer.columns + (i % P));
  const rows = new Int32Array(blockRows);
  const scanned = [...found, ...(target === undefined ? [] : [target.index])];
  const extras = [...plan.rowColumns.scanned, ...(plan.ids < 0 ? [] : [plan.ids])];
  for await (const batch of table.scan([...scanned, ...extras], { signal: plan.signal, ids: new Set([plan.ids]) })) {
    const { weight, offset } = plan.rowColumns.read(batch, scanned.length, undefined);
    const ids = plan.ids < 0 ? undefined : textsOf(batch);
    let next = 0;
    const values = plan.indexes.map((index): Values | undefined => {
      if (index < 0) return undefined;
      next += 1;
      return batch.columns[next - 1];
    });
    if (target !== undefined) fillTarget(target.encoder, batch.columns[found.length] as Values, batch.rows, y);
    for (let first = 0; first < batch.rows; first += blockRows) {
      const count = Math.min(blockRows, batch.rows - first);
      const panels = x.subarray(0, Math.ceil(count / P) * P * packer.columns);
      panels.fill(0);
      for (let i = 0; i < count; i += 1) rows[i] = first + i;
      packer.pack(values, { rows, base, count, dense: true }, panels, batch.firstRow);
      yield {
        firstRow: batch.firstRow + first,
        rows: count,
        x: panels,
        y: target === undefined ? undefined : y.subarray(first, first + count),
        weight: weight?.subarray(first, first + count),
        offset: offset?.subarray(first, first + count),
        ids: ids?.slice(first, first + count),
      };
    }
  }
}

/** Texts of a batch's last column. */
function textsOf({ columns, rows }: Batch): string[] {
  const { codes, dictionary } = columns[columns.length - 1] as TextValues;
  return Array.from({ length: rows }, (_, i) => dictionary[codes[i] as number] ?? '');
}
