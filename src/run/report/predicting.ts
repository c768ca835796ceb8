import type { Diagnostics } from '../diagnostics.ts';
import type { SchemaSummary } from '../types.ts';
import { calibrationChart } from './charts/calibration.ts';
import { confusionChart } from './charts/confusion.ts';
import { errorHistogram } from './charts/histogram.ts';
import { predictedChart } from './charts/predicted.ts';
import { rocChart } from './charts/roc.ts';
import { figure, section, table } from './elements.ts';
import { number, percent, plural, shorten } from './text.ts';

const NAME_CHARACTERS = 28;
/** Classes that a confusion matrix has room for, and that a page lists. */
const CONFUSION_SHOWN = 20;
export const CLASSES_SHOWN = 40;

/** How far predictions of validation rows are from the truth. */
export function predicting(schema: SchemaSummary, diagnostics: Diagnostics | null): string {
  if (diagnostics === null) return '';
  const target = shorten(schema.target, NAME_CHARACTERS);
  if (diagnostics.kind === 'number')
    return section('How well it predicts', [
      figure(
        'Predicted against actual',
        `${plural(diagnostics.points.length, 'validation row')}; on the line a prediction is right.`,
        predictedChart(diagnostics.points, target),
      ),
      figure(
        'Errors',
        'Validation rows by the error of their prediction; the outer bars hold the rest.',
        errorHistogram(diagnostics.errors),
      ),
    ]);
  if (diagnostics.kind === 'labels') {
    const labels = schema.classes ?? [];
    const fits = labels.length <= CONFUSION_SHOWN;
    return section('How well it predicts', [
      ...(fits
        ? [
            figure(
              'Confusion',
              'Validation rows of each class, by the class that they are called.',
              confusionChart(diagnostics.confusion, labels),
            ),
          ]
        : []),
      figure('Classes', 'Part of the rows called so that are, and part of the rows that are called so.', classTable(diagnostics, labels)),
    ]);
  }
  const positive = shorten(schema.classes?.[1] ?? 'positive', NAME_CHARACTERS);
  return section('How well it predicts', [
    figure('ROC curve', 'Each point is a threshold; the dashed line is guessing.', rocChart(diagnostics.roc, positive)),
    figure(
      'Calibration',
      'Tenths of the validation rows; on the line a probability is what it says.',
      calibrationChart(diagnostics.calibration, positive),
    ),
  ]);
}

function classTable({ byClass }: Extract<Diagnostics, { kind: 'labels' }>, labels: readonly string[]): string {
  const part = (value: number | null): string => (value === null || Number.isNaN(value) ? '–' : percent(value));
  const rows = byClass
    .slice(0, CLASSES_SHOWN)
    .map(({ actual, precision, recall }, c) => [
      shorten(labels[c] ?? String(c), NAME_CHARACTERS),
      number(actual ?? 0, 15),
      part(precision),
      part(recall),
    ]);
  const rest = byClass.length - rows.length;
  if (rest > 0) rows.push([`and ${number(rest, 15)} more`, '', '', '']);
  return table([['class', 'rows', 'precision', 'recall'], ...rows]);
}
