import type { Encoded } from '../data/encoded.ts';
import { encodedColumns, encodedWidth } from '../data/encoder.ts';
import { labelsOfTarget } from '../data/target.ts';
import type { SoftmaxMetrics } from '../models/class-metrics.ts';
import type { ClassMetrics, RegressionMetrics } from '../models/metrics.ts';
import type { TrainingOutcome } from '../strategies/job.ts';
import { outputsOf } from '../update/vectors.ts';
import { badNotes } from './bad-notes.ts';
import { coefficientsOf, interceptsOf } from './coefficients.ts';
import { weightsSha256 } from './hash.ts';
import type { ResolvedOptions } from './options.ts';
import { describePlan, type Plan } from './plan.ts';
import type { RunSummary, SchemaSummary } from './types.ts';

export function schemaSummary(
  encoded: Pick<Encoded, 'schema' | 'target' | 'counts' | 'model' | 'encoder' | 'bad'>,
  options: Pick<ResolvedOptions, 'target' | 'model' | 'id'>,
): SchemaSummary {
  const { schema, target, counts, model, encoder, bad } = encoded;
  const features = { number: 0, boolean: 0, category: 0, date: 0 };
  for (const { role, kind } of schema.columns) if (role === 'feature' && kind !== 'other') features[kind] += 1;
  const classes = target.kind === 'number' ? undefined : labelsOfTarget(target);
  const many = target.kind === 'labels' ? `the target has ${target.labels.length} classes` : 'the target has two classes';
  return {
    source: schema.source,
    target: options.target ?? target.name,
    model,
    modelReason: options.model === 'auto' ? (classes === undefined ? 'the target is a number' : many) : undefined,
    classes,
    rows: counts.rows,
    trainingRows: counts.training,
    validationRows: counts.validation,
    skippedRows: counts.withoutTarget,
    features,
    encodedColumns: encodedWidth(encoder),
    weight: schema.columns.find(({ role }) => role === 'weight')?.name,
    offset: schema.columns.find(({ role }) => role === 'offset')?.name,
    id: options.id,
    badRows: bad,
    ...(target.kind === 'number' && target.log === true ? { logTarget: true } : {}),
    leftOut: schema.columns
      .filter(({ name, role }) => !['feature', 'target', 'weight', 'offset'].includes(role) && name !== options.id)
      .map(({ name, note }) => ({ column: name, why: note })),
  };
}

export function summaryOf(run: {
  encoded: Encoded;
  schema: SchemaSummary;
  plan: Plan;
  outcome: TrainingOutcome;
  validation: RegressionMetrics | ClassMetrics | SoftmaxMetrics | null;
  options: ResolvedOptions;
  totalMs: number;
}): RunSummary {
  const { encoded, schema, plan, outcome, validation, options } = run;
  const { vector, objective, gap } = outcome.outcome;
  const { dtype } = encoded.store.training.layout;
  const columns = encodedColumns(encoded.encoder);
  const intercepts = interceptsOf(columns, vector);
  return {
    weightsSha256: weightsSha256(vector),
    loss: objective,
    nullLoss: outcome.nullLoss,
    dataLoss: outcome.dataLoss,
    validationLoss: finite(outcome.validationLoss),
    passes: outcome.progress.passes,
    iterations: outcome.progress.iteration,
    gap: finite(gap),
    converged: outcome.reason === 'converged' || outcome.reason === 'precision reached',
    reason: outcome.reason,
    seconds: { total: run.totalMs / 1000, read: encoded.seconds.read, encode: encoded.seconds.encode, train: outcome.trainMs / 1000 },
    validation,
    model: encoded.model,
    optimizer: outcome.optimizer,
    ...batchesOf(outcome, options),
    l2: outcome.l2,
    dtype,
    seed: options.seed,
    schema,
    plan: describePlan(encoded.store.training.layout, plan, outputsOf(vector)),
    coefficients: coefficientsOf(columns, outcome.columnMeans, vector, encoded.target),
    intercept: intercepts[0] as number,
    ...(encoded.target.kind === 'labels'
      ? { intercepts: encoded.target.labels.map((label, c) => ({ class: label, value: intercepts[c] as number })) }
      : {}),
    notes: [...skipNotes(encoded), ...smallNotes(encoded), ...outcome.notes],
    out: options.out ?? null,
    ...(outcome.path === undefined ? {} : { l2Path: outcome.path.values }),
    ...(outcome.firstStep === undefined ? {} : { firstStep: outcome.firstStep }),
    ...(outcome.speculated === undefined ? {} : { speculated: outcome.speculated }),
    ...(outcome.restarts === undefined ? {} : { restarts: outcome.restarts }),
    ...(outcome.crews === undefined ? {} : { crews: outcome.crews }),
    ...(outcome.costs === undefined ? {} : { costs: outcome.costs }),
  };
}

/** Strategies that judge no epoch read rows for batches alone; a synchronous run's epochs are its iterations. */
function batchesOf({ progress, costs }: TrainingOutcome, { batchSize: rows }: ResolvedOptions): Pick<RunSummary, 'batches'> {
  if (rows === undefined) return {};
  return { batches: { rows, epochs: costs?.strategy === 'map-reduce' ? progress.iteration : progress.passes } };
}

/** What was left out of the rows, in words: nothing is dropped silently. */
export function skipNotes({ counts, bad, schema }: Pick<Encoded, 'counts' | 'bad' | 'schema'>): string[] {
  const notes = [...badNotes(bad), ...schema.columns.flatMap(({ hint }) => hint ?? [])];
  if (counts.withoutTarget > 0)
    notes.push(
      `${counts.withoutTarget} ${counts.withoutTarget === 1 ? 'row was' : 'rows were'} skipped: ${counts.withoutTarget === 1 ? 'its' : 'their'} target is missing`,
    );
  if (counts.unseenCategories > 0)
    notes.push(
      `${counts.unseenCategories} ${counts.unseenCategories === 1 ? 'value in validation rows is a category' : 'values in validation rows are categories'} that no training row has: counted as none`,
    );
  return notes;
}

/** Products of residuals below this lose digits in f32, and below 1.4e-45 all of them. */
const SMALL_TARGET = 1e-36;

/** Says that f32 cannot hold what the target varies by. */
function smallNotes({ model, store, targetStatistics: { m2, weight } }: Encoded): string[] {
  const deviation = Math.sqrt(m2 / weight);
  if (model !== 'linear' || store.training.layout.dtype !== 'f32' || !(deviation > 0 && deviation < SMALL_TARGET)) return [];
  return [
    `the target varies by only ${deviation.toExponential(1)}, which f32 holds with few digits or none: use --dtype f64, or a larger unit`,
  ];
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
