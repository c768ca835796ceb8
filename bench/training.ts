import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { train } from '../src/index.ts';
import { type GeneratedData, generate } from './data.ts';

/** Time from arrays in memory to a model. */
export interface TrainingRow {
  readonly model: 'linear' | 'logistic';
  readonly by: string;
  readonly seconds: number;
  /** (objective − best objective) / (intercept-only objective − best objective), all computed here in f64. */
  readonly gap: number;
  /** Its seconds over ours; of peers that reached the gap that we were asked for. */
  readonly ratio: number | undefined;
}

interface Solution {
  readonly model: 'linear' | 'logistic';
  readonly by: string;
  readonly seconds: number;
  readonly weights: ArrayLike<number>;
  readonly intercept: number;
}

const ROWS = 1_000_000;
const COLUMNS = 100;
const TOLERANCE = 1e-6;
const RUNS = 3;

/** The objective of docs/numerics.md §1 with l2 = 1/rows. */
function objective(data: GeneratedData, { model, weights, intercept }: Pick<Solution, 'model' | 'weights' | 'intercept'>): number {
  const { x, rows, columns } = data;
  const target = model === 'linear' ? data.y : data.classes;
  let loss = 0;
  let norm = 0;
  for (let j = 0; j < columns; j += 1) norm += (weights[j] as number) ** 2;
  for (let i = 0; i < rows; i += 1) {
    let z = intercept;
    for (let j = 0; j < columns; j += 1) z += (x[i * columns + j] as number) * (weights[j] as number);
    const y = target[i] as number;
    loss += model === 'linear' ? 0.5 * (z - y) ** 2 : Math.max(z, 0) - y * z + Math.log1p(Math.exp(-Math.abs(z)));
  }
  return (loss + 0.5 * norm) / rows;
}

/** A solution to far more digits than anybody is asked for. */
async function optimum(data: GeneratedData, model: Solution['model']): Promise<number> {
  return objective(data, await solve(data, model, { dtype: 'f64', tolerance: 1e-12 }));
}

async function solve(
  data: GeneratedData,
  model: Solution['model'],
  options: { dtype?: 'f32' | 'f64'; tolerance: number; standardize?: boolean },
): Promise<Solution> {
  const source = { ...data, y: model === 'linear' ? data.y : data.classes };
  const began = performance.now();
  const run = await train(source, { model, validationFraction: 0, standardize: false, engine: 'threads', ...options });
  const seconds = (performance.now() - began) / 1000;
  const { weights, intercept } = run.model.vector;
  return { model, by: 'paragrad', seconds, weights, intercept };
}

/** `peers` runs a part of bench/peers/peers.py, or gives undefined. */
export async function benchTraining(peers: <T>(args: readonly string[]) => T | undefined): Promise<TrainingRow[]> {
  const data = generate(ROWS, COLUMNS, 1e4);
  const folder = mkdtempSync(join(tmpdir(), 'paragrad-bench-'));
  const solutions: Solution[] = [];
  try {
    writeFileSync(join(folder, 'x.f32'), new Uint8Array(data.x.buffer));
    writeFileSync(join(folder, 'y.f64'), new Uint8Array(data.y.buffer));
    writeFileSync(join(folder, 'c.f64'), new Uint8Array(data.classes.buffer));
    for (const model of ['linear', 'logistic'] as const) {
      let best: Solution | undefined;
      for (let run = 0; run < RUNS; run += 1) {
        const solution = await solve(data, model, { tolerance: TOLERANCE });
        if (best === undefined || solution.seconds < best.seconds) best = solution;
      }
      solutions.push({ ...(best as Solution), by: 'paragrad f32' });
    }
    const theirs = peers<{ model: Solution['model']; peer: string; seconds: number; weights: number[]; intercept: number }[]>([
      'train',
      folder,
      String(ROWS),
      String(COLUMNS),
    ]);
    for (const { peer, ...solution } of theirs ?? []) solutions.push({ ...solution, by: peer });
  } finally {
    rmSync(folder, { recursive: true });
  }
  const rows: TrainingRow[] = [];
  for (const model of ['linear', 'logistic'] as const) {
    const best = await optimum(data, model);
    const none = objective(data, { model, weights: new Float64Array(COLUMNS), intercept: nullIntercept(data, model) });
    const ours = solutions.find((solution) => solution.model === model && solution.by === 'paragrad f32');
    for (const solution of solutions.filter((one) => one.model === model)) {
      const gap = (objective(data, solution) - best) / (none - best);
      const counts = solution !== ours && gap <= TOLERANCE;
      rows.push({
        model,
        by: solution.by,
        seconds: solution.seconds,
        gap,
        ratio: counts ? solution.seconds / (ours?.seconds ?? Number.NaN) : undefined,
      });
    }
  }
  return rows;
}

function nullIntercept(data: GeneratedData, model: Solution['model']): number {
  const target = model === 'linear' ? data.y : data.classes;
  const mean = target.reduce((sum, value) => sum + value, 0) / target.length;
  return model === 'linear' ? mean : Math.log(mean / (1 - mean));
}
