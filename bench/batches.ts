import { CONTROL } from '../src/communicate/collective.ts';
import { createLoopbackCollectives } from '../src/communicate/loopback/collectives.ts';
import { allocateStore, type DataStore, viewsOf } from '../src/data/store.ts';
import { kernelsFor } from '../src/engines/kernels.ts';
import { type TrainOptions, train } from '../src/index.ts';
import { layoutOf } from '../src/partition/layout.ts';
import { partitionOf } from '../src/partition/plan.ts';
import { CellEvaluator } from '../src/strategies/cell-evaluator.ts';
import type { Evaluator } from '../src/strategies/evaluator.ts';
import { loop } from '../src/strategies/map-reduce.ts';
import { createOptimizer } from '../src/update/index.ts';
import type { Problem } from '../src/update/optimizer.ts';
import { generate } from './data.ts';
import { readLimit } from './kernels.ts';

/** Updates of mini-batches, one thread: 400 MB of f32, squared loss, plain steps at a fixed rate. */
export interface BatchRow {
  readonly rows: number;
  /** Millions of features a second, in updates alone; a plain TypeScript loop on the same rows; the read limit at that time. */
  readonly rate: number;
  readonly plainRate: number;
  readonly limit: number;
  /** Millions of features a second of scikit-learn's SGDRegressor, whose batches are of one row. */
  readonly peerRate: number | undefined;
}

/** Synchronous batches on two workers against one. */
export interface BatchSpeedup {
  readonly engine: 'threads' | 'processes';
  readonly rows: number;
  readonly columns: number;
  /** Of the second to the fifth epoch, while V8 still compiles what a step runs. */
  readonly early: number;
  /** Of the shortest epoch after that. */
  readonly speedup: number;
}

const COLUMNS = 100;
const ROWS = 1_000_000;
const RATE = 1e-4;
const RUNS = 3;

function randomStore(rows: number, columns: number): DataStore {
  const training = layoutOf({ dtype: 'f32', rows, columns });
  const { chunkRows, blockColumns } = training;
  const store = allocateStore(training, layoutOf({ dtype: 'f32', rows: 0, columns, chunkRows, blockColumns }));
  let state = 1;
  for (let chunk = 0; chunk < training.chunks; chunk += 1) {
    const views = viewsOf(store, store.training, chunk);
    for (let i = 0; i < views.x.length; i += 1) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
      views.x[i] = state / 2 ** 31 - 0.5;
    }
    views.y.subarray(0, views.rows).fill(1);
    views.v.subarray(0, views.rows).fill(1);
  }
  return store;
}

/** Seconds of one epoch's updates: the loop of a run, without the reading that judges it. */
async function epochSeconds(store: DataStore, batchSize: number): Promise<number> {
  const { layout } = store.training;
  const [world, row] = [...createLoopbackCollectives(1), ...createLoopbackCollectives(1)];
  const partition = partitionOf(layout, 'rows', 1);
  const kernels = kernelsFor('wasm', 'f32');
  const evaluator = new CellEvaluator({ store, partition, rank: 0, loss: 'squared', kernels, world, row });
  const nullModel = { weights: new Float64Array(layout.columns), intercept: 0 };
  const problem: Problem = {
    layout,
    loss: 'squared',
    quadratic: true,
    curvatureBound: 1,
    weightSum: layout.rows,
    l2: 1 / layout.rows,
    intercept: true,
    columnMeans: new Float64Array(layout.columns),
    columnVariances: new Float64Array(layout.columns).fill(1 / 12),
    indicators: new Uint8Array(layout.columns),
    nullModel,
    start: nullModel,
  };
  const options = { tolerance: 0, learningRate: RATE, batchSize, epochs: RUNS, precondition: 'none' } as const;
  const optimizer = createOptimizer('sgd', options, problem);
  let best = Number.POSITIVE_INFINITY;
  let began = 0;
  // An epoch's updates, from the first to the reading that judges it.
  const timed: Evaluator = {
    evaluate: (pass, control) => {
      if (began > 0) best = Math.min(best, performance.now() - began);
      began = 0;
      return evaluator.evaluate(pass, control);
    },
    evaluateNow: (pass, control) => evaluator.evaluateNow(pass, control),
    descendNow: (steps, control) => {
      if (began === 0) began = performance.now();
      return evaluator.descendNow(steps, control);
    },
    get lastControl() {
      return evaluator.lastControl;
    },
  };
  await loop(optimizer, problem, timed, {
    maxPasses: Number.POSITIVE_INFINITY,
    decide: () => CONTROL.go,
    resume: undefined,
    patience: undefined,
    validationLoss: () => Promise.resolve(Number.NaN),
    onStep: () => undefined,
  });
  return best / 1000;
}

/** The same by hand: row-major x, f64 weights, one row after the other. */
function plainSeconds(x: Float32Array, rows: number, batchSize: number): number {
  const w = new Float64Array(COLUMNS);
  const g = new Float64Array(COLUMNS);
  let b = 0;
  const began = performance.now();
  for (let first = 0; first < rows; first += batchSize) {
    const end = Math.min(rows, first + batchSize);
    let gb = 0;
    g.fill(0);
    for (let i = first; i < end; i += 1) {
      const at = i * COLUMNS;
      let d = b - 1;
      for (let j = 0; j < COLUMNS; j += 1) d += x[at + j] * w[j];
      for (let j = 0; j < COLUMNS; j += 1) g[j] += d * x[at + j];
      gb += d;
    }
    const rate = RATE / (end - first);
    for (let j = 0; j < COLUMNS; j += 1) w[j] -= rate * g[j];
    b -= rate * gb;
  }
  return (performance.now() - began) / 1000;
}

/** `peers` runs a part of bench/peers/peers.py, or gives undefined. */
export async function benchBatches(peers: <T>(args: readonly string[]) => T | undefined): Promise<BatchRow[]> {
  const store = randomStore(ROWS, COLUMNS);
  const x = new Float32Array(ROWS * COLUMNS);
  for (let i = 0, state = 1; i < x.length; i += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    x[i] = state / 2 ** 31 - 0.5;
  }
  const peer = peers<{ rate: number }>(['sgd', String(ROWS), String(COLUMNS)]);
  const rows: BatchRow[] = [];
  const rateOf = (seconds: number): number => (ROWS * COLUMNS) / seconds / 1e6;
  for (const batch of [1, 16, 64, 256, 4096]) {
    // In turns, so that all see the same machine.
    let [own, plain, limit] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 0];
    for (let run = 0; run < RUNS; run += 1) {
      limit = Math.max(limit, (readLimit() * 1000) / 4);
      own = Math.min(own, await epochSeconds(store, batch));
      plain = Math.min(plain, plainSeconds(x, ROWS, batch));
    }
    rows.push({ rows: batch, rate: rateOf(own), plainRate: rateOf(plain), limit, peerRate: batch === 1 ? peer?.rate : undefined });
  }
  return rows;
}

/** Processes speak through sockets: what threads do with small batches they cannot. */
const BATCHES = { threads: [16, 64, 128, 256, 512, 1024, 4096], processes: [256, 512, 1024, 2048, 4096, 16_384] } as const;

/** The smallest batch from which on two workers are faster than one, whatever its size; undefined where there is none. */
export function crossing(rows: readonly BatchSpeedup[], when: 'early' | 'speedup'): number | undefined {
  return rows[rows.findLastIndex((row) => row[when] <= 1) + 1]?.rows;
}

const EARLY_EPOCHS = 4;
const LATE_EPOCHS = 12;

/** Whole runs: 400 MB of f32 with 1,000 columns. `onRow` hears of each row as it is there: the whole table takes minutes. */
export async function benchBatchSpeedups(onRow: (row: BatchSpeedup) => void = () => undefined): Promise<BatchSpeedup[]> {
  const columns = 1000;
  const data = generate(100_000, columns, 10);
  const epochsOf = async (engine: BatchSpeedup['engine'], batchSize: number, workers: number): Promise<{ early: number; late: number }> => {
    const times: number[] = [];
    const options: TrainOptions = {
      validationFraction: 0,
      optimizer: 'sgd',
      learningRate: 1e-3,
      precondition: 'none',
      batchSize,
      epochs: 1 + EARLY_EPOCHS + LATE_EPOCHS,
      engine,
      workers,
      onEvent: (event) => {
        if (event.kind === 'steps') times.push(...event.steps.map(({ atMs }) => atMs));
      },
    };
    await train(data, options);
    // Times are those of the readings at the beginning and after each epoch; the first epoch has what comes once in it.
    const epochs = times.slice(2).map((at, i) => at - (times[i + 1] as number));
    const early = epochs.slice(0, EARLY_EPOCHS).reduce((sum, epoch) => sum + epoch, 0);
    return { early, late: Math.min(...epochs.slice(EARLY_EPOCHS)) };
  };
  const rows: BatchSpeedup[] = [];
  for (const engine of ['threads', 'processes'] as const)
    for (const batch of BATCHES[engine]) {
      const one = await epochsOf(engine, batch, 1);
      const two = await epochsOf(engine, batch, 2);
      const row = { engine, rows: batch, columns, early: one.early / two.early, speedup: one.late / two.late };
      rows.push(row);
      onRow(row);
    }
  return rows;
}
