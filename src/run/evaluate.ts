import { listOf, quote } from '../data/names.ts';
import { labelOf, type TableSource } from '../data/source-files.ts';
import { notFinite } from '../data/statistics.ts';
import { ParagradError } from '../errors.ts';
import { ClassTally, type OneClassMetrics, type SoftmaxMetrics } from '../models/class-metrics.ts';
import { type ClassMetrics, classMetrics, type RegressionMetrics, regressionMetrics } from '../models/metrics.ts';
import { requireModel, requireTable } from './arguments.ts';
import { brierScore, type ErrorMeasures, errorMeasures, type ThresholdMeasures, thresholdMeasures } from './measures.ts';
import type { FittedModel } from './model.ts';
import { loadModel } from './model-folder.ts';
import { type PredictionBlock, type Predictions, type PredictOptions, type PredictReport, predict } from './predict.ts';
import { checkThreshold } from './threshold.ts';
import { fromLog, isLog } from './validate.ts';

/** Of the table of thresholds; the one that was asked for is put among them. */
const THRESHOLDS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

/** What can be said of an evaluation. */
export interface EvaluateOptions {
  /** Two classes: probability above which a row counts as called positive. Default 0.5. */
  readonly threshold?: number | undefined;
  readonly badRows?: 'error' | 'impute' | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onRows?: ((rows: number) => void) | undefined;
  readonly onDownload?: PredictOptions['onDownload'];
}

/** How well a model predicts the rows of a file. */
export interface Evaluation extends PredictReport {
  readonly model: FittedModel['name'];
  readonly source: string;
  readonly target: string;
  /** Labels by class number: of logistic models negative and positive, of softmax all. */
  readonly classes: readonly string[] | undefined;
  /** Rows that do not count: their target is missing, or of no class of the model. */
  readonly skippedRows: number;
  /** `rows` in it: those that count. Accuracy is that at one half. */
  readonly metrics: (RegressionMetrics & ErrorMeasures) | (ClassMetrics & { readonly brierScore: number }) | SoftmaxMetrics;
  /** Two classes: at the threshold, and at 0.1 … 0.9. */
  readonly atThreshold?: ThresholdMeasures;
  readonly thresholds?: readonly ThresholdMeasures[];
  /** Several classes: weight of the rows by actual class, then by the class that they are called; and each class by itself. */
  readonly confusion?: readonly (readonly number[])[];
  readonly byClass?: readonly (OneClassMetrics & { readonly class: string })[];
}

/**
 * Measures a model on a file that has the target. Rows are encoded block by block; kept are three numbers a row.
 *
 * @param model a model, or its folder
 * @throws PARAGRAD_COLUMN when the file lacks the target; PARAGRAD_TARGET when no row has one; PARAGRAD_VALUE for
 * an infinite one; what predicting throws.
 */
export async function evaluate(model: FittedModel | string, file: TableSource, options: EvaluateOptions = {}): Promise<Evaluation> {
  requireTable(file, 'evaluate(model, file)');
  const fitted = typeof model === 'string' ? await loadModel(model) : model;
  requireModel(fitted, 'evaluate(model, file)');
  const source = labelOf(file);
  const threshold = checkThreshold(fitted, options.threshold);
  const { target } = fitted.record;
  const { signal, badRows, onDownload } = options;
  const predictions = await predict(fitted, file, {
    target: true,
    ...(signal && { signal }),
    ...(badRows && { badRows }),
    ...(onDownload && { onDownload }),
  });
  try {
    const { report } = predictions;
    const headOf = (rows: number): Omit<Evaluation, 'metrics'> => {
      if (rows === 0) throw noTarget(source, target);
      const classes = target.kind === 'number' ? undefined : fitted.labels;
      return { ...report, model: fitted.name, source, target: target.name, classes, skippedRows: report.rows - rows };
    };
    if (target.kind === 'labels') {
      const { tally, rows } = await tallied(predictions, source, target, options.onRows);
      const head = headOf(rows);
      const byClass = tally.byClass().map((one, c) => ({ class: target.labels[c] as string, ...one }));
      return { ...head, metrics: tally.metrics(), confusion: tally.matrix(), byClass };
    }
    const known = await collect(predictions, source, target.name, options.onRows);
    const head = headOf(known.y.length);
    if (target.kind !== 'classes') {
      const own = isLog(target) ? fromLog(target, known) : known;
      const logScale = isLog(target) ? { logScale: regressionMetrics(known) } : {};
      return { ...head, metrics: { ...regressionMetrics(own), ...errorMeasures(own), ...logScale } };
    }
    const { probability } = known;
    const at = (value: number): ThresholdMeasures => thresholdMeasures(known, probability, value);
    return {
      ...head,
      metrics: { ...classMetrics(known), brierScore: brierScore(known, probability) },
      atThreshold: at(threshold),
      thresholds: [...new Set([...THRESHOLDS, threshold])].sort((a, b) => a - b).map(at),
    };
  } finally {
    predictions.close();
  }
}

interface Known {
  readonly y: Float64Array;
  readonly z: Float64Array;
  readonly v: Float64Array;
  readonly probability: Float64Array;
}

/** Counts the rows that have a class of the model. */
async function tallied(
  { blocks }: Predictions,
  source: string,
  target: Extract<FittedModel['record']['target'], { kind: 'labels' }>,
  onRows: EvaluateOptions['onRows'],
): Promise<{ tally: ClassTally; rows: number }> {
  const tally = new ClassTally(target.labels.length);
  const z = new Float64Array(tally.classes);
  let known = 0;
  for await (const { y, rows, firstRow, classes, weight } of blocks) {
    if (y === undefined) throw withoutTarget(source, target.name);
    for (let i = 0; i < rows; i += 1) {
      if (Number.isNaN(y[i])) continue;
      known += 1;
      for (let c = 0; c < z.length; c += 1) z[c] = classes?.z[c]?.[i] as number;
      tally.add(z, y[i] as number, weight?.[i] ?? 1);
    }
    onRows?.(firstRow + rows);
  }
  return { tally, rows: known };
}

/** The rows that have a target. */
async function collect({ blocks }: Predictions, source: string, target: string, onRows: EvaluateOptions['onRows']): Promise<Known> {
  const parts: Known[] = [];
  for await (const block of blocks) {
    if (block.y === undefined) throw withoutTarget(source, target);
    const infinite = block.y.findIndex((value) => value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY);
    if (infinite >= 0) throw notFinite(source, block.firstRow + infinite, target, block.y[infinite] as number);
    parts.push(known(block, block.y));
    onRows?.(block.firstRow + block.rows);
  }
  return { y: joined(parts, 'y'), z: joined(parts, 'z'), v: joined(parts, 'v'), probability: joined(parts, 'probability') };
}

function known({ z, prediction, weight }: PredictionBlock, y: Float64Array): Known {
  const has = (_: number, i: number): boolean => !Number.isNaN(y[i]);
  const v = weight ?? new Float64Array(y.length).fill(1);
  return { y: y.filter(has), z: z.filter(has), v: v.filter(has), probability: prediction.filter(has) };
}

function joined(parts: readonly Known[], name: keyof Known): Float64Array {
  const all = new Float64Array(parts.reduce((sum, part) => sum + part[name].length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part[name], at);
    at += part[name].length;
  }
  return all;
}

function withoutTarget(source: string, target: string): ParagradError {
  return new ParagradError(
    'PARAGRAD_COLUMN',
    `${source} has no column ${quote(target)}, the target of the model: predictions have nothing to be compared with`,
    {
      place: { file: source, column: target },
    },
  );
}

function noTarget(source: string, target: FittedModel['record']['target']): ParagradError {
  const what =
    target.kind === 'classes'
      ? `${quote(target.negative)} or ${quote(target.positive)}`
      : target.kind === 'labels'
        ? `one of ${listOf(target.labels, 5)}`
        : 'a number';
  return new ParagradError(
    'PARAGRAD_TARGET',
    `${source}: no row has ${what} in column ${quote(target.name)}, so there is nothing to measure`,
    {
      place: { file: source, column: target.name },
    },
  );
}
