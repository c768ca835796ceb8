import { ParagradError } from '../errors.ts';
import type { Loss } from '../kernels/kernels.ts';
import { modelOf } from '../models/model.ts';
import type { Partition, Share } from '../partition/plan.ts';
import { choosePrecondition, type Preconditioner, preconditionerOf } from '../update/batch/precondition.ts';
import { RULES, type RuleName, type UpdateRule } from '../update/batch/rules.ts';
import { factorAt } from '../update/batch/schedule.ts';
import { coordinateCount } from '../update/coordinates.ts';
import { applyInverse, METRIC_RULES, type Metric } from '../update/metric.ts';
import { MetricKeeper, NO_METRIC } from '../update/metric-keeper.ts';
import { objectiveOf, pointOf, startingPoints } from '../update/objective.ts';
import type { Problem } from '../update/optimizer.ts';
import type { GramSums, PanelSample, Vector } from '../update/pass.ts';
import { sampleAt } from '../update/sampling.ts';
import { requireFinite } from '../update/stop.ts';
import { norm } from '../update/vectors.ts';
import { CellEvaluator } from './cell-evaluator.ts';
import type { StrategyChoice } from './choice.ts';
import type { TrainingJob } from './job.ts';
import { problemOf } from './problem.ts';
import type { RankHost } from './strategy.ts';

/**
 * What strategies of mini-batches know before their first step, on every rank alike: the problem, and from the Gram matrix of a
 * sample at the start a preconditioner and a rate. Where it can be done without, x of all rows is not read: many a run ends before
 * it has read all rows once.
 */
export interface BatchSetup {
  readonly evaluator: CellEvaluator;
  /** Its column means may be those of a sample: `withMeans`. */
  readonly problem: Problem;
  readonly sample: PanelSample | undefined;
  readonly notes: readonly string[];
  readonly fingerprint: Float64Array;
  /** Objectives of the start, and of the intercept-only model. */
  readonly startLoss: number;
  readonly nullLoss: number;
  readonly rule: UpdateRule;
  readonly optimizer: string;
  readonly preconditioner: Preconditioner;
  /** Learning rate of a step without schedule. */
  readonly rate: number;
  /** What it is by itself. */
  readonly automaticRate: number;
  readonly epochs: number;
  /** Of a run that `maxPasses` does not end before. */
  readonly allEpochs: number;
  /** Part of the rate at a step (from 0), where so many make an epoch. */
  readonly factorAt: (step: number, stepsPerEpoch: number) => number;
}

export interface SetupOptions {
  /** Rows whose gradients are applied together. */
  readonly batchRows: number;
  /** Updates that usually come between the pull of weights and the application of a gradient. */
  readonly delay: number;
}

/** Epochs of a run whose end nobody judges on the way. */
export const DEFAULT_EPOCHS = 10;
const DEFAULT_MOMENTUM = 0.9;
/** Of adaptive rules: part of the root mean square of what the coordinates have to go, at the start. */
const ADAPTIVE_RATE = 0.1;

/** The choice of a job whose strategy works on mini-batches. */
export function choiceOf(job: TrainingJob): StrategyChoice {
  if (job.strategy === undefined) throw new ParagradError('PARAGRAD_INTERNAL', 'internal error: a job without a strategy');
  return job.strategy;
}

/** The loss of a job, and how many classes it has. */
export function lossOf({ model, classes }: TrainingJob): { readonly loss: Loss; readonly classes: number | undefined } {
  return { loss: modelOf(model).loss, classes };
}

/** Ranks without a share own nothing: servers. */
function withoutShares(partition: Partition, ranks: number, chunks: number, blocks: number): Partition {
  const more = Array.from({ length: Math.max(0, ranks - partition.workers) }, (_, i): Share => {
    return { rank: partition.workers + i, chunkBegin: chunks, chunkEnd: chunks, blockBegin: 0, blockEnd: blocks };
  });
  return { ...partition, shares: [...partition.shares, ...more] };
}

export async function setUp(job: TrainingJob, host: RankHost, options: SetupOptions): Promise<BatchSetup> {
  const { layout } = job.store.training;
  const evaluator = new CellEvaluator({
    store: job.store,
    partition: withoutShares(job.partition, host.world.size, layout.chunks, layout.blocks),
    rank: host.rank,
    ...lossOf(job),
    kernels: host.kernels,
    world: host.world,
    row: host.row,
    seed: job.seed,
    ...(host.pause === undefined ? {} : { pause: host.pause }),
  });
  const sample = meansCanWait(job) ? sampleAt(layout, 1) : undefined;
  const { problem, notes, fingerprint } = await problemOf(job, evaluator, sample);
  const points = startingPoints(problem);
  const losses = await evaluator.evaluate({ kind: 'loss', at: points, set: 'training' });
  const objectives = points.map((point, i) => objectiveOf(problem, point, losses[i]));
  if (!objectives.every(Number.isFinite)) await requireFiniteStart(evaluator, problem);
  const { rule, momentum, name } = ruleOf(job);
  const { gram, columns, adaptiveRate } = rule.adaptive ? await withMetric(evaluator, problem) : await gramAt(evaluator, problem);
  const { precondition = 'auto', learningRate, schedule, warmup = 0, epochs = DEFAULT_EPOCHS } = job.optimizerOptions;
  const kind = precondition === 'auto' ? choosePrecondition(problem, options.batchRows, rule.adaptive) : precondition;
  const preconditioner = preconditionerOf(kind, problem, gram, columns, options.batchRows);
  const automaticRate = (adaptiveRate ?? (1 - momentum) * preconditioner.rate) / (1 + options.delay);
  const shape = schedule ?? (learningRate === 'auto' ? 'auto' : 'constant');
  // Nobody judges epochs here, so that `auto` must bring the noise down by itself.
  const schedules = { schedule: shape === 'auto' ? ('cosine' as const) : shape, warmup, epochs };
  return {
    evaluator,
    problem,
    sample,
    notes,
    fingerprint,
    startLoss: objectives[0],
    nullLoss: objectives[objectives.length - 1],
    rule,
    optimizer: name,
    preconditioner,
    rate: learningRate === 'auto' ? automaticRate : learningRate,
    automaticRate,
    epochs: Math.min(epochs, job.maxPasses),
    allEpochs: epochs,
    factorAt: (step, stepsPerEpoch) =>
      schedules.schedule === 'constant' && warmup === 0 ? 1 : factorAt(schedules, step, Math.max(1, stepsPerEpoch)),
  };
}

/**
 * Whether column means are looked at in the end only: indicators are judged by how many rows have them, other columns by their
 * variance, which is known, and by the sample.
 */
function meansCanWait({ store, indicators, intercept }: TrainingJob): boolean {
  return intercept && store.training.layout.columns <= METRIC_RULES.maxFullColumns && indicators.every((flag) => flag === 0);
}

/** The problem with the column means of all rows. */
export async function withMeans({ evaluator, problem, sample }: BatchSetup): Promise<Problem> {
  if (sample === undefined) return problem;
  const { columns, v } = await evaluator.evaluate({ kind: 'totals', set: 'training' });
  return { ...problem, columnMeans: columns.map((sum) => sum / v) };
}

/** @throws PARAGRAD_DIVERGED where no step was to blame: values are too large for the arithmetic */
export async function requireFiniteStart(evaluator: CellEvaluator, problem: Problem): Promise<void> {
  const sums = await evaluator.evaluate({ kind: 'gradient', at: [problem.start] });
  requireFinite(problem, pointOf(problem, problem.start, sums[0]));
}

/** What a preconditioner is made of. */
interface Sampled {
  readonly gram: GramSums | undefined;
  readonly columns: Uint32Array | undefined;
  /** Automatic rate of a rule that divides by gradients itself. */
  readonly adaptiveRate?: number;
}

/** The sums of a metric at the start, without the metric. */
async function gramAt(evaluator: CellEvaluator, problem: Problem): Promise<Sampled> {
  const keeper = new MetricKeeper();
  let state = keeper.request(problem, NO_METRIC, problem.start, 1);
  for (let pass = keeper.pass(problem, state); pass !== undefined; pass = keeper.pass(problem, state)) {
    if (pass.kind === 'gram') return { gram: await evaluator.evaluate(pass), columns: keeper.columnsOf(problem) };
    if (pass.kind === 'totals') state = keeper.absorb(problem, state, { kind: 'totals', sums: await evaluator.evaluate(pass) });
  }
  return { gram: undefined, columns: undefined };
}

/** The metric at the start, which says how far there is to go. */
async function withMetric(evaluator: CellEvaluator, problem: Problem): Promise<Sampled> {
  const { layout, start } = problem;
  const [sums] = await evaluator.evaluate({ kind: 'gradient', at: [start] });
  const { gradient } = pointOf(problem, start, sums);
  const { metric, gram, columns } = await metricAt(evaluator, problem, start);
  const way = norm(layout, applyInverse(problem, metric, gradient));
  return { gram, columns, adaptiveRate: (ADAPTIVE_RATE * way) / Math.sqrt(coordinateCount(problem)) || 1 };
}

/** M at a vector, and the sums that it was made of. */
export async function metricAt(
  evaluator: CellEvaluator,
  problem: Problem,
  at: Vector,
): Promise<{ metric: Metric; gram: GramSums | undefined; columns: Uint32Array | undefined }> {
  const keeper = new MetricKeeper();
  let state = keeper.request(problem, NO_METRIC, at, 1);
  let gram: GramSums | undefined;
  for (let pass = keeper.pass(problem, state); pass !== undefined; pass = keeper.pass(problem, state)) {
    if (pass.kind === 'gram') {
      gram = await evaluator.evaluate(pass);
      state = keeper.absorb(problem, state, { kind: 'gram', sums: gram });
    } else if (pass.kind === 'totals') state = keeper.absorb(problem, state, { kind: 'totals', sums: await evaluator.evaluate(pass) });
  }
  return {
    metric: keeper.metric(problem, state),
    gram: state.record?.usable === true ? gram : undefined,
    columns: keeper.columnsOf(problem),
  };
}

/** @throws PARAGRAD_OPTION for an optimizer that is none of mini-batches */
function ruleOf({ optimizer, optimizerOptions, strategy }: TrainingJob): { rule: UpdateRule; momentum: number; name: string } {
  const { momentum } = optimizerOptions;
  if (optimizer === 'momentum' || optimizer === 'nesterov') {
    const kept = momentum ?? DEFAULT_MOMENTUM;
    return { rule: RULES.sgd({ momentum: kept, nesterov: optimizer === 'nesterov' }), momentum: kept, name: optimizer };
  }
  if (optimizer === 'auto' || optimizer === 'gradient-descent' || optimizer === 'sgd')
    return { rule: RULES.sgd({ momentum: momentum ?? 0 }), momentum: momentum ?? 0, name: 'sgd' };
  if (Object.hasOwn(RULES, optimizer)) return { rule: RULES[optimizer as RuleName](), momentum: 0, name: optimizer };
  throw new ParagradError(
    'PARAGRAD_OPTION',
    `--strategy ${strategy?.name} takes a step for every mini-batch, and --optimizer ${optimizer} does not: use ${['auto', 'momentum', 'nesterov', ...Object.keys(RULES)].join(', ')}, or --strategy map-reduce`,
    { place: { option: '--optimizer' } },
  );
}
