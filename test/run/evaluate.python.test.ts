import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { evaluate, predictFile, train } from '../../src/index.ts';
import { normal, uniform } from '../../src/random.ts';
import { temporaryFolder, writeFile } from '../data/helpers.ts';
import { describeWith } from '../support/components.ts';

const PROGRAM = `
import sys, json, numpy as np, pandas as pd, sklearn.metrics as m
data, found, target = pd.read_csv(sys.argv[1]), pd.read_parquet(sys.argv[2]), sys.argv[3]
y = data[target]
if 'prediction' in found:
  p = found.prediction
  out = dict(r2=m.r2_score(y, p), rmse=m.root_mean_squared_error(y, p), mae=m.mean_absolute_error(y, p), bias=float(np.mean(p - y)),
    medianAbsoluteError=m.median_absolute_error(y, p), maxAbsoluteError=m.max_error(y, p))
else:
  y, p = (y == 'yes').to_numpy(), found.probability.to_numpy()
  def at(t):
    c = p > t
    tn, fp, fn, tp = m.confusion_matrix(y, c).ravel().tolist()
    return dict(threshold=t, trueNegative=tn, falsePositive=fp, falseNegative=fn, truePositive=tp, accuracy=m.accuracy_score(y, c),
      precision=m.precision_score(y, c), recall=m.recall_score(y, c), specificity=m.recall_score(~y, ~c), f1=m.f1_score(y, c))
  out = dict(logLoss=m.log_loss(y, p), accuracy=m.accuracy_score(y, p > 0.5), auc=m.roc_auc_score(y, p), brierScore=m.brier_score_loss(y, p),
    thresholds=[at(t / 10) for t in range(1, 10)], labels=(found.label == 'yes').tolist() == (p > 0.5).tolist())
print(json.dumps(out))
`;

/** Every number of `theirs` is in `ours`, to 12 digits. */
function agrees(ours: Record<string, unknown>, theirs: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(theirs)) {
    if (typeof value !== 'number') continue;
    expect(Math.abs((ours[name] as number) - value), name).toBeLessThanOrEqual(1e-12 * Math.max(1e-3, Math.abs(value)));
  }
}

describeWith('python', 'scikit-learn measures the same', (binary) => {
  const folder = temporaryFolder();
  const lines = Array.from({ length: 20_000 }, (_, i) => {
    const [a, b, zone] = [normal(1, 'test', i), uniform(1, 'test', i, 1) * 100, ['x', 'y', 'z'][i % 3] as string];
    const value = 1000 + 250 * a - 3 * b + (zone === 'y' ? 90 : 0) + 40 * normal(1, 'test', i, 2);
    return `${a},${b},${zone},${value},${value + 200 * normal(1, 'test', i, 3) > 900 ? 'yes' : 'no'}`;
  });
  const training = writeFile(folder, 'training.csv', `a,b,zone,value,big\n${lines.slice(0, 5000).join('\n')}\n`);
  const test = writeFile(folder, 'test.csv', `a,b,zone,value,big\n${lines.slice(5000).join('\n')}\n`);
  const measured = (target: string, predictions: string): Record<string, unknown> =>
    JSON.parse(execFileSync(binary, ['-c', PROGRAM, test, predictions, target], { encoding: 'utf8' })) as Record<string, unknown>;

  it('of a number', async () => {
    const [out, to] = [join(folder, 'linear'), join(folder, 'linear.parquet')];
    await train(training, { target: 'value', drop: ['big'], out });
    await predictFile(out, test, { to });
    const { metrics } = await evaluate(out, test);
    agrees({ ...metrics }, measured('value', to));
  });

  it('of two classes', async () => {
    const [out, to] = [join(folder, 'logistic'), join(folder, 'logistic.parquet')];
    await train(training, { target: 'big', drop: ['value'], out });
    await predictFile(out, test, { to });
    const { metrics, thresholds } = await evaluate(out, test);
    const theirs = measured('big', to);
    agrees({ ...metrics }, theirs);
    expect(theirs.labels).toBe(true);
    for (const [i, at] of (theirs.thresholds as Record<string, unknown>[]).entries()) agrees({ ...thresholds?.[i] }, at);
  });
});
