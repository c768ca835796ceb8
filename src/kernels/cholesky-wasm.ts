import { newSegment } from '../data/store.ts';
import { WasmInstance } from './instance.ts';

/** Rows, and changed columns, that go side by side (`assembly/cholesky.ts`). */
const SIDE = 4;
/** Below this many rows there is less to win than it takes to copy them. */
const LEAST_ROWS = 96;

/** What one thread needs: finished columns, then the four that are changed. */
class Workspace {
  readonly #memory = newSegment(0);
  readonly #kernel = new WasmInstance(this.#memory).named('subtractProducts');
  #values = 0;
  #at = 0;
  finished: Float64Array = new Float64Array(0);
  targets: Float64Array = new Float64Array(0);

  /** Room for `count` columns of `rows` rows, and for four more. */
  reserve(count: number, rows: number): void {
    const values = (count + SIDE) * rows;
    if (values > this.#values) {
      const bytes = values * Float64Array.BYTES_PER_ELEMENT;
      const pages = Math.ceil(bytes / 65_536);
      this.#at = this.#memory.grow(pages) * 65_536;
      this.#values = values;
    }
    this.finished = new Float64Array(this.#memory.buffer, this.#at, count * rows);
    this.targets = new Float64Array(this.#memory.buffer, this.#at + this.finished.byteLength, SIDE * rows);
  }

  /** The kernel, from row group `group` on. */
  subtract(count: number, rows: number, group: number): void {
    const first = this.finished.byteOffset + group * count * SIDE * 8;
    this.#kernel(first, count, rows / SIDE - group, this.targets.byteOffset, rows * 8);
  }
}

let workspace: Workspace | undefined;

/**
 * Takes the products with the finished columns [begin, end) of a Cholesky factor from all that follow, in SIMD: the bits of
 * `update/cholesky.ts`. `base`: where the entry (0, j) of a packed column would stand.
 *
 * @returns false where the matrix is too small for that, and nothing was done
 */
export function subtractProducts(
  size: number,
  a: Float64Array,
  base: (size: number, j: number) => number,
  begin: number,
  end: number,
): boolean {
  const left = size - end;
  if (left < LEAST_ROWS) return false;
  workspace ??= new Workspace();
  const count = end - begin;
  const rows = Math.ceil(left / SIDE) * SIDE;
  workspace.reserve(count, rows);
  const { finished, targets } = workspace;
  for (let k = 0; k < count; k += 1) {
    const from = base(size, begin + k) + end;
    for (let i = 0; i < left; i += 1) finished[(Math.floor(i / SIDE) * count + k) * SIDE + (i % SIDE)] = a[from + i] as number;
  }
  for (let first = 0; first < left; first += SIDE) {
    const columns = Math.min(SIDE, left - first);
    for (let c = 0; c < columns; c += 1) {
      const j = end + first + c;
      targets.set(a.subarray(base(size, j) + j, base(size, j) + size), c * rows + c);
    }
    workspace.subtract(count, rows, first / SIDE);
    for (let c = 0; c < columns; c += 1) {
      const j = end + first + c;
      a.set(targets.subarray(c * rows + c, c * rows + left - first), base(size, j) + j);
    }
  }
  return true;
}
