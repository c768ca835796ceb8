import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { fillUniform, normal } from '../src/random.ts';
import { train } from '../src/run/train.ts';
import type { RunSummary, TrainOptions } from '../src/run/types.ts';

/**
 * Time to 1 % of the optimum for every strategy, with and without a slow worker, beside scikit-learn's SGD and Vowpal Wabbit on the same arrays
 * (`.engines/python/bin/pip install vowpalwabbit==9.11.9`):
 *
 *   node scripts/run-ts.mjs bench/strategies.ts [rows] [columns]
 *
 * The time is that of training, setup included, at which the objective had come 99 % of the way from the intercept-only model to
 * the optimum; the objective is judged after the run, so that judging takes no time from it. Medians of three runs.
 */
const ROWS = Number(process.argv[2] ?? 200_000);
const COLUMNS = Number(process.argv[3] ?? 100);
const WORKERS = Math.min(2, availableParallelism());
const RUNS = 3;
const SLOW = '1=4x';

const CASES: readonly (readonly [string, TrainOptions])[] = [
  ['map-reduce, all rows', { strategy: 'map-reduce' }],
  ['map-reduce, batches of 256', { strategy: 'map-reduce', batchSize: 256, tolerance: 5e-3 }],
  ['parameter-server, bulk-synchronous', { strategy: 'parameter-server', staleness: 0, epochs: 2 }],
  ['parameter-server, staleness 4', { strategy: 'parameter-server', staleness: 4, epochs: 2 }],
  ['parameter-server, asynchronous', { strategy: 'parameter-server', epochs: 2 }],
  ['parameter-server, asynchronous, damped', { strategy: 'parameter-server', late: 'damp', epochs: 2 }],
  ['local-sgd', { strategy: 'local-sgd', epochs: 2 }],
  ['gossip', { strategy: 'gossip', epochs: 2 }],
  ['hogwild', { strategy: 'hogwild', epochs: 2 }],
];

interface Arrays {
  readonly x: Float32Array;
  readonly y: Float64Array;
}

/** Correlated columns, a dense model, noise; two classes where `classes`. */
function arrays(classes: boolean): Arrays {
  const x = new Float32Array(new SharedArrayBuffer(ROWS * COLUMNS * 4));
  const row = new Float64Array(COLUMNS);
  const w = Float64Array.from({ length: COLUMNS }, (_, j) => normal(1, 'test', j));
  const y = new Float64Array(ROWS);
  const last = new Float64Array(1);
  for (let i = 0; i < ROWS; i += 1) {
    fillUniform(row, 2, 'test', i * COLUMNS);
    let z = 0;
    for (let j = 0; j < COLUMNS; j += 1) {
      // Each column shares half of its neighbour's spread.
      const value = (row[j] as number) - 0.5 + (j > 0 ? 0.5 * (row[j - 1] as number) - 0.25 : 0);
      x[i * COLUMNS + j] = value;
      z += value * (w[j] as number);
    }
    fillUniform(last, 3, 'test', i);
    y[i] = classes ? Number((last[0] as number) < 1 / (1 + Math.exp(-z))) : z + ((last[0] as number) - 0.5);
  }
  return { x, y };
}

async function once({ x, y }: Arrays, options: TrainOptions): Promise<RunSummary> {
  const { summary } = await train(
    { x, rows: ROWS, columns: COLUMNS, y },
    { engine: 'threads', workers: WORKERS, validationFraction: 0, ...options },
  );
  return summary;
}

/** Seconds and passes at which 99 % of the way was done; NaN where it never was. */
function reached({ costs, nullLoss }: RunSummary, optimum: number): { seconds: number; passes: number } {
  const point = costs?.curve.find(({ objective }) => (nullLoss - objective) / (nullLoss - optimum) >= 0.99);
  return { seconds: (point?.atMs ?? Number.NaN) / 1000, passes: point?.passes ?? Number.NaN };
}

const middle = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;

/** A peer's program on the same arrays; undefined where what it needs is not installed. */
function peer(
  program: 'sgd.py' | 'vw.py',
  { x, y }: Arrays,
  classes: boolean,
  optimum: number,
  nullLoss: number,
): { seconds: number; passes: number } | undefined {
  const python = path.resolve('.engines/python/bin/python');
  const needs = program === 'vw.py' ? 'vowpalwabbit' : 'sklearn';
  if (!existsSync(python) || spawnSync(python, ['-c', `import ${needs}`]).status !== 0) return undefined;
  const folder = mkdtempSync(path.join(tmpdir(), 'paragrad-bench-'));
  try {
    writeFileSync(path.join(folder, 'x'), new Uint8Array(x.buffer));
    writeFileSync(path.join(folder, 'y'), new Uint8Array(y.buffer));
    const args = [
      `bench/peers/${program}`,
      folder,
      String(ROWS),
      String(COLUMNS),
      classes ? 'logistic' : 'linear',
      String(optimum),
      String(nullLoss),
    ];
    return JSON.parse(execFileSync(python, args, { encoding: 'utf8' })) as { seconds: number; passes: number };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

for (const classes of [false, true]) {
  const data = arrays(classes);
  const model = classes ? 'logistic' : 'linear';
  const best = await once(data, { model, tolerance: 1e-9 });
  console.log(`\n${model}, ${ROWS} × ${COLUMNS}, ${WORKERS} workers on threads: to 1 % of the optimum`);
  console.log(`${'strategy'.padEnd(42)}  seconds  passes  utilisation  seconds, worker ${SLOW}  utilisation`);
  for (const [name, options] of CASES) {
    const cells = [];
    for (const slow of [undefined, [SLOW]]) {
      const runs = [];
      for (let i = 0; i < RUNS; i += 1) {
        const summary = await once(data, { model, ...options, ...(slow === undefined ? {} : { slow }) });
        runs.push({ ...reached(summary, best.loss), utilisation: summary.costs?.utilisation ?? Number.NaN });
      }
      cells.push({
        seconds: middle(runs.map((run) => run.seconds)),
        passes: middle(runs.map((run) => run.passes)),
        utilisation: middle(runs.map((run) => run.utilisation)),
      });
    }
    const [fast, slowed] = cells as [(typeof cells)[number], (typeof cells)[number]];
    console.log(
      `${name.padEnd(42)}  ${fast.seconds.toFixed(3).padStart(7)}  ${fast.passes.toFixed(2).padStart(6)}  ${fast.utilisation.toFixed(2).padStart(11)}  ${slowed.seconds.toFixed(3).padStart(20)}  ${slowed.utilisation.toFixed(2).padStart(11)}`,
    );
  }
  for (const [program, name] of [
    ['sgd.py', classes ? 'scikit-learn SGDClassifier' : 'scikit-learn SGDRegressor'],
    ['vw.py', 'Vowpal Wabbit'],
  ] as const) {
    const other = peer(program, data, classes, best.loss, best.nullLoss);
    if (other !== undefined)
      console.log(`${name.padEnd(42)}  ${other.seconds.toFixed(3).padStart(7)}  ${other.passes.toFixed(2).padStart(6)}`);
  }
}
