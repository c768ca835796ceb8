import { assert, ParagradError } from '../errors.ts';
import { bytesPerValue, columnOfBlock, type Layout, panelRows, panelsOfChunk } from './layout.ts';
import { coverOf } from './tree.ts';

/** What a worker owns: chunks [chunkBegin, chunkEnd) × blocks [blockBegin, blockEnd). Any range may be empty. */
export interface Share {
  readonly rank: number;
  readonly chunkBegin: number;
  readonly chunkEnd: number;
  readonly blockBegin: number;
  readonly blockEnd: number;
}

export type PartitionKind = 'rows' | 'columns' | 'grid';

export interface Partition {
  readonly kind: PartitionKind;
  readonly workers: number;
  /** Worker rows × worker columns; rank = row · columns + column. */
  readonly grid: { readonly rows: number; readonly columns: number };
  readonly shares: readonly Share[];
}

/** Most that a range may exceed an even share by when its border is moved to where fewer tree nodes are sent. */
const IMBALANCE = 0.05;

/**
 * Cuts `count` units of equal weight (the last may be lighter) into `parts` contiguous ranges. Borders are moved to
 * multiples of high powers of two where that keeps the imbalance ≤ max(5 %, one unit), since a range then is few subtrees.
 */
function cut(count: number, parts: number): number[] {
  const borders = [0];
  const slack = ((count / parts) * IMBALANCE) / 2;
  for (let part = 1; part < parts; part += 1) {
    const even = (count * part) / parts;
    let best = Math.round(even);
    // The roundest number within the slack: try ever higher powers of two.
    for (let power = 2; power <= count; power *= 2) {
      const near = Math.round(even / power) * power;
      if (Math.abs(near - even) > slack) break;
      best = near;
    }
    borders.push(Math.max(best, borders[part - 1] as number));
  }
  borders.push(count);
  return borders;
}

/**
 * Which cells each worker owns. Pure: a function of layout, kind and number of workers.
 *
 * rows: every worker all blocks of a range of chunks (more workers than chunks: some own nothing). columns: every worker
 * all chunks of a range of blocks. grid: worker rows × worker columns, as square as the number of workers and blocks
 * allow; a prime number of workers gives a single row or column of them.
 *
 * @throws PARAGRAD_PARTITION when there are more column workers than blocks.
 */
export function partitionOf(layout: Layout, kind: PartitionKind, workers: number): Partition {
  assert(Number.isSafeInteger(workers) && workers >= 1, 'workers out of range');
  let gridColumns = kind === 'columns' ? workers : 1;
  if (kind === 'grid') for (let c = 1; c * c <= workers; c += 1) if (workers % c === 0 && c <= layout.blocks) gridColumns = c;
  if (kind === 'grid' && gridColumns === 1 && workers > 1 && workers <= layout.blocks && layout.chunks < workers) gridColumns = workers;
  if (gridColumns > layout.blocks)
    throw new ParagradError(
      'PARAGRAD_PARTITION',
      `--partition columns with --workers ${workers} needs at least ${workers} column blocks, and these data have ${layout.blocks} (of ${layout.blockColumns} columns): use at most ${layout.blocks} workers, --partition rows, or a smaller --block-columns`,
      { place: { option: '--partition' } },
    );
  const gridRows = workers / gridColumns;
  const rowBorders = cut(layout.chunks, gridRows);
  const columnBorders = cut(layout.blocks, gridColumns);
  const shares = Array.from({ length: workers }, (_, rank): Share => {
    const row = Math.floor(rank / gridColumns);
    const column = rank % gridColumns;
    return {
      rank,
      chunkBegin: rowBorders[row] as number,
      chunkEnd: rowBorders[row + 1] as number,
      blockBegin: columnBorders[column] as number,
      blockEnd: columnBorders[column + 1] as number,
    };
  });
  return { kind, workers, grid: { rows: gridRows, columns: gridColumns }, shares };
}

/** Bytes of x that a share holds, padding of panels included. */
export function bytesOfShare(layout: Layout, share: Share): number {
  const columns = columnOfBlock(layout, share.blockEnd) - columnOfBlock(layout, share.blockBegin);
  let panels = 0;
  for (let chunk = share.chunkBegin; chunk < share.chunkEnd; chunk += 1) panels += panelsOfChunk(layout, chunk);
  return panels * panelRows(layout.dtype) * columns * bytesPerValue(layout.dtype);
}

/** Tree nodes over chunks that a share sends in a reduction. */
export function nodesOfShare(layout: Layout, share: Share): number {
  return coverOf(share.chunkBegin, share.chunkEnd, layout.chunks).length;
}
