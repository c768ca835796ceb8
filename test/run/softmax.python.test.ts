import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { evaluate, inspectData, train } from '../../src/index.ts';
import { describeWith } from '../support/components.ts';

const PROGRAM = `
import sys, json, numpy as np, pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, accuracy_score, f1_score, confusion_matrix
data = pd.read_parquet(sys.argv[1])
train, test = data[data.__split == 'train'], data[data.__split == 'validation']
names = [c for c in data.columns if not c.startswith('__')]
x, y = train[names].to_numpy(), train.__target.to_numpy()
balanced = sys.argv[2] == 'balanced'
model = LogisticRegression(C=1, solver='newton-cg', tol=1e-13, max_iter=2000, class_weight='balanced' if balanced else None).fit(x, y)
p, t = model.predict_proba(test[names].to_numpy()), test.__target.to_numpy()
called = p.argmax(1)
print(json.dumps(dict(weights=[dict(zip(names, w.tolist())) for w in model.coef_], intercept=model.intercept_.tolist(), logLoss=log_loss(t, p, labels=list(range(p.shape[1]))),
  accuracy=accuracy_score(t, called), macroF1=f1_score(t, called, average='macro'), confusion=confusion_matrix(t, called, labels=list(range(p.shape[1]))).tolist())))
`;

interface Theirs {
  readonly weights: readonly Record<string, number>[];
  readonly intercept: readonly number[];
  readonly logLoss: number;
  readonly accuracy: number;
  readonly macroF1: number;
  readonly confusion: readonly (readonly number[])[];
}

describeWith('python', 'scikit-learn agrees on several classes', (binary) => {
  let folder = '';
  let file = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'paragrad-softmax-'));
    file = join(folder, 'trees.csv');
    const labels = ['ash', 'birch', 'cedar', 'elm'];
    const rows = Array.from({ length: 1200 }, (_, i) => {
      const [a, b, c] = [Math.sin(i * 1.7) * 3, Math.cos(i * 0.9), Math.sin(i * 0.37) * 10];
      const soil = ['clay', 'sand', 'loam'][(i * 7) % 3] as string;
      const z = [a, 2 * b - a / 2, c / 5 + (soil === 'sand' ? 1 : 0), -1 - b].map(
        (value, k) => value + 1.5 * Math.sin(i * 12.9898 + k * 4.7),
      );
      return `${a},${b},${c},${soil},${labels[z.indexOf(Math.max(...z))]}`;
    });
    writeFileSync(file, `a,b,c,soil,tree\n${rows.join('\n')}\n`);
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it.each(['none', 'balanced'] as const)(
    'multinomial LogisticRegression(C=1), class_weight %s: weights to 8 digits, measures to 9',
    async (classWeight) => {
      const encoded = join(folder, `${classWeight}.parquet`);
      await inspectData(file, { target: 'tree', encoded });
      const theirs = JSON.parse(execFileSync(binary, ['-c', PROGRAM, encoded, classWeight], { encoding: 'utf8' })) as Theirs;
      const { summary, model } = await train(file, { target: 'tree', dtype: 'f64', tolerance: 0, classWeight });
      expect(summary.model).toBe('softmax');
      const { weights, intercept, others } = model.vector;
      const names = model.columns.map(({ name }) => name);
      const exact = theirs.weights.flatMap((own) => names.map((name) => own[name] as number));
      const largest = Math.max(...exact.map(Math.abs));
      expect(Math.max(...exact.map((w, k) => Math.abs(w - (weights[k] as number)))) / largest).toBeLessThan(1e-8);
      const intercepts = [intercept, ...(others ?? [])];
      for (const [c, value] of theirs.intercept.entries()) expect(Math.abs(value - (intercepts[c] as number))).toBeLessThan(1e-7 * largest);
      expect(summary.validation).toMatchObject({
        logLoss: expect.closeTo(theirs.logLoss, 9),
        accuracy: expect.closeTo(theirs.accuracy, 12),
        macroF1: expect.closeTo(theirs.macroF1, 9),
      });
      if (classWeight === 'balanced') return;
      const whole = await evaluate(model, file);
      expect(whole.confusion?.flat().reduce((sum, value) => sum + value, 0)).toBe(1200);
      const validated = theirs.confusion.flat().reduce((sum, value) => sum + value, 0);
      expect(validated).toBe(summary.validation?.rows);
    },
  );
});
