import type { ArraySource } from '../../data/arrays.ts';
import { normal, uniform } from '../../random.ts';
import { train } from '../train.ts';
import type { TrainOptions } from '../train-options.ts';

/** One problem of the self-test, and what comes out of it on every machine. */
interface Case {
  readonly name: string;
  readonly options: TrainOptions;
  readonly sha256: string;
}

const ROWS = 3000;
const COLUMNS = 12;
/** Small, so that there are chunks and blocks to split among workers. */
const SHAPE = { chunkRows: 64, blockColumns: 2, maxPasses: 40 } as const;

/** Fixed by the numerical contract: other bits are another numericsVersion (run/version.ts). */
const CASES: readonly Case[] = [
  {
    name: 'linear, f32',
    options: { ...SHAPE, model: 'linear', dtype: 'f32', optimizer: 'conjugate-gradient' },
    sha256: '7e6f7548cd086d40b405a3d59343ef540eab47ce0cb84cdebef6bcac508e2737',
  },
  {
    name: 'logistic, f64',
    options: { ...SHAPE, model: 'logistic', dtype: 'f64', optimizer: 'lbfgs' },
    sha256: '2a6b487098ec846a6f16027a9410df4fe0e5a173448a7bba0b4571731816b6bb',
  },
];

export interface SelfTestResult {
  readonly name: string;
  readonly engine: 'inline' | 'threads';
  readonly workers: number;
  readonly sha256: string;
  readonly expected: string;
}

function problem(model: TrainOptions['model']): ArraySource {
  const x = Float64Array.from({ length: ROWS * COLUMNS }, (_, i) => normal(0, 'test', i));
  const y = Float64Array.from({ length: ROWS }, (_, i) => {
    let z = uniform(0, 'test', i, 1);
    for (let j = 0; j < COLUMNS; j += 1) z += (x[i * COLUMNS + j] as number) * ((j % 5) - 2);
    return model === 'logistic' ? Number(z > 0) : z;
  });
  return { x, rows: ROWS, columns: COLUMNS, y };
}

/** Trains tiny problems in this thread, and on threads by rows, columns and both: the bits must be those of every machine. */
export async function selfTest(engine: 'inline' | 'threads', workers: number): Promise<SelfTestResult[]> {
  const results: SelfTestResult[] = [];
  const partitions = engine === 'inline' ? (['rows'] as const) : (['rows', 'columns', 'grid'] as const);
  for (const { name, options, sha256: expected } of CASES)
    for (const partition of partitions) {
      const { summary } = await train(problem(options.model), { ...options, engine, workers, partition });
      const title = engine === 'inline' ? name : `${name}, ${partition}`;
      results.push({ name: title, engine, workers, sha256: summary.weightsSha256, expected });
    }
  return results;
}
