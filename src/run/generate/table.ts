import { type Batch, INGEST_ROWS, type ScanOptions, type Table, type Values } from '../../data/table.ts';
import type { RowMaker } from './rows.ts';

/** Generated rows as a table: x1, x2, … and y, made anew by every scan. */
export function generatedTable(maker: RowMaker, rows: number): Table {
  const { columns, model, condition, noise, seed } = maker.recipe;
  const number = (name: string, sourceType: string) => ({ name, kind: 'number' as const, sourceType });
  const features = Array.from({ length: columns }, (_, j) => number(`x${j + 1}`, 'DOUBLE'));
  return {
    source: `generated: ${model}, condition ${condition}, noise ${noise}, seed ${seed}`,
    columns: [...features, number('y', model === 'linear' ? 'DOUBLE' : 'INTEGER')],
    rows,
    scan: (wanted, options = {}) => scan(maker, rows, wanted, options),
    close: () => undefined,
  };
}

async function* scan(
  maker: RowMaker,
  rows: number,
  wanted: readonly number[],
  { signal, keep = false }: ScanOptions,
): AsyncGenerator<Batch> {
  const newBlock = (): Float64Array[] =>
    Array.from({ length: maker.recipe.columns + 1 }, () => {
      const bytes = Math.min(INGEST_ROWS, rows) * Float64Array.BYTES_PER_ELEMENT;
      return new Float64Array(keep ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes));
    });
  let block = newBlock();
  for (let firstRow = 0; firstRow < rows; firstRow += INGEST_ROWS) {
    signal?.throwIfAborted();
    const count = Math.min(INGEST_ROWS, rows - firstRow);
    if (keep && firstRow > 0) block = newBlock();
    maker.fill(block, firstRow, count);
    const columns = wanted.map((column): Values => ({ kind: 'number', values: block[column] as Float64Array, missing: undefined }));
    yield { firstRow, rows: count, columns };
    // Signals and progress get a turn.
    await new Promise(setImmediate);
  }
}
