import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { inspectData, type RunSummary, train } from '../../src/index.ts';
import { describeWith } from '../support/components.ts';
import { FILIP, LONGLEY, type ReferenceProblem, WAMPLER1, WAMPLER3, WAMPLER5 } from '../support/nist.ts';

const AMES = resolve(import.meta.dirname, '../../examples/ames-housing.csv');

/** Runs a Python program that prints JSON. */
function python<T>(binary: string, program: string, args: readonly string[] = [], input = ''): T {
  return JSON.parse(execFileSync(binary, ['-c', program, ...args], { encoding: 'utf8', input, maxBuffer: 2 ** 28 })) as T;
}

const RIDGE = `
import sys, json, numpy as np, pandas as pd
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score, mean_absolute_error, root_mean_squared_error
data = pd.read_parquet(sys.argv[1])
train, test = data[data.__split == 'train'], data[data.__split == 'validation']
names = [c for c in data.columns if not c.startswith('__')]
model = Ridge(alpha=1, solver='svd').fit(train[names].to_numpy(), train.__target.to_numpy())
p, y = model.predict(test[names].to_numpy()), test.__target.to_numpy()
print(json.dumps(dict(weights=dict(zip(names, model.coef_.tolist())), intercept=float(model.intercept_), rows=len(test),
  r2=r2_score(y, p), mae=mean_absolute_error(y, p), rmse=root_mean_squared_error(y, p))))
`;

const LOGISTIC = `
import sys, json, numpy as np, pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, accuracy_score, roc_auc_score
data = pd.read_parquet(sys.argv[1])
train, test = data[data.__split == 'train'], data[data.__split == 'validation']
names = [c for c in data.columns if not c.startswith('__')]
model = LogisticRegression(C=1, solver='newton-cholesky', tol=1e-12, max_iter=1000).fit(train[names].to_numpy(), train.__target.to_numpy())
p, y = model.predict_proba(test[names].to_numpy())[:, 1], test.__target.to_numpy()
print(json.dumps(dict(weights=dict(zip(names, model.coef_[0].tolist())), logLoss=log_loss(y, p), accuracy=accuracy_score(y, p > 0.5), auc=roc_auc_score(y, p))))
`;

const LSTSQ = `
import sys, json, numpy as np
problem = json.load(sys.stdin)
x = np.array(problem['x']); x = np.column_stack([np.ones(len(x)), x])
print(json.dumps(np.linalg.lstsq(x, np.array(problem['y']), rcond=None)[0].tolist()))
`;

/** Digits in which weights agree, measured against the largest of them. */
function agreement(summary: RunSummary, theirs: Record<string, number>): number {
  const largest = Math.max(...Object.values(theirs).map(Math.abs));
  const error = Math.max(...summary.coefficients.map(({ name, standardized }) => Math.abs(standardized - (theirs[name] as number))));
  return -Math.log10(error / largest);
}

function digits(found: readonly number[], exact: readonly number[]): number {
  return Math.min(15, ...found.map((value, i) => -Math.log10(Math.abs(value - (exact[i] as number)) / Math.abs(exact[i] as number))));
}

async function coefficientsOf(problem: ReferenceProblem): Promise<number[]> {
  const columns = problem.x[0]?.length ?? 0;
  const source = { x: Float64Array.from(problem.x.flat()), rows: problem.y.length, columns, y: Float64Array.from(problem.y) };
  const { summary } = await train(source, { dtype: 'f64', tolerance: 0, l2: 0, validationFraction: 0 });
  const byName = new Map(summary.coefficients.map(({ name, value }) => [name, value]));
  return [summary.intercept, ...Array.from({ length: columns }, (_, j) => byName.get(`x${j}`) as number)];
}

describeWith('python', 'scikit-learn and NumPy agree', (binary) => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'paragrad-peers-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it('Ridge(alpha=1) on the encoded rows of Ames: R² within 0.001, weights to 8 digits', async () => {
    const encoded = join(folder, 'ames.parquet');
    await inspectData(AMES, { target: 'Sale_Price', encoded });
    const theirs = python<{ weights: Record<string, number>; rows: number; r2: number; mae: number; rmse: number }>(binary, RIDGE, [
      encoded,
    ]);
    const plain = (await train(AMES, { target: 'Sale_Price' })).summary;
    expect(plain.validation?.rows).toBe(theirs.rows);
    expect(plain.validation).toMatchObject({ r2: expect.closeTo(theirs.r2, 3) });
    const exact = (await train(AMES, { target: 'Sale_Price', dtype: 'f64', tolerance: 0 })).summary;
    expect(Object.keys(theirs.weights).length).toBe(exact.coefficients.length);
    expect(agreement(exact, theirs.weights)).toBeGreaterThanOrEqual(8);
    expect(exact.validation).toMatchObject({
      r2: expect.closeTo(theirs.r2, 9),
      mae: expect.closeTo(theirs.mae, 4),
      rmse: expect.closeTo(theirs.rmse, 4),
    });
  });

  it('LogisticRegression(C=1): weights to 8 digits, measures to 9', async () => {
    const csv = join(folder, 'classes.csv');
    const rows = Array.from({ length: 900 }, (_, i) => {
      const [a, b, c] = [Math.sin(i * 1.7) * 3, Math.cos(i * 0.9), ['red', 'green', 'blue'][i % 3] as string];
      const noisy = a - 2 * b + (c === 'red' ? 1 : 0) + 4 * Math.sin(i * 12.9898);
      return `${a},${b},${c},${noisy > 0 ? 'yes' : 'no'}`;
    });
    writeFileSync(csv, `a,b,c,answer\n${rows.join('\n')}\n`);
    const encoded = join(folder, 'classes.parquet');
    await inspectData(csv, { target: 'answer', encoded });
    const theirs = python<{ weights: Record<string, number>; logLoss: number; accuracy: number; auc: number }>(binary, LOGISTIC, [encoded]);
    const { summary } = await train(csv, { target: 'answer', dtype: 'f64', tolerance: 0 });
    expect(summary.schema.classes).toEqual(['no', 'yes']);
    expect(agreement(summary, theirs.weights)).toBeGreaterThanOrEqual(8);
    const { logLoss, accuracy, auc } = theirs;
    expect(summary.validation).toMatchObject({
      logLoss: expect.closeTo(logLoss, 9),
      accuracy: expect.closeTo(accuracy, 12),
      auc: expect.closeTo(auc, 12),
    });
  });

  it.each([LONGLEY, WAMPLER1, WAMPLER3, WAMPLER5, FILIP])('numpy.linalg.lstsq on $name: no worse, less one digit', async (problem) => {
    const theirs = digits(python<number[]>(binary, LSTSQ, [], JSON.stringify(problem)), problem.certified);
    const ours = digits(await coefficientsOf(problem), problem.certified);
    console.log(`${problem.name}: ${ours.toFixed(1)} digits, lstsq ${theirs.toFixed(1)}`);
    expect(ours).toBeGreaterThanOrEqual(Math.min(theirs, 14) - 1);
  });
});
