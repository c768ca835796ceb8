import { allocateStore, type DataStore, indexOf, type StoredSet, viewsOf } from '../../src/data/store.ts';
import { type Dtype, layoutOf } from '../../src/partition/layout.ts';
import { type PartitionKind, partitionOf } from '../../src/partition/plan.ts';
import type { TrainingJob } from '../../src/strategies/job.ts';

/** A small generator for test data (xorshift): the same numbers on every machine. */
export function generator(seed: number): () => number {
  let state = (seed * 2_654_435_761) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 32;
  };
}

export interface TestData {
  readonly rows: number;
  readonly columns: number;
  /** x of a row and a column. */
  readonly x: (row: number, column: number) => number;
  readonly y: (row: number) => number;
  readonly v?: (row: number) => number;
  readonly offset?: (row: number) => number;
}

export interface TestShape {
  readonly dtype: Dtype;
  readonly chunkRows?: number;
  readonly blockColumns?: number;
  readonly segmentBytes?: number;
  readonly validation?: TestData;
}

function fill(store: DataStore, set: StoredSet, data: TestData): void {
  for (let chunk = 0; chunk < set.layout.chunks; chunk += 1) {
    const views = viewsOf(store, set, chunk);
    for (let i = 0; i < views.rows; i += 1) {
      const row = chunk * set.layout.chunkRows + i;
      for (let j = 0; j < data.columns; j += 1) views.x[indexOf(set.layout, i, j)] = data.x(row, j);
      views.y[i] = data.y(row);
      views.v[i] = data.v?.(row) ?? 1;
      if (views.offset !== undefined) views.offset[i] = data.offset?.(row) ?? 0;
    }
  }
}

export function storeOf(data: TestData, shape: TestShape): DataStore {
  const training = layoutOf({ ...shape, rows: data.rows, columns: data.columns });
  const validation = layoutOf({
    ...shape,
    rows: shape.validation?.rows ?? 0,
    columns: data.columns,
    chunkRows: training.chunkRows,
    blockColumns: training.blockColumns,
  });
  const store = allocateStore(training, validation, {
    offsets: data.offset !== undefined,
    ...(shape.segmentBytes === undefined ? {} : { segmentBytes: shape.segmentBytes }),
  });
  fill(store, store.training, data);
  if (shape.validation !== undefined) fill(store, store.validation, shape.validation);
  return store;
}

/** Correlated numbers, a linear target with noise or classes drawn from it. */
export function randomData(seed: number, rows: number, columns: number, classes: boolean): TestData {
  const random = generator(seed);
  const x = Float64Array.from({ length: rows * columns }, () => random() * 2 - 1);
  for (let i = 0; i < rows; i += 1)
    for (let j = 1; j < columns; j += 1) x[i * columns + j] = (x[i * columns + j] as number) + 0.5 * (x[i * columns + j - 1] as number);
  const w = Float64Array.from({ length: columns }, () => random() * 2 - 1);
  const y = Float64Array.from({ length: rows }, (_, i) => {
    let z = random() - 0.5;
    for (let j = 0; j < columns; j += 1) z += (x[i * columns + j] as number) * (w[j] as number);
    return classes ? Number(z > 0) : z;
  });
  return { rows, columns, x: (i, j) => x[i * columns + j] as number, y: (i) => y[i] as number };
}

export function jobOf(store: DataStore, options: Partial<TrainingJob> & { kind?: PartitionKind; workers?: number } = {}): TrainingJob {
  const { kind, workers, ...rest } = options;
  const { columns } = store.training.layout;
  return {
    store,
    partition: partitionOf(store.training.layout, kind ?? 'rows', workers ?? 1),
    model: 'linear',
    optimizer: 'auto',
    optimizerOptions: { tolerance: 1e-6, learningRate: 'auto' },
    l2: undefined,
    intercept: true,
    start: 'null',
    indicators: new Uint8Array(columns),
    columnVariances: new Float64Array(columns).fill(1),
    kernels: 'wasm',
    maxPasses: 1000,
    endAtMs: Number.POSITIVE_INFINITY,
    explain: false,
    ...rest,
  };
}

/** Rows of k classes, drawn from a softmax model. */
export function classesData(seed: number, rows: number, columns: number, classes: number): TestData {
  const plain = randomData(seed, rows, columns, false);
  const random = generator(seed + 1);
  const w = Float64Array.from({ length: classes * columns }, () => 3 * (random() - 0.5));
  const y = Float64Array.from({ length: rows }, (_, row) => {
    let best = 0;
    let most = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < classes; c += 1) {
      let z = 2 * random();
      for (let j = 0; j < columns; j += 1) z += (w[c * columns + j] as number) * plain.x(row, j);
      if (z > most) [best, most] = [c, z];
    }
    return best;
  });
  return { ...plain, y: (row) => y[row] as number };
}
