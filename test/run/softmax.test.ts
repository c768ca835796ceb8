import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  evaluate,
  loadModel,
  ParagradError,
  predict,
  predictFile,
  prepare,
  resume,
  type TrainOptions,
  train,
  writeReport,
} from '../../src/index.ts';
import { writeCoefficients } from '../../src/run/coefficients-file.ts';

/** Several classes, from a file to predictions. Labels are in UTF-8 byte order: capitals first, umlauts last. */
const LABELS = ['Birke', 'ahorn', 'eiche', 'ölbaum'];
const ROWS = 900;
let folder = '';
let file = '';
let lines: string[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'paragrad-softmax-'));
  file = join(folder, 'trees.csv');
  lines = Array.from({ length: ROWS }, (_, i) => {
    const [a, b] = [Math.sin(i * 1.7) * 3, Math.cos(i * 0.9)];
    const soil = ['clay', 'sand', 'loam'][(i * 7) % 3] as string;
    const z = [a, 2 * b - a / 2, soil === 'sand' ? 1.5 : 0, -b].map((value, k) => value + 1.5 * Math.sin(i * 12.9898 + k * 4.7));
    const tree = i % 50 === 49 ? '' : LABELS[z.indexOf(Math.max(...z))];
    return `${a},${i % 40 === 7 ? '' : b},${soil},${tree},${z.indexOf(Math.max(...z))},${i % 2 === 0}`;
  });
  writeFileSync(file, `a,b,soil,tree,code,even\n${lines.join('\n')}\n`);
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

const options: TrainOptions = { target: 'tree', drop: ['code', 'even'], chunkRows: 16, blockColumns: 1 };

test('text of four values: softmax, said so; rows without a label are skipped and counted', async () => {
  const { model, summary } = await train(file, options);
  expect([summary.model, summary.schema.modelReason]).toEqual(['softmax', 'the target has 4 classes']);
  expect(summary.schema.classes).toEqual(LABELS);
  expect(summary.schema.skippedRows).toBe(ROWS / 50);
  expect(summary.notes).toContain(`${ROWS / 50} rows were skipped: their target is missing`);
  expect(summary.converged).toBe(true);
  const columns = model.columns.length;
  expect(summary.coefficients.length).toBe(4 * columns);
  expect(new Set(summary.coefficients.map((one) => one.class))).toEqual(new Set(LABELS));
  expect(summary.intercepts?.map((one) => one.class)).toEqual(LABELS);
  const validation = summary.validation as { rows: number; logLoss: number; accuracy: number; macroF1: number };
  expect(validation.rows).toBe(summary.schema.validationRows);
  expect(validation.logLoss).toBeCloseTo(summary.validationLoss as number, 12);
  expect(validation.accuracy).toBeGreaterThan(0.5);
});

describe('the same bits', () => {
  let hash = '';
  beforeAll(async () => {
    hash = (await train(file, options)).summary.weightsSha256;
  });
  test.each(['rows', 'columns', 'grid'] as const)('from three threads, split by %s', async (partition) => {
    const { summary } = await train(file, { ...options, engine: 'threads', workers: 3, partition });
    expect(summary.plan.workers).toBe(3);
    expect(summary.plan.chunks).toBeGreaterThanOrEqual(8);
    expect(summary.weightsSha256).toBe(hash);
  });

  test('from a dataset folder, which knows the classes', async () => {
    const out = join(folder, 'dataset');
    await prepare(file, { ...options, out });
    const manifest = JSON.parse(readFileSync(join(out, 'manifest.json'), 'utf8')) as { target: unknown; model: string };
    expect(manifest.model).toBe('softmax');
    expect(manifest.target).toEqual({ kind: 'labels', name: 'tree', column: 'text', labels: LABELS });
    expect((await train(out, {})).summary.weightsSha256).toBe(hash);
  });

  test('from a run that was cut short and resumed, on other workers', async () => {
    const out = join(folder, 'resumed');
    const cut = (await train(file, { ...options, out, maxPasses: 3, checkpointSeconds: 0 })).summary;
    expect(cut.reason).toBe('max passes');
    await resume(out, { maxPasses: 5 });
    const { summary, model } = await resume(out, { maxPasses: 1000, engine: 'threads', workers: 2, partition: 'grid' });
    expect(summary.weightsSha256).toBe(hash);
    expect(model.weightsSha256).toBe(hash);
  });

  test('from arrays of class numbers, and with booleans two classes', async () => {
    const rows = lines.map((line) => line.split(',')).filter((cells) => cells[3] !== '');
    const x = Float64Array.from(rows.flatMap((cells) => [Number(cells[0]), cells[2] === 'sand' ? 1 : 0]));
    const y = Float64Array.from(rows, (cells) => LABELS.indexOf(cells[3] as string));
    const { summary } = await train({ x, rows: rows.length, columns: 2, y }, { model: 'softmax' });
    expect(summary.schema.classes).toEqual(['0', '1', '2', '3']);
    const two = (await train(file, { ...options, target: 'even', model: 'softmax', drop: ['code', 'tree'] })).summary;
    expect(two.schema.classes).toEqual(['false', 'true']);
    const codes = (await train(file, { ...options, target: 'code', model: 'softmax', drop: ['even', 'tree'] })).summary;
    expect(codes.schema.classes).toEqual(['0', '1', '2', '3']);
  });
});

describe('a saved model', () => {
  let out = '';
  beforeAll(async () => {
    out = join(folder, 'model');
    await train(file, { ...options, out, dtype: 'f64', explain: true });
  });

  test('predicts what its coefficients give by hand, as CSV, lines of JSON and Parquet', async () => {
    const to = join(folder, 'predictions.csv');
    const { rows, missingValues } = await predictFile(out, file, { to });
    expect([rows, missingValues]).toEqual([ROWS, Math.ceil((ROWS - 7) / 40)]);
    const [head, ...predicted] = readFileSync(to, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => line.split(','));
    expect(head).toEqual(['row', 'label', ...LABELS.map((label) => `probability ${label}`)]);
    const table = join(folder, 'coefficients.csv');
    await writeCoefficients(await loadModel(out), table);
    const [names, ...cells] = readFileSync(table, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => line.split(','));
    expect(names?.slice(0, 6)).toEqual(['class', 'name', 'column', 'part', 'level', 'coefficient']);
    for (const [i, line] of lines.slice(0, 60).entries()) {
      const [a, b, soil] = line.split(',') as [string, string, string];
      const z = LABELS.map((label) =>
        cells
          .filter((cell) => cell[0] === label)
          .reduce((sum, [, , column, part, level, coefficient, , , mean]) => {
            const value = Number(coefficient);
            if (part === 'intercept') return sum + value;
            if (column === 'soil') return sum + (level === soil ? value : 0);
            if (part === 'missing') return sum + (b === '' ? value : 0);
            return sum + value * (column === 'a' ? Number(a) : b === '' ? Number(mean) : Number(b));
          }, 0),
      );
      const e = z.map((value) => Math.exp(value - Math.max(...z)));
      const total = e.reduce((sum, value) => sum + value, 0);
      const row = predicted[i] as string[];
      expect(row[1]).toBe(LABELS[z.indexOf(Math.max(...z))]);
      for (const [c, value] of e.entries()) expect(Number(row[2 + c])).toBeCloseTo(value / total, 10);
    }
    const json = join(folder, 'predictions.jsonl');
    await predictFile(out, file, { to: json });
    const first = JSON.parse(readFileSync(json, 'utf8').split('\n')[0] as string) as Record<string, number | string>;
    expect([first.label, String(first['probability ölbaum'])]).toEqual([predicted[0]?.[1], predicted[0]?.[5]]);
    const parquet = join(folder, 'predictions.parquet');
    await predictFile(out, file, { to: parquet });
    const again = await train(parquet, { target: 'label', drop: ['row'], maxPasses: 2 });
    expect(again.summary.schema.classes).toEqual(LABELS);
  });

  test('is loaded with its bits, and evaluated: the confusion matrix adds up', async () => {
    const model = await loadModel(out);
    expect(model.weightsSha256).toBe(model.summary.weightsSha256);
    const { metrics, confusion, byClass, classes, skippedRows } = await evaluate(model, file);
    expect([classes, skippedRows]).toEqual([LABELS, ROWS / 50]);
    const total = (confusion ?? []).flat().reduce((sum, value) => sum + value, 0);
    expect(total).toBe(ROWS - ROWS / 50);
    const right = (confusion ?? []).reduce((sum, row, c) => sum + (row[c] as number), 0);
    expect(metrics).toMatchObject({ rows: total, accuracy: right / total });
    const predictions = await predict(model, file, { target: true });
    const own = { actual: 0, called: 0, right: 0 };
    for await (const { y, prediction, rows, classes: all } of predictions.blocks)
      for (let i = 0; i < rows; i += 1) {
        const p = (all?.probability ?? []).map((values) => values[i] as number);
        expect(p.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 12);
        if (Number.isNaN(y?.[i])) continue;
        own.actual += Number(y?.[i] === 2);
        own.called += Number(prediction[i] === 2);
        own.right += Number(y?.[i] === 2 && prediction[i] === 2);
      }
    predictions.close();
    expect(byClass?.[2]).toEqual({
      class: 'eiche',
      actual: own.actual,
      called: own.called,
      precision: own.right / own.called,
      recall: own.right / own.actual,
      f1: (2 * own.right) / (own.actual + own.called),
    });
  });

  test('has a report with its confusion matrix, and is where another run may start', async () => {
    const page = join(folder, 'report.html');
    await writeReport(out, page);
    const text = readFileSync(page, 'utf8');
    expect(text).toContain('Confusion matrix, validation rows');
    expect(text).not.toMatch(/NaN|undefined/u);
    const { summary } = await train(file, { ...options, dtype: 'f64', init: out });
    expect(summary.passes).toBeLessThanOrEqual(2);
    const wrong = await train(file, { ...options, target: 'code', model: 'softmax', drop: ['even', 'tree'], init: out }).catch(
      (e: unknown) => e,
    );
    expect((wrong as ParagradError).message).toContain('--init: that model has the classes "Birke"');
  });
});

test('l2 auto and early stopping choose by the validation loss; balanced classes weigh the same', async () => {
  const searched = (await train(file, { ...options, l2: 'auto' })).summary;
  expect(searched.l2Path?.length).toBe(20);
  expect(searched.l2).toBe(searched.l2Path?.reduce((best, value) => (value.validationLoss < best.validationLoss ? value : best)).l2);
  const early = (await train(file, { ...options, optimizer: 'gradient-descent', earlyStopping: 2, maxPasses: 40 })).summary;
  expect(['early stopping', 'max passes']).toContain(early.reason);
  const { classWeights } = (await train(file, { ...options, classWeight: 'balanced', validationFraction: 0 })).summary.schema;
  const counts = LABELS.map((label) => lines.filter((line) => line.split(',')[3] === label).length);
  const rows = counts.reduce((sum, value) => sum + value, 0);
  expect(classWeights).toEqual({ byClass: counts.map((n) => rows / (4 * n)) });
});

test('validation rows of a class that training does not have count as of that class; it is said', async () => {
  const later = join(folder, 'later.csv');
  writeFileSync(later, `a,b,soil,tree\n1,2,sand,zeder\n2,1,clay,eiche\n`);
  const { summary } = await train(file, { ...options, validationData: later });
  expect(summary.schema.classes).toEqual(['Birke', 'ahorn', 'eiche', 'zeder', 'ölbaum']);
  expect(summary.notes).toContain('the class "zeder" has no training row with a weight above 0');
  expect(summary.validation).toMatchObject({ rows: 2, logLoss: expect.closeTo(summary.validationLoss as number, 12) });
});

test.each([
  ['--optimizer', { optimizer: 'conjugate-gradient', model: 'softmax' }],
  ['--log-target', { logTarget: true }],
  ['--positive', { positive: 'eiche' }],
  ['--offset', { offset: 'code', drop: ['even'] }],
  ['--model', { model: 'linear' }],
  ['--target', { model: 'logistic' }],
] as const)('%s that does not suit is refused', async (_option, more) => {
  const error = await train(file, { ...options, ...(more as TrainOptions) }).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(ParagradError);
  expect(['PARAGRAD_OPTION', 'PARAGRAD_TARGET']).toContain((error as ParagradError).code);
});
