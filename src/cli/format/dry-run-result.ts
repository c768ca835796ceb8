import type { DryRun } from '../../run/dry-run.ts';
import { planSection } from './explain.ts';
import { bytes, count, short } from './numbers.ts';
import { modelName } from './outcome.ts';
import { strategyPlanSection } from './strategy-plan.ts';
import type { Style } from './style.ts';
import { section, table } from './table.ts';
import { clean, cut, plural } from './text.ts';

const NAME_WIDTH = 40;
/** Columns that are listed, before "and … more". */
const COLUMNS_SHOWN = 12;

/** Options that are decided by the data when nobody says otherwise. */
const FROM_DATA: Readonly<Record<string, string>> = {
  l2: '1 / number of training rows',
  chunkRows: 'rows of 4 MiB',
  blockColumns: 'an eighth of the columns',
  workers: 'one per core',
  positive: 'the later label in byte order',
};

const dashed = (name: string): string => name.replace(/[A-Z]/gu, (letter) => `-${letter.toLowerCase()}`);
const shown = (value: unknown): string =>
  Array.isArray(value)
    ? value.map((each) => clean(String(each))).join(', ')
    : typeof value === 'number'
      ? short(value, 12)
      : clean(String(value));

function optionRows({ options, given }: DryRun, style: Style): string[][] {
  const weighted = options.weight !== undefined || options.classWeight === 'balanced';
  const all: Record<string, unknown> = {
    ...FROM_DATA,
    ...(weighted ? { l2: '1 / sum of the weights of the training rows' } : {}),
    ...options,
  };
  return Object.entries(all)
    .filter(([name, value]) => value !== undefined && name !== 'kernels')
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => {
      const text = shown(value);
      return given.includes(name)
        ? [dashed(name), style.bold(text), '']
        : [dashed(name), text, style.dim(name in options ? 'default' : 'from the data')];
    });
}

function columnRows(columns: NonNullable<DryRun['columns']>, style: Style): string[][] {
  const rows = columns
    .slice(0, COLUMNS_SHOWN)
    .map(({ name, kind, role, note }) => [
      cut(clean(name), NAME_WIDTH),
      kind,
      role === 'feature' ? '' : style.dim(clean(note === '' ? role : note)),
    ]);
  const rest = columns.length - rows.length;
  return rest > 0 ? [...rows, [style.dim(`and ${count(rest)} more`), '', '']] : rows;
}

/** What `paragrad train --dry-run` prints. */
export function dryRunResult(run: DryRun, style: Style): string {
  const model = run.model === null ? 'linear regression, or logistic if the target has two values' : modelName(run.model);
  const about = run.exact ? '' : 'about ';
  const data = table(
    [{}, {}],
    [
      ['source', clean(run.source)],
      ['target', clean(run.target)],
      ['model', model],
      ['rows', `${count(run.rows)}${style.dim(`  ${about}${count(run.plan.rows)} for training`)}`],
      ['columns', `${about}${count(run.plan.columns)} after encoding`],
      ['memory', `${about}${bytes(run.bytes)}`],
    ],
    style,
  );
  const columns =
    run.columns === null
      ? []
      : section('Columns', plural(run.columns.length, 'column'), table([{}, {}, {}], columnRows(run.columns, style), style), style);
  return [
    ...section('Data', 'looked at only: nothing was trained, nothing is written', data, style).slice(1),
    ...columns,
    ...section('Options', '', table([{}, {}, {}], optionRows(run, style), style), style),
    ...(run.plan.strategy === undefined ? planSection(run.plan, style) : strategyPlanSection(run.plan, run.plan.strategy, style)),
  ].join('\n');
}
