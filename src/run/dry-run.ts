import { openTable } from '../data/open-table.ts';
import { type SchemaColumn, schemaOf } from '../data/schema.ts';
import { labelOf, type TableSource } from '../data/source-files.ts';
import type { Table } from '../data/table.ts';
import { ParagradError } from '../errors.ts';
import { bytesPerValue, type Layout, layoutOf } from '../partition/layout.ts';
import { requireOptions, requireTable } from './arguments.ts';
import { datasetAt, withDataset } from './dataset.ts';
import { choicesOf, type ResolvedOptions, resolveOptions } from './options.ts';
import { describePlan, planOf } from './plan.ts';
import { strategyChoice } from './strategy-options.ts';
import { strategyPlan } from './strategy-plan.ts';
import type { TrainOptions } from './train-options.ts';
import type { PlanSummary } from './types.ts';

/** What a run would be. */
export interface DryRun {
  readonly source: string;
  readonly target: string;
  /** Null when the values of the target decide: two different ones make classes. */
  readonly model: 'linear' | 'logistic' | 'softmax' | null;
  /** All of them, with the defaults; what only the data can decide is left out. */
  readonly options: ResolvedOptions;
  /** Names of the options that were given. */
  readonly given: readonly string[];
  /** Of the source; null for a dataset, whose columns are encoded already. */
  readonly columns: readonly SchemaColumn[] | null;
  readonly rows: number;
  /** Training rows, encoded columns and chunks are exact for a dataset, and about right for a table. */
  readonly exact: boolean;
  readonly plan: PlanSummary;
  /** Encoded rows of both sets, in memory. */
  readonly bytes: number;
}

/**
 * What `train` would do with the same arguments. The columns are looked at and the rows counted; nothing is encoded, trained or
 * written.
 *
 * @throws what `train` would throw before it encodes: options, files and columns that cannot be
 */
export async function dryRun(source: TableSource, options: TrainOptions): Promise<DryRun> {
  requireTable(source, 'dryRun(file, { target })');
  requireOptions(options, 'dryRun(file, { target })');
  const given = Object.entries(options).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  const dataset = await datasetAt(source);
  const resolved = resolveOptions(dataset === undefined ? options : withDataset(options, dataset));
  if (dataset !== undefined) {
    const { layouts, counts, model, target } = dataset.manifest;
    const plan = await planned(layouts.training, resolved, target.kind === 'labels' ? target.labels.length : 1);
    const rows = layouts.training.rows + layouts.validation.rows;
    const facts = { target: target.name, model, columns: null, rows: counts.rows, exact: true };
    return { source: labelOf(source), options: resolved, given, ...facts, plan, bytes: bytesOf(rows, plan) };
  }
  const { target } = resolved;
  if (target === undefined)
    throw new ParagradError('PARAGRAD_OPTION', '--target is missing: name the column to predict', { place: { option: '--target' } });
  const choices = choicesOf(resolved);
  const table = await openTable(source, choices);
  try {
    const { columns } = schemaOf(table, { target, ...choices });
    const rows = table.rows ?? 0;
    const { dtype, chunkRows, blockColumns, validationFraction } = resolved;
    const width = encodedColumnsAbout(table, columns, resolved.maxCategories ?? 0);
    const layout = layoutOf({ dtype, rows: Math.round(rows * (1 - validationFraction)), columns: width, chunkRows, blockColumns });
    const model = resolved.model === 'auto' ? modelFor(table, target) : resolved.model;
    const plan = await planned(layout, resolved, model === 'softmax' ? classesAbout(table, target) : 1);
    return {
      source: labelOf(source),
      target,
      model,
      options: resolved,
      given,
      columns,
      rows,
      exact: false,
      plan,
      bytes: bytesOf(rows, plan),
    };
  } finally {
    table.close();
  }
}

/** The plan, with that of a strategy of mini-batches in place of what passes over all rows send. */
async function planned(layout: Layout, options: ResolvedOptions, outputs: number): Promise<PlanSummary> {
  const plan = planOf(layout, options);
  const choice = await strategyChoice(options, layout, plan.partition.workers);
  const summary = describePlan(layout, plan, outputs);
  return choice === undefined ? summary : { ...summary, strategy: strategyPlan(layout, plan, choice, options, outputs) };
}

/** Classes of a target of text; where its values are not known as text, as few as there can be. */
function classesAbout({ columns }: Table, target: string): number {
  return Math.max(2, columns.find(({ name }) => name === target)?.text?.distinct ?? 2);
}

/** Values, and y and weight of each row. */
function bytesOf(rows: number, { columns, dtype }: PlanSummary): number {
  return rows * (columns * bytesPerValue(dtype) + 16);
}

/** Columns after encoding, indicators of missing values not counted: those are known when the rows have been read. */
function encodedColumnsAbout(table: Table, columns: readonly SchemaColumn[], most: number): number {
  return columns.reduce((sum, { role }, i) => {
    if (role !== 'feature') return sum;
    const distinct = table.columns[i]?.text?.distinct ?? 1;
    return sum + Math.min(distinct, most + 1);
  }, 0);
}

function modelFor({ columns }: Table, target: string): 'logistic' | 'softmax' | null {
  const column = columns.find(({ name }) => name === target);
  if (column?.kind === 'text') return (column.text?.distinct ?? 0) > 2 ? 'softmax' : 'logistic';
  return column?.kind === 'boolean' ? 'logistic' : null;
}
