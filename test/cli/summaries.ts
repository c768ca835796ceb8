import type { PlanSummary, RunSummary, SchemaSummary } from '../../src/run/types.ts';

export const SCHEMA: SchemaSummary = {
  source: 'houses.csv',
  target: 'price',
  model: 'linear',
  modelReason: 'the target is a number',
  classes: undefined,
  rows: 12_345,
  trainingRows: 9_871,
  validationRows: 2_470,
  skippedRows: 4,
  features: { number: 3, boolean: 0, category: 1, date: 0 },
  encodedColumns: 17,
  leftOut: [
    { column: 'id', why: '12345 different texts in 12345 rows look like an id (--category keeps it)' },
    { column: 'line\nbreak', why: 'constant' },
  ],
};

/** Six houses, two workers with three rows each. */
export const PLAN: PlanSummary = {
  engine: 'threads',
  partition: 'rows',
  workers: 2,
  dtype: 'f64',
  rows: 6,
  columns: 2,
  chunkRows: 3,
  chunks: 2,
  blockColumns: 1,
  blocks: 2,
  shares: [
    { rank: 0, rowBegin: 0, rowEnd: 3, columnBegin: 0, columnEnd: 2, bytes: 128, nodes: 1, gradientBytes: 32, dotBytes: 0 },
    { rank: 1, rowBegin: 3, rowEnd: 6, columnBegin: 0, columnEnd: 2, bytes: 128, nodes: 1, gradientBytes: 32, dotBytes: 0 },
  ],
};

export const SUMMARY: RunSummary = {
  weightsSha256: 'c0ffee'.padEnd(64, '0'),
  loss: 310.25,
  nullLoss: 3100,
  dataLoss: 300,
  validationLoss: 320,
  passes: 3,
  iterations: 2,
  gap: 2.5e-6,
  converged: true,
  reason: 'converged',
  seconds: { total: 1.5, read: 0.5, encode: 0.25, train: 0.125 },
  validation: { rows: 2_470, r2: 0.9031, rmse: 26_409.4, mae: 17_145.2 },
  model: 'linear',
  optimizer: 'conjugate-gradient',
  l2: 1 / 9_871,
  dtype: 'f32',
  seed: 0,
  schema: SCHEMA,
  plan: PLAN,
  coefficients: [
    { name: 'area', value: 1234.5678, standardized: 400, importance: 400 },
    { name: 'zip=8001', value: -0.04211, standardized: -0.04211, importance: 100 },
    { name: 'age', value: -12.5, standardized: -3, importance: 0.001 },
  ],
  intercept: 100_000,
  notes: [],
  out: 'runs/my run',
};
