// Trains on arrays in memory, first in this thread, then split over threads in three ways, and compares the results bit by bit.
//
//   npm run build && node scripts/run-ts.mjs examples/train-from-arrays.ts
import { type TrainOptions, train } from 'paragrad';

const ROWS = 40_000;
const COLUMNS = 24;

/** A small generator of numbers from −1 to 1, so that every run has the same data. */
function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

// Shared memory: threads read the matrix where it is.
const x = new Float32Array(new SharedArrayBuffer(ROWS * COLUMNS * Float32Array.BYTES_PER_ELEMENT));
const y = new Float64Array(ROWS);
const next = numbers(1);
for (let row = 0; row < ROWS; row += 1) {
  let sum = 0;
  for (let column = 0; column < COLUMNS; column += 1) {
    const value = next();
    x[row * COLUMNS + column] = value;
    sum += (column % 3) * value;
  }
  y[row] = sum + 0.1 * next();
}

const ways: [string, TrainOptions][] = [
  ['this thread', { engine: 'inline' }],
  ['2 threads, rows', { engine: 'threads', workers: 2, partition: 'rows' }],
  ['3 threads, columns', { engine: 'threads', workers: 3, partition: 'columns' }],
  ['4 threads, grid', { engine: 'threads', workers: 4, partition: 'grid' }],
];
const hashes = new Set<string>();
for (const [name, options] of ways) {
  const { summary } = await train({ x, y, rows: ROWS, columns: COLUMNS }, { ...options, seed: 7 });
  hashes.add(summary.weightsSha256);
  const r2 = summary.validation !== null && 'r2' in summary.validation ? summary.validation.r2.toFixed(6) : '';
  console.log(`${name.padEnd(20)} R² ${r2}  ${summary.passes} passes  ${summary.weightsSha256.slice(0, 16)}`);
}
console.log(hashes.size === 1 ? 'the same bits every time' : 'DIFFERENT BITS: this must not happen');
process.exitCode = hashes.size === 1 ? 0 : 1;
