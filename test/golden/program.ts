import { type TrainOptions, train } from '../../src/index.ts';
import { NUMERICS_VERSION } from '../../src/run/version.ts';

/**
 * Trains the same data with every dtype × model × optimizer and prints the hashes of the weights: the golden ones, on any
 * version of Node.js. Data come from a linear congruential generator and whole-number arithmetic.
 */
export async function goldenHashes(): Promise<Record<string, string>> {
  const rows = 2000;
  const columns = 21;
  let state = 12_345;
  const next = (): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >>> 8) / 2 ** 23 - 0.5;
  };
  const x = Float64Array.from({ length: rows * columns }, next);
  const value = Float64Array.from({ length: rows }, (_, i) => {
    let sum = next();
    for (let j = 0; j < columns; j += 1) sum += (x[i * columns + j] as number) * ((j % 5) - 2);
    return sum;
  });
  const hashes: Record<string, string> = { numericsVersion: String(NUMERICS_VERSION) };
  const both = ['gradient-descent', 'momentum', 'nesterov', 'lbfgs', 'plain-lbfgs', 'newton-cg'] as const;
  const optimizers = { linear: [...both, 'conjugate-gradient', 'normal-equations'], logistic: both } as const;
  for (const dtype of ['f32', 'f64'] as const)
    for (const model of ['linear', 'logistic'] as const)
      for (const optimizer of optimizers[model]) {
        const y = model === 'linear' ? value : value.map((z) => Number(z > 0));
        const options: TrainOptions = { dtype, model, optimizer, maxPasses: 30, engine: 'inline' };
        const { summary } = await train({ x, rows, columns, y }, options);
        hashes[`${dtype} ${model} ${optimizer}`] = summary.weightsSha256;
        if (optimizer !== 'gradient-descent') continue;
        const searched = await train({ x, rows, columns, y }, { ...options, lineSearch: 'backtracking' });
        hashes[`${dtype} ${model} ${optimizer} backtracking`] = searched.summary.weightsSha256;
      }
  const batches = { batchSize: 50, epochs: 3, engine: 'inline' } as const;
  for (const dtype of ['f32', 'f64'] as const)
    for (const model of ['linear', 'logistic'] as const) {
      const y = model === 'linear' ? value : value.map((z) => Number(z > 0));
      const hashOf = async (options: TrainOptions): Promise<string> =>
        (await train({ x, rows, columns, y }, { dtype, model, ...batches, ...options })).summary.weightsSha256;
      for (const optimizer of ['sgd', 'svrg', 'adam', 'adamw', 'rmsprop', 'adagrad', 'momentum', 'nesterov'] as const)
        hashes[`${dtype} ${model} ${optimizer} of 50 rows`] = await hashOf({ optimizer });
      for (const schedule of ['constant', 'step', 'cosine', 'inverse-sqrt'] as const)
        hashes[`${dtype} ${model} sgd of 50 rows, ${schedule}`] = await hashOf({ schedule, warmup: 0.5, precondition: 'diagonal' });
    }
  // Five classes of unlike sizes.
  const classes = value.map((z) => Math.min(4, Math.floor(Math.abs(z) * 2)));
  for (const dtype of ['f32', 'f64'] as const)
    for (const optimizer of [...both, 'backtracking'] as const) {
      const search = optimizer === 'backtracking' ? ({ optimizer: 'gradient-descent', lineSearch: optimizer } as const) : { optimizer };
      const options: TrainOptions = { dtype, model: 'softmax', ...search, maxPasses: 30, engine: 'inline' };
      const { summary } = await train({ x, rows, columns, y: classes }, options);
      hashes[`${dtype} softmax ${optimizer}`] = summary.weightsSha256;
    }
  for (const dtype of ['f32', 'f64'] as const)
    for (const optimizer of ['sgd', 'svrg', 'adam', 'momentum'] as const) {
      const options: TrainOptions = { dtype, model: 'softmax', optimizer, ...batches };
      hashes[`${dtype} softmax ${optimizer} of 50 rows`] = (await train({ x, rows, columns, y: classes }, options)).summary.weightsSha256;
    }
  return hashes;
}

if (process.argv.includes('--print')) console.log(JSON.stringify(await goldenHashes(), null, 2));
