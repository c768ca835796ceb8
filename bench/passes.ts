import { availableParallelism } from 'node:os';
import { train } from '../src/index.ts';
import { generate } from './data.ts';

/** A whole gradient pass: kernels, tree, all-reduce, update. */
export interface PassRow {
  readonly columns: number;
  readonly threads: number;
  readonly milliseconds: number;
  readonly gigabytesPerSecond: number;
  /** Against one thread. */
  readonly speedup: number;
}

const BYTES = 400e6;
const PASSES = 40;
/** The first passes run code that is not optimised yet. */
const WARM_UP = 15;

export async function benchPasses(columnCounts: readonly number[] = [16, 100, 1000]): Promise<PassRow[]> {
  const rows: PassRow[] = [];
  for (const columns of columnCounts) {
    const data = generate(Math.floor(BYTES / (columns * 4)), columns, 10);
    const first = rows.length;
    for (const threads of [1, availableParallelism()]) {
      const times: number[] = [];
      await train(data, {
        validationFraction: 0,
        optimizer: 'gradient-descent',
        learningRate: 1e-3,
        tolerance: 0,
        maxPasses: PASSES,
        engine: 'threads',
        workers: threads,
        onEvent: (event) => {
          if (event.kind === 'steps') times.push(...event.steps.map(({ atMs }) => atMs));
        },
      });
      const steps = times.slice(1).map((at, i) => at - (times[i] as number));
      const milliseconds = steps.slice(WARM_UP).sort((a, b) => a - b)[Math.floor((steps.length - WARM_UP) / 2)] as number;
      const gigabytesPerSecond = (data.x.byteLength + data.rows * 16) / milliseconds / 1e6;
      rows.push({
        columns,
        threads,
        milliseconds,
        gigabytesPerSecond,
        speedup: (rows[first]?.milliseconds ?? milliseconds) / milliseconds,
      });
    }
  }
  return rows;
}
