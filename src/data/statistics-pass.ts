import type { BadRows } from './bad-rows.ts';
import { type Plan, progress } from './encode-plan.ts';
import { checkTraining } from './encoded.ts';
import { keepable } from './kept.ts';
import { memoryLimitBytes } from './limits.ts';
import { RunningTree } from './running-tree.ts';
import { SKIPPED, TRAINING, VALIDATION } from './split.ts';
import { blockStatisticsOf, type Chosen, type ColumnStatistics, checkMoments, choose, mergeStatistics } from './statistics.ts';
import type { Batch, Values } from './table.ts';
import type { TableSplit } from './table-split.ts';
import { chooseTarget, type TargetEncoder, TargetProbing } from './target.ts';

/**
 * The first pass over a table: which set each row belongs to, statistics of the training rows, what kind of target there is; and
 * the batches themselves, where there is room to keep them (docs/numerics.md §8).
 */

/** What the statistics pass leaves. */
export interface FirstPass {
  readonly statistics: readonly ColumnStatistics[];
  readonly dictionaries: readonly (readonly string[] | undefined)[];
  readonly target: TargetEncoder;
  /** Of each batch: what each of its rows is for. */
  readonly uses: readonly Uint8Array[];
  /** All batches, where they were kept. */
  kept: Batch[] | undefined;
  readonly rows: { all: number; withoutTarget: number; training: number; validation: number };
  /** What is wrong in the source, unless that is an error. */
  readonly bad: BadRows | undefined;
}

/**
 * Scans the table once.
 *
 * @throws PARAGRAD_TARGET, PARAGRAD_VALUE, PARAGRAD_DATA as `fitTable` says; the signal's reason when aborted
 */
export async function statisticsPass(plan: Plan): Promise<FirstPass> {
  const { table, options } = plan;
  const tree = new RunningTree<ColumnStatistics[]>(mergeStatistics);
  const probing = new TargetProbing(table.columns[plan.target]?.kind ?? 'number', options.logTarget);
  const uses: Uint8Array[] = [];
  const rows = { all: 0, withoutTarget: 0, training: 0, validation: 0 };
  let dictionaries: (readonly string[] | undefined)[] = plan.features.map(() => undefined);
  const { scanned, ids } = plan.tableSplit;
  const before = [plan.target, ...plan.rowColumns.scanned, ...scanned];
  const wanted = [...before, ...plan.features];
  const keep = keepable(table, wanted.length, options.memoryBytes ?? memoryLimitBytes());
  const kept: Batch[] = [];
  let weighty = 0;
  for await (const batch of plan.watch.over(table.scan(wanted, { signal: options.signal, ids, keep }))) {
    const target = batch.columns[0] as Values;
    probing.look(target, batch.rows, { source: table.source, name: options.target, firstRow: batch.firstRow });
    const use = useOf(target, batch, plan.tableSplit, 1 + plan.rowColumns.scanned.length);
    rows.withoutTarget += countMissing(target, batch);
    const { weight } = plan.rowColumns.read(batch, 1, use);
    const chosen = choose(use, TRAINING, weight);
    const columns = batch.columns.slice(before.length);
    tree.push(chosen.count === 0 ? undefined : blockStatistics(plan, columns, batch, chosen));
    dictionaries = columns.map((values) => (values.kind === 'text' ? values.dictionary : undefined));
    uses.push(use);
    if (keep) kept.push(batch);
    rows.all += batch.rows;
    weighty += chosen.count;
    for (let i = 0; i < use.length; i += 1) {
      if (use[i] === VALIDATION) rows.validation += 1;
      else if (use[i] === TRAINING) rows.training += 1;
    }
    progress(plan, 'statistics', rows.all);
  }
  const target = chooseTarget(options.target, probing.finish(), {
    model: options.model ?? 'auto',
    positive: options.positive,
    log: options.logTarget,
  });
  checkTraining(weighty, rows, table.source, options.validationAfter);
  return { statistics: tree.finish() ?? [], dictionaries, target, uses, kept: keep ? kept : undefined, rows, bad: badOf(plan) };
}

/** Rows without a target are skipped, the others split. */
function useOf(target: Values, batch: Batch, split: TableSplit, first: number): Uint8Array {
  const use = new Uint8Array(batch.rows);
  if (target.kind === 'text') {
    for (let i = 0; i < use.length; i += 1) if ((target.codes[i] as number) < 0) use[i] = SKIPPED;
  } else if (target.missing !== undefined) {
    for (let i = 0; i < use.length; i += 1) if (target.missing[i] === 1) use[i] = SKIPPED;
  }
  if (batch.skip !== undefined) for (let i = 0; i < use.length; i += 1) if (batch.skip[i] === 1) use[i] = SKIPPED;
  split.fill(use, batch, first);
  return use;
}

function blockStatistics(plan: Plan, columns: readonly Values[], batch: Batch, chosen: Chosen): ColumnStatistics[] {
  const all = blockStatisticsOf(columns, chosen);
  return plan.features.map((feature, i) => {
    const values = columns[i] as Values;
    const statistics = all[i] as ColumnStatistics;
    if (statistics.kind === 'number' && values.kind === 'number')
      checkMoments(statistics, plan.table.columns[feature]?.name ?? '', plan.table.source, batch.firstRow, values.values, chosen);
    return statistics;
  });
}

/** Rows without a target that are not skipped for something else. */
function countMissing(target: Values, { rows, skip }: Batch): number {
  let count = 0;
  for (let i = 0; i < rows; i += 1) {
    const missing = target.kind === 'text' ? (target.codes[i] as number) < 0 : target.missing?.[i] === 1;
    if (missing && skip?.[i] !== 1) count += 1;
  }
  return count;
}

/** What the table, and the columns of weights and offsets, have found to be wrong. */
function badOf({ table: { bad }, rowColumns: { wrong } }: Plan): BadRows | undefined {
  if (bad === undefined) return undefined;
  const columns = new Map([...bad.columns.map(({ column, values }) => [column, values] as const), ...wrong.columns]);
  return {
    ...bad,
    rows: bad.rows + wrong.rows,
    columns: [...columns].map(([column, values]) => ({ column, values })),
    examples: [...bad.examples, ...wrong.examples],
  };
}
