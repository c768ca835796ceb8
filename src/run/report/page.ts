import type { SoftmaxMetrics } from '../../models/class-metrics.ts';
import type { ClassMetrics, RegressionMetrics } from '../../models/metrics.ts';
import type { RunCosts } from '../../monitor/costs.ts';
import type { Diagnostics } from '../diagnostics.ts';
import { hostOf } from '../host.ts';
import type { RunSummary } from '../types.ts';
import { coefficientsChart } from './charts/coefficients.ts';
import type { LossPoint } from './charts/loss-curve.ts';
import { planChart } from './charts/plan.ts';
import { MOST_RANKS, workersChart } from './charts/workers.ts';
import { figure, section, table } from './elements.ts';
import { learning, penalties } from './learning.ts';
import { CLASSES_SHOWN, predicting } from './predicting.ts';
import { STYLE } from './style.ts';
import { bytes, html, number, percent, plural, seconds, tenths } from './text.ts';

/** What a report is made from: all of it lies in a run folder. */
export interface ReportData {
  readonly summary: RunSummary;
  readonly steps: readonly LossPoint[];
  /** Null without validation rows. */
  readonly diagnostics: Diagnostics | null;
}

const COEFFICIENTS_SHOWN = 20;
const MODELS: Readonly<Record<string, string>> = {
  linear: 'linear regression',
  logistic: 'logistic regression',
  softmax: 'softmax regression',
};
const modelName = (model: string): string => MODELS[model] ?? model;

/** A report as one HTML page that needs nothing else: no script, no file, no network. */
export function reportPage(data: ReportData): string {
  const { summary } = data;
  const title = `${summary.schema.target} · ${modelName(summary.model)}`;
  const body = [
    header(summary),
    measures(summary),
    warning(summary),
    learning(summary, data.steps),
    penalties(summary),
    predicting(summary.schema, data.diagnostics),
    coefficients(summary),
    work(summary),
    details(summary),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${html(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${body.filter((part) => part !== '').join('\n')}
</main>
</body>
</html>
`;
}

function header({ schema, model }: RunSummary): string {
  const rows = `${plural(schema.rows, 'row')}: ${number(schema.trainingRows, 15)} for training, ${number(schema.validationRows, 15)} for validation`;
  return `<header><p class="eyebrow">paragrad · ${html(modelName(model))}</p><h1>${html(schema.target)}</h1><p>${html(schema.source)} · ${rows}</p></header>`;
}

function measuresOf(validation: RegressionMetrics | ClassMetrics | SoftmaxMetrics | null): [string, string][] {
  if (validation === null) return [];
  if ('r2' in validation)
    return [
      ['R²', number(validation.r2)],
      ['RMSE', number(validation.rmse)],
      ['MAE', number(validation.mae)],
    ];
  if ('macroF1' in validation)
    return [
      ['accuracy', percent(validation.accuracy)],
      ['macro F1', number(validation.macroF1)],
      ['log loss', number(validation.logLoss)],
    ];
  return [
    ['AUC', number(validation.auc)],
    ['accuracy', percent(validation.accuracy)],
    ['log loss', number(validation.logLoss)],
  ];
}

function measures({ validation, passes, seconds: time, plan }: RunSummary): string {
  const all = [
    ...measuresOf(validation),
    ['passes', number(tenths(passes), 15)],
    ['time', seconds(time.total)],
    ['encoded columns', number(plan.columns, 15)],
  ];
  return `<dl class="measures">${all.map(([name, value]) => `<div><dt>${name}</dt><dd>${value}</dd></div>`).join('')}</dl>`;
}

function warning({ converged, reason, notes }: RunSummary): string {
  const lines = [...(converged ? [] : [`Training ended before it had converged (${reason}).`]), ...notes];
  return lines.length === 0 ? '' : `<div class="note">${lines.map((line) => `<p>${html(line)}</p>`).join('')}</div>`;
}

function coefficients({ coefficients: all, intercept, schema, model }: RunSummary): string {
  const many = model === 'softmax';
  const shown = all.slice(0, COEFFICIENTS_SHOWN).map((one) => (many ? { ...one, name: `${one.class}: ${one.name}` } : one));
  if (shown.length === 0) return '';
  const what = schema.classes === undefined ? schema.target : many ? 'the score of the class' : `the log-odds of ${schema.classes[1]}`;
  const rest = all.length > shown.length ? `${number(all.length - shown.length, 15)} smaller ones` : '';
  const last = [many ? '' : `intercept ${number(intercept)}`, rest].filter((text) => text !== '').join(', and ');
  const caption = `Numbers: change of ${what} per unit of the column. Bars: how much each matters (its change over one standard deviation).${last === '' ? '' : ` Not shown: ${last}.`}`;
  return section('What matters', [figure('Largest coefficients', caption, `<div class="wide">${coefficientsChart(shown)}</div>`)]);
}

function work({ plan, costs }: RunSummary): string {
  const host = hostOf(plan).replace(/^o/u, 'O');
  const caption = `${host}, split by ${plan.partition}. Lines are the ends of ${plural(plan.chunks, 'chunk')} and ${plural(plan.blocks, 'block')}: sums are taken in their order, so the split changes no bit.`;
  const most = Math.max(...plan.shares.map((share) => share.bytes));
  const sent = Math.max(...plan.shares.map((share) => share.gradientBytes + share.dotBytes));
  const rows = [
    ['engine', plan.engine],
    ['workers', number(plan.workers, 15)],
    ['split', plan.partition],
    ['chunk', `up to ${plural(plan.chunkRows, 'row')}`],
    ['block', `up to ${plural(plan.blockColumns, 'column')}`],
    ['a worker holds at most', bytes(most)],
    ['and sends per gradient', bytes(sent)],
  ];
  return section('Who did what', [
    figure('Shares of the training matrix', caption, planChart(plan)),
    figure('Plan', 'A function of the shape of the data and the options.', table(rows)),
    ...(costs === undefined || costs.ranks.length < 2
      ? []
      : [figure('Time of the workers', timeCaption(costs), workersChart(costs.ranks))]),
  ]);
}

function timeCaption({ utilisation, ranks }: RunCosts): string {
  const rest = ranks.length - MOST_RANKS;
  const others = rest > 0 ? ` The first ${MOST_RANKS} are shown.` : '';
  return `Workers computed ${number(100 * utilisation, 2)} % of the time; the rest they waited for others, or sent and received.${others}`;
}

/** Labels, as many as are worth reading. */
function classNames({ classes, model }: RunSummary['schema']): string {
  const labels = classes ?? [];
  if (model !== 'softmax') return `${labels[1]} (positive), ${labels[0]}`;
  const shown = labels.slice(0, CLASSES_SHOWN).join(', ');
  return labels.length > CLASSES_SHOWN ? `${shown} and ${number(labels.length - CLASSES_SHOWN, 15)} more` : shown;
}

function details({ schema, weightsSha256 }: RunSummary): string {
  const kinds = Object.entries(schema.features).flatMap(([kind, count]) =>
    count === 0 ? [] : [plural(count, kind, kind === 'category' ? 'categories' : undefined)],
  );
  const data = table([
    ['features', kinds.join(', ')],
    ['columns after encoding', number(schema.encodedColumns, 15)],
    ...(schema.classes === undefined ? [] : [['classes', classNames(schema)]]),
    ['rows without a target', number(schema.skippedRows, 15)],
    ['columns left out', schema.leftOut.length === 0 ? 'none' : schema.leftOut.map(({ column, why }) => `${column} (${why})`).join('; ')],
    ['sha256 of the weights', weightsSha256],
  ]);
  return section('Details', [figure('Data', schema.source, data)]);
}
