import type { Layout } from '../partition/layout.ts';
import { permutation } from '../random.ts';

/** Where training rows are stored: mixed inside each chunk's window, over all rows, or as they come. */
export type Shuffle = 'windows' | 'rows' | 'none';

/** Stored position of the row that is `row`-th in its set. Asked for rows in ascending order, it is a table look-up. */
export type Placement = (row: number) => number;

/**
 * Position p of window c holds the window's row π(p), π the permutation of epoch c (docs/numerics.md §7); `rows`: one
 * window, epoch 0, over all rows.
 */
export function placementOf(layout: Layout, shuffle: Shuffle, seed: number): Placement {
  if (shuffle === 'none') return (row) => row;
  const window = shuffle === 'rows' ? Math.max(1, layout.rows) : layout.chunkRows;
  let current = -1;
  let positions = new Float64Array(0);
  return (row) => {
    const c = Math.floor(row / window);
    if (c !== current) {
      current = c;
      const rows = Math.min(window, layout.rows - c * window);
      const order = permutation(seed, 'shuffle', c, rows);
      if (positions.length !== rows) positions = new Float64Array(rows);
      for (let p = 0; p < rows; p += 1) positions[order.at(p)] = c * window + p;
    }
    return positions[row - c * window] as number;
  };
}
