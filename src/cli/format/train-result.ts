import { hostOf } from '../../run/host.ts';
import type { Coefficient, RunSummary, SchemaSummary } from '../../run/types.ts';
import { costsSection } from './costs.ts';
import { alignPoints, count, percent, seconds, short, signed, significant } from './numbers.ts';
import { endedBecause, modelName, optimizerName } from './outcome.ts';
import type { Style } from './style.ts';
import { section, table } from './table.ts';
import { clean, cut, cutMiddle, plural, shellWord } from './text.ts';

const KINDS: readonly (readonly [keyof SchemaSummary['features'], string, string])[] = [
  ['number', 'number', 'numbers'],
  ['boolean', 'boolean', 'booleans'],
  ['category', 'category', 'categories'],
  ['date', 'date', 'dates'],
];
const ROLES = { weight: 'weights', offset: 'offsets', id: 'row names' };
/** Columns left out that are named, before "and … more". */
const LEFT_OUT_SHOWN = 8;
const NAME_WIDTH = 44;
const CLASSES_SHOWN = 6;
const CLASS_WIDTH = 16;
const BAR_WIDTH = 16;
/** Changes of the number of workers that are listed. */
const CREWS_SHOWN = 6;
export const COEFFICIENTS_SHOWN = 10;

/** What was read, and what becomes of it. */
export function dataSection(schema: SchemaSummary, style: Style): string[] {
  const rows: string[][] = [
    ['file', clean(schema.source)],
    ['target', clean(schema.target)],
    ['model', modelName(schema.model) + style.dim(schema.modelReason === undefined ? '' : `  ${clean(schema.modelReason)}`)],
  ];
  if (schema.logTarget === true) rows.push(['scale', 'logarithm of the target']);
  if (schema.classes !== undefined && schema.model === 'softmax') rows.push(['classes', classList(schema.classes, style)]);
  else if (schema.classes !== undefined) {
    const [negative, positive] = schema.classes.map(clean) as [string, string];
    rows.push(['classes', `${positive} (positive) and ${negative}${style.dim('  --positive LABEL chooses')}`]);
  }
  const passedOver = (schema.badRows?.rows ?? 0) + (schema.badRows?.lines ?? 0);
  const skipped =
    (schema.skippedRows === 0 ? '' : `, ${plural(schema.skippedRows, 'row')} without a target left out`) +
    (passedOver === 0 ? '' : `, ${plural(passedOver, 'wrong row')} skipped`);
  rows.push([
    'rows',
    `${count(schema.rows)}${style.dim(`  ${count(schema.trainingRows)} for training, ${count(schema.validationRows)} for validation${skipped}`)}`,
  ]);
  for (const role of ['weight', 'offset', 'id'] as const) {
    const column = schema[role];
    if (column !== undefined) rows.push([ROLES[role], clean(column)]);
  }
  const kinds = KINDS.filter(([kind]) => schema.features[kind] > 0).map(([kind, one, many]) => plural(schema.features[kind], one, many));
  const features = KINDS.reduce((sum, [kind]) => sum + schema.features[kind], 0);
  rows.push(['features', `${count(features)}${style.dim(`  ${kinds.join(', ')}`)}`]);
  rows.push(['columns', `${count(schema.encodedColumns)}${style.dim('  after encoding')}`]);
  rows.push(...leftOutRows(schema, style));
  return section('Data', '', table([{}, {}], rows, style), style);
}

/** How many, and the first of them. */
function classList(classes: readonly string[], style: Style): string {
  const shown = classes.slice(0, CLASSES_SHOWN).map((label) => cut(clean(label), CLASS_WIDTH));
  const rest = classes.length - shown.length;
  return `${count(classes.length)}${style.dim(`  ${shown.join(', ')}${rest > 0 ? ` and ${count(rest)} more` : ''}`)}`;
}

function leftOutRows({ leftOut }: SchemaSummary, style: Style): string[][] {
  const shown = leftOut.slice(0, leftOut.length <= LEFT_OUT_SHOWN + 1 ? leftOut.length : LEFT_OUT_SHOWN);
  const rows = shown.map(({ column, why }, i) => [
    i === 0 ? 'left out' : '',
    cut(clean(column), NAME_WIDTH) + style.dim(`  ${clean(why)}`),
  ]);
  if (shown.length < leftOut.length) rows.push(['', style.dim(`and ${count(leftOut.length - shown.length)} more (--json lists all)`)]);
  return rows;
}

function logMeasures(logScale: { readonly r2: number; readonly rmse: number }): string[][] {
  return [
    ['R², log', significant(logScale.r2), 'of the logarithm, which was trained on'],
    ['RMSE, log', significant(logScale.rmse), 'a typical error of 0.1 is about 10 %'],
  ];
}

function measuresOf(summary: RunSummary): string[][] {
  const { validation } = summary;
  if (validation === null) return [];
  if ('r2' in validation)
    return [
      ['R²', significant(validation.r2), 'part of the variation that is explained'],
      ['RMSE', significant(validation.rmse), 'typical error; large ones weigh more'],
      ['MAE', significant(validation.mae), 'mean absolute error'],
      ...(validation.logScale === undefined ? [] : logMeasures(validation.logScale)),
    ];
  if ('macroF1' in validation)
    return [
      ['accuracy', percent(validation.accuracy), 'rows whose class is predicted'],
      ['macro F1', significant(validation.macroF1), 'mean over the classes; 1 is perfect'],
      ['log loss', significant(validation.logLoss), 'nats per row'],
    ];
  return [
    ['AUC', significant(validation.auc), '0.5 is guessing, 1 is perfect order'],
    ['accuracy', percent(validation.accuracy), 'rows whose class is predicted'],
    ['log loss', significant(validation.logLoss), 'nats per row'],
  ];
}

/** Fit measures on the validation rows, and what training did to the loss. */
export function resultSection(summary: RunSummary, style: Style): string[] {
  const { validation, loss, nullLoss } = summary;
  const gain = nullLoss > 0 ? signed(percent((loss - nullLoss) / nullLoss)) : '';
  const rows = [
    ...measuresOf(summary),
    ['loss', significant(loss), `in training, penalty included${gain === '' ? '' : ` (${gain})`}`],
    ['null loss', significant(nullLoss), 'of the intercept alone'],
  ];
  const lines = table(
    [{}, {}, {}],
    rows.map(([name, value, what]) => [name as string, value as string, style.dim(what as string)]),
    style,
  );
  const remark =
    validation === null
      ? 'no rows were held back for validation'
      : `validation: ${plural(validation.rows, 'row')} that training did not see`;
  return section('Result', remark, lines, style);
}

/** The largest coefficients in the user's own units, each with a bar for its importance. */
export function coefficientsSection(
  summary: Pick<RunSummary, 'coefficients' | 'intercept' | 'intercepts' | 'schema'>,
  style: Style,
  most = COEFFICIENTS_SHOWN,
): string[] {
  const shown = summary.coefficients.slice(0, most);
  if (shown.length === 0) return [];
  const values = alignPoints([...shown.map(({ value }) => value), summary.intercept].map((value) => signed(significant(value))));
  const top = Math.max(...shown.map(({ importance }) => importance));
  const rest = summary.coefficients.length - shown.length;
  const smaller = rest === 0 ? '' : style.dim(`and ${count(rest)} smaller ones`);
  const { target, classes, model } = summary.schema;
  if (model === 'softmax') {
    const rows = shown.map((coefficient, i) => [
      cut(clean(coefficient.class ?? ''), CLASS_WIDTH),
      cutMiddle(clean(coefficient.name), NAME_WIDTH),
      values[i] as string,
      bar(coefficient, top),
    ]);
    const lines = table([{}, {}, { align: 'right' }, {}], rows, style);
    return section(
      'Largest coefficients',
      'change of the score of a class per unit',
      [...lines, `  ${smaller}`].slice(0, rest === 0 ? -1 : undefined),
      style,
    );
  }
  const rows = shown.map((coefficient, i) => [cutMiddle(clean(coefficient.name), NAME_WIDTH), values[i] as string, bar(coefficient, top)]);
  const last = [style.dim('intercept'), values[shown.length] as string, smaller];
  const scale = summary.schema.logTarget === true ? 'the logarithm of ' : '';
  const what = classes === undefined ? `change of ${scale}${clean(target)}` : `change of the log-odds of ${clean(classes[1] ?? '')}`;
  const lines = table([{}, { align: 'right' }, {}], [...rows, last], style);
  return section('Largest coefficients', `${what} per unit; bars: how much each matters`, lines, style);
}

function bar({ importance }: Coefficient, top: number): string {
  return top > 0 ? '━'.repeat(Math.max(1, Math.round((importance / top) * BAR_WIDTH))) : '';
}

/** What `--l2 auto` tried, and which one it took. */
function penaltySection({ l2Path, l2 }: RunSummary, style: Style): string[] {
  if (l2Path === undefined) return [];
  const rows = l2Path.map((value) => {
    const cells = [short(value.l2), significant(value.validationLoss), significant(value.trainingLoss), String(value.passes)];
    return value.l2 === l2 ? [...cells.map((cell) => style.bold(cell)), 'chosen'] : cells;
  });
  const right = { align: 'right' } as const;
  const columns = [
    { title: 'l2', ...right },
    { title: 'validation loss', ...right },
    { title: 'training loss', ...right },
    { title: 'passes', ...right },
    {},
  ];
  return section('Penalties', 'losses without penalty', table(columns, rows, style), style);
}

/** Rows of a mini-batch and epochs, and a comma. */
function batchesText({ batches }: RunSummary): string {
  if (batches === undefined) return '';
  return `batches of ${plural(batches.rows, 'row')}, ${plural(Number(batches.epochs.toFixed(1)), 'epoch')}, `;
}

/** `1 at first, 3 from step 12 on, 2 from step 40 on`; of many changes the last. */
function crewsText(crews: NonNullable<RunSummary['crews']>): string {
  const said = crews.map(({ workers, steps }, i) => (i === 0 ? `${workers} at first` : `${workers} from step ${count(steps)} on`));
  const shown = said.length <= CREWS_SHOWN ? said : [said[0] ?? '', '…', ...said.slice(1 - CREWS_SHOWN)];
  return shown.join(', ');
}

function runSection(summary: RunSummary, style: Style): string[] {
  const { plan, seconds: time } = summary;
  const host = plan.workers === 1 && plan.engine === 'inline' ? hostOf(plan) : `${hostOf(plan)}, split by ${plan.partition}`;
  const how = summary.costs?.strategy ?? 'map-reduce';
  const strategy = how === 'map-reduce' ? '' : ` by ${how}`;
  const rest = Math.max(0, time.total - time.read - time.encode - time.train);
  const parts = `read ${seconds(time.read)}, encode ${seconds(time.encode)}, train ${seconds(time.train)}, the rest ${seconds(rest)}`;
  const rows = [
    ['ended', endedBecause(summary)],
    [
      'method',
      `${optimizerName(summary.optimizer)}${strategy}, ${batchesText(summary)}${host}, ${summary.dtype}${style.dim(`  l2 ${short(summary.l2)}, seed ${summary.seed}`)}`,
    ],
    ['time', `${seconds(time.total)}${style.dim(`  ${parts}`)}`],
    ['weights', style.dim(`sha256 ${summary.weightsSha256.slice(0, 16)}…`)],
  ];
  if (summary.crews !== undefined) rows.splice(2, 0, ['workers', crewsText(summary.crews)]);
  if (summary.out !== null) rows.push(['saved', clean(summary.out)]);
  return section('Run', '', table([{}, {}], rows, style), style);
}

/** What `paragrad train` prints, without a newline at the end. @param command how the program was started: `paragrad` */
export function trainResult(summary: RunSummary, style: Style, command: string, explained: readonly string[] = []): string {
  const next = summary.out === null ? [] : ['', `Next: ${style.bold(`${command} predict ${shellWord(summary.out)} new.csv`)}`];
  const lines = [
    ...dataSection(summary.schema, style),
    ...explained,
    ...resultSection(summary, style),
    ...penaltySection(summary, style),
    ...coefficientsSection(summary, style),
    ...costsSection(summary.costs, style),
    ...runSection(summary, style),
    ...next,
  ];
  return lines.slice(1).join('\n');
}

/** What `paragrad inspect MODEL` prints. */
export function modelResult(summary: RunSummary, style: Style): string {
  const lines = [
    ...dataSection(summary.schema, style),
    ...resultSection(summary, style),
    ...coefficientsSection(summary, style, 2 * COEFFICIENTS_SHOWN),
    ...runSection(summary, style),
  ];
  return lines.slice(1).join('\n');
}
