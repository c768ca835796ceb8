import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { fillUniform, normal } from '../src/random.ts';
import { train } from '../src/run/train.ts';
import type { TrainOptions } from '../src/run/train-options.ts';
import type { RunEvent, RunSummary } from '../src/run/types.ts';

/**
 * Time to 1 % of the optimum for every strategy, with and without a slow worker, beside scikit-learn's SGD and Vowpal Wabbit on the same arrays
 * (`.engines/python/bin/pip install vowpalwabbit==9.11.9`):
 *
 *   node scripts/run-ts.mjs bench/strategies.ts [rows] [columns] [runs]
 *
 * The moment is that at which the objective had come 99 % of the way from the intercept-only model to the optimum; the objective is
 * judged after the run, or while a peer's clock stands, so that judging takes no time. Medians. Three clocks:
 *
 * - `training`: ours from the first thing that a worker does with encoded rows, and that includes what finds the preconditioner and
 *   the rate (`set-up`); a peer's inside its calls that learn, on an array that is scaled already (Vowpal Wabbit: of examples that are
 *   made already), at the best of several rates, of which the others cost nothing.
 * - `from arrays`: also what makes such rows of the arrays as they are: statistics, scaling, threads (Vowpal Wabbit: examples of text).
 * - `all rates` (peers): training with every rate that was tried, until it took longer than the best.
 */
const ROWS = Number(process.argv[2] ?? 200_000);
const COLUMNS = Number(process.argv[3] ?? 100);
const WORKERS = Math.min(2, availableParallelism());
const RUNS = Number(process.argv[4] ?? 3);
const SLOW = '1=4x';

/** Rates fall to 0 over the epochs: a quarter of one is what 1 % takes here; late gradients take a little more. */
const short = { epochs: 0.25, batchSize: 128 } as const;
const CASES: readonly (readonly [string, TrainOptions])[] = [
  ['map-reduce, all rows', { strategy: 'map-reduce' }],
  ['map-reduce, batches of 256', { strategy: 'map-reduce', batchSize: 256, tolerance: 5e-3 }],
  ['parameter-server, bulk-synchronous', { ...short, strategy: 'parameter-server', staleness: 0 }],
  ['parameter-server, staleness 4', { strategy: 'parameter-server', staleness: 4, epochs: 0.375, batchSize: 64 }],
  ['parameter-server, asynchronous', { ...short, strategy: 'parameter-server' }],
  ['parameter-server, asynchronous, damped', { ...short, epochs: 0.5, strategy: 'parameter-server', late: 'damp' }],
  ['local-sgd', { ...short, strategy: 'local-sgd', batchSize: 64 }],
  ['gossip', { ...short, strategy: 'gossip' }],
  ['hogwild', { ...short, epochs: 0.375, strategy: 'hogwild' }],
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

interface Run {
  readonly summary: RunSummary;
  /** Milliseconds from the call to rows that workers can train on. */
  readonly encodedMs: number;
}

async function once({ x, y }: Arrays, options: TrainOptions): Promise<Run> {
  const began = performance.now();
  let encodedMs = Number.NaN;
  const onEvent = ({ kind }: RunEvent): void => {
    if (kind === 'plan') encodedMs = performance.now() - began;
  };
  const { summary } = await train(
    { x, rows: ROWS, columns: COLUMNS, y },
    { engine: 'threads', workers: WORKERS, validationFraction: 0, onEvent, ...options },
  );
  return { summary, encodedMs };
}

interface Reached {
  readonly seconds: number;
  readonly setup: number;
  readonly fromArrays: number;
  readonly passes: number;
  readonly utilisation: number;
}

/** When 99 % of the way was done; NaN where it never was. */
function reached({ summary: { costs, nullLoss, seconds }, encodedMs }: Run, optimum: number): Reached {
  const point = costs?.curve.find(({ objective }) => (nullLoss - objective) / (nullLoss - optimum) >= 0.99);
  const atMs = point?.atMs ?? Number.NaN;
  const [first] = costs?.ranks ?? [];
  // What rank 0 did before its clocks began; a synchronous run's begin with it.
  const metered = (first?.computeMs ?? 0) + (first?.waitMs ?? 0) + (first?.communicateMs ?? 0);
  return {
    seconds: atMs / 1000,
    setup: Math.max(0, seconds.train - metered / 1000),
    fromArrays: (encodedMs + atMs) / 1000,
    passes: point?.passes ?? Number.NaN,
    utilisation: costs?.utilisation ?? Number.NaN,
  };
}

const middle = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;

interface Peer {
  /** null: it was never reached. */
  readonly seconds: number | null;
  readonly passes: number | null;
  /** Of what comes before the clock starts, for the rows that were learned from. */
  readonly prepare: number;
  readonly allRates: number;
}

/** A peer's program on the same arrays; undefined where what it needs is not installed. */
function peer(program: 'sgd.py' | 'vw.py', { x, y }: Arrays, classes: boolean, optimum: number, nullLoss: number): Peer | undefined {
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
    return JSON.parse(execFileSync(python, args, { encoding: 'utf8' })) as Peer;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const WIDTH = 40;
const HEAD = ['training', 'set-up', 'passes', 'utilisation', 'from arrays', `worker ${SLOW}`, 'utilisation', 'all rates'];
const line = (name: string, cells: readonly string[]): string =>
  [name.padEnd(WIDTH), ...cells.map((cell, i) => cell.padStart((HEAD[i] as string).length))].join('  ');
const show = (value: number, digits = 3): string => value.toFixed(digits);

async function measured(data: Arrays, options: TrainOptions, optimum: number): Promise<Reached> {
  const all: Reached[] = [];
  for (let i = 0; i < RUNS; i += 1) all.push(reached(await once(data, options), optimum));
  const of = (key: keyof Reached): number => middle(all.map((each) => each[key]));
  return {
    seconds: of('seconds'),
    setup: of('setup'),
    fromArrays: of('fromArrays'),
    passes: of('passes'),
    utilisation: of('utilisation'),
  };
}

for (const classes of [false, true]) {
  const data = arrays(classes);
  const model = classes ? 'logistic' : 'linear';
  const { summary: best } = await once(data, { model, tolerance: 1e-9 });
  console.log(`\n${model}, ${ROWS} × ${COLUMNS}, ${WORKERS} workers on threads: seconds to 1 % of the optimum\n${line('', HEAD)}`);
  for (const [name, options] of CASES) {
    const fast = await measured(data, { model, ...options }, best.loss);
    const slow = await measured(data, { model, ...options, slow: [SLOW] }, best.loss);
    const cells = [show(fast.seconds), show(fast.setup), show(fast.passes), show(fast.utilisation, 2), show(fast.fromArrays)];
    console.log(line(name, [...cells, show(slow.seconds), show(slow.utilisation, 2)]));
  }
  for (const [program, name] of [
    ['sgd.py', classes ? 'scikit-learn SGDClassifier' : 'scikit-learn SGDRegressor'],
    ['vw.py', 'Vowpal Wabbit'],
  ] as const) {
    const other = peer(program, data, classes, best.loss, best.nullLoss);
    if (other === undefined) continue;
    const [seconds, passes] = [other.seconds ?? Number.NaN, other.passes ?? Number.NaN];
    const { prepare, allRates } = other;
    console.log(line(name, [show(seconds), '', show(passes), '', show(prepare + seconds), '', '', show(allRates)]));
  }
}
