import type { Evaluation } from '../../run/evaluate.ts';
import type { ThresholdMeasures } from '../../run/measures.ts';
import { alignPoints, count, percent, short, significant } from './numbers.ts';
import { modelName } from './outcome.ts';
import type { Style } from './style.ts';
import { section, table } from './table.ts';
import { clean, cut, plural } from './text.ts';

const LABEL_WIDTH = 24;

type Row = readonly [name: string, value: string, what: string];

function measures({ metrics }: Evaluation): Row[] {
  if ('r2' in metrics)
    return [
      ['R²', significant(metrics.r2), 'part of the variation that is explained'],
      ['RMSE', significant(metrics.rmse), 'typical error; large ones weigh more'],
      ['MAE', significant(metrics.mae), 'mean absolute error'],
      ['median error', significant(metrics.medianAbsoluteError), 'half of the rows are nearer'],
      ['largest error', significant(metrics.maxAbsoluteError), ''],
      ['bias', significant(metrics.bias), 'mean of prediction − target'],
      ...(metrics.logScale === undefined
        ? []
        : ([['R², log', significant(metrics.logScale.r2), 'of the logarithm, which was trained on']] as const)),
    ];
  if ('macroF1' in metrics)
    return [
      ['accuracy', percent(metrics.accuracy), 'rows whose likeliest class is right'],
      ['macro F1', significant(metrics.macroF1), 'mean over the classes; 1 is perfect'],
      ['log loss', significant(metrics.logLoss), 'nats per row'],
    ];
  return [
    ['AUC', significant(metrics.auc), '0.5 is guessing, 1 is perfect order'],
    ['log loss', significant(metrics.logLoss), 'nats per row'],
    ['Brier score', significant(metrics.brierScore), 'mean squared error of the probability'],
    ['accuracy', percent(metrics.accuracy), 'rows whose likelier class is right'],
  ];
}

/** Rows by what they are and what they are called. */
function confusion(at: ThresholdMeasures, classes: readonly string[], style: Style): string[] {
  const [no, yes] = classes.map((label) => cut(clean(label), LABEL_WIDTH)) as [string, string];
  const right = { align: 'right' } as const;
  return table(
    [{ title: '' }, { title: `called ${no}`, ...right }, { title: `called ${yes}`, ...right }],
    [
      [`is ${no}`, short(at.trueNegative, 12), short(at.falsePositive, 12)],
      [`is ${yes}`, short(at.falseNegative, 12), short(at.truePositive, 12)],
    ],
    style,
  );
}

function thresholdTable(thresholds: readonly ThresholdMeasures[], positive: string, style: Style): string[] {
  const right = { align: 'right' } as const;
  const titles = ['threshold', `called ${cut(clean(positive), LABEL_WIDTH)}`, 'accuracy', 'precision', 'recall', 'specificity', 'F1'];
  const first = alignPoints(thresholds.map(({ threshold }) => short(threshold, 6)));
  const rows = thresholds.map((at, i) => [
    first[i] as string,
    short(at.truePositive + at.falsePositive, 12),
    percent(at.accuracy),
    percent(at.precision),
    percent(at.recall),
    percent(at.specificity),
    significant(at.f1, 3),
  ]);
  return table(
    titles.map((title) => ({ title, ...right })),
    rows,
    style,
  );
}

/** Classes of a confusion matrix that fits a line, and of a list. */
const MATRIX_SHOWN = 10;
const CLASSES_SHOWN = 40;
const CALLED_WIDTH = 12;

/** Several classes: who is called what. */
function confusionMatrix(matrix: readonly (readonly number[])[], classes: readonly string[], style: Style): string[] {
  const right = { align: 'right' } as const;
  const names = classes.map((label) => cut(clean(label), CALLED_WIDTH));
  return table(
    [{ title: 'is \\ called' }, ...names.map((title) => ({ title, ...right }))],
    matrix.map((row, c) => [names[c] as string, ...row.map((value, k) => (k === c ? style.bold(short(value, 12)) : short(value, 12)))]),
    style,
  );
}

function classTable(byClass: NonNullable<Evaluation['byClass']>, style: Style): string[] {
  const right = { align: 'right' } as const;
  const titles = ['rows', 'called', 'precision', 'recall', 'F1'];
  const rows = byClass
    .slice(0, CLASSES_SHOWN)
    .map((one) => [
      cut(clean(one.class), LABEL_WIDTH),
      short(one.actual, 12),
      short(one.called, 12),
      percent(one.precision),
      percent(one.recall),
      significant(one.f1, 3),
    ]);
  const rest = byClass.length - rows.length;
  if (rest > 0) rows.push([style.dim(`and ${count(rest)} more`), '', '', '', '', '']);
  return table([{ title: 'class' }, ...titles.map((title) => ({ title, ...right }))], rows, style);
}

function classSections({ confusion: matrix, byClass, classes }: Evaluation, style: Style): string[] {
  if (matrix === undefined || byClass === undefined || classes === undefined) return [];
  const fits = classes.length <= MATRIX_SHOWN;
  return [
    ...(fits
      ? section('Confusion', 'rows, by what they are and what they are called', confusionMatrix(matrix, classes, style), style)
      : []),
    ...section('Classes', fits ? '' : 'the confusion matrix is in --json', classTable(byClass, style), style),
  ];
}

/** What `paragrad evaluate` prints. */
export function evaluateResult(evaluation: Evaluation, style: Style): string {
  const { source, rows, skippedRows, target, classes, atThreshold, thresholds, metrics } = evaluation;
  const skipped = skippedRows === 0 ? '' : `, ${count(skippedRows)} without a known target left out`;
  const lines = table(
    [{}, {}, {}],
    measures(evaluation).map(([name, value, what]) => [name, value, style.dim(what)]),
    style,
  );
  const head = `${style.bold(clean(source))}  ${style.dim(`${plural(rows, 'row')}${skipped}; ${modelName(evaluation.model)} of ${clean(target)}`)}`;
  return [
    head,
    ...section('Measures', `over ${plural(metrics.rows, 'row')}`, lines, style),
    ...classSections(evaluation, style),
    ...(classes === undefined || atThreshold === undefined || thresholds === undefined
      ? []
      : [
          ...section(
            'Confusion',
            `rows, at the threshold ${short(atThreshold.threshold, 6)}`,
            confusion(atThreshold, classes, style),
            style,
          ),
          ...section(
            'Thresholds',
            'a row is called positive where its probability is above',
            thresholdTable(thresholds, classes[1] ?? '', style),
            style,
          ),
        ]),
  ].join('\n');
}
