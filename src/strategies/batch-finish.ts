import { ParagradError } from '../errors.ts';
import type { CurvePoint, RunCosts } from '../monitor/costs.ts';
import { applyInverse } from '../update/metric.ts';
import { objectiveOf, pointOf } from '../update/objective.ts';
import type { EndReason } from '../update/optimizer.ts';
import type { Vector } from '../update/pass.ts';
import { isConverged } from '../update/stop.ts';
import { centred, copyOf, dot, isFiniteVector, norm } from '../update/vectors.ts';
import { type BatchSetup, metricAt, requireFiniteStart, withMeans } from './batch-setup.ts';
import type { StepRecord, TrainingJob, TrainingOutcome } from './job.ts';
import type { RankHost } from './strategy.ts';

/** The weights at a moment of a run, to be judged after it: judging on the way would take the workers' time. */
export interface Snapshot {
  /** Since training began, before a resume included. */
  readonly atMs: number;
  readonly passes: number;
  readonly updates: number;
  readonly vector: Vector;
}

export interface Finished {
  readonly vector: Vector;
  readonly updates: number;
  /** Rows whose gradients were applied, in readings of all training rows. */
  readonly passes: number;
  readonly reason: EndReason;
  readonly snapshots: readonly Snapshot[];
  readonly costs: Omit<RunCosts, 'curve'>;
  readonly trainMs: number;
  readonly notes?: readonly string[];
  readonly orders?: readonly Int32Array[] | undefined;
}

/** Vectors that one pass judges. */
const TOGETHER = 8;
/** Points of a curve. */
const MOST_POINTS = 40;

const FIRST = 6;
/** An objective above this × where it began was on its way to infinity. */
const RUNAWAY = 1e3;

/**
 * Passes at which a snapshot is due: 1/64, 1/32, … 1/2, 1, and then ever rarer, so that long runs have few. From the number of
 * those that were made.
 */
export function snapshotDue(made: number): number {
  const whole = made - FIRST + 1;
  return whole < 1 ? 2 ** (whole - 1) : whole * Math.max(1, Math.floor(whole / 8));
}

/** The last steps of a run, on every rank alike: passes over all rows that judge the weights and those on the way. */
export async function finish(job: TrainingJob, host: RankHost, setup: BatchSetup, finished: Finished): Promise<TrainingOutcome> {
  const { evaluator, nullLoss } = setup;
  const problem = await withMeans(setup);
  const { updates, passes, snapshots } = finished;
  const vector = centred(finished.vector);
  const before = job.resume?.origin?.trainedMs ?? 0;
  const [sums] = await evaluator.evaluate({ kind: 'gradient', at: [vector] });
  const point = pointOf(problem, vector, sums);
  const runaway = point.objective > RUNAWAY * Math.max(nullLoss, setup.startLoss);
  if (!Number.isFinite(point.objective) || !isFiniteVector(point.gradient) || runaway) {
    await requireFiniteStart(evaluator, problem);
    throw diverged(setup, finished.costs.staleness.length > 0 || finished.costs.strategy === 'hogwild', point.objective);
  }
  const { metric } = await metricAt(evaluator, problem, vector);
  const gap = 0.5 * dot(problem.layout, point.gradient, applyInverse(problem, metric, point.gradient));
  const endMs = before + finished.trainMs;
  // A server's clock begins a moment before or after that of the rank which tells the time of the whole run.
  const onTheWay = snapshots.slice(0, MOST_POINTS).map((each) => ({ ...each, atMs: Math.min(each.atMs, endMs) }));
  const curve = await curveOf(setup, onTheWay);
  curve.push({ atMs: endMs, passes, updates, objective: point.objective });
  const gradientNorm = norm(problem.layout, point.gradient);
  const progress = { iteration: updates, passes, objective: point.objective, nullLoss, gap, gradientNorm };
  const steps: StepRecord[] = curve.map(({ atMs, passes: read, updates: iteration, objective }) => {
    return { iteration, passes: read, objective, nullLoss, gap: Number.NaN, gradientNorm: Number.NaN, atMs };
  });
  const converged = isConverged(gap, job.optimizerOptions.tolerance, nullLoss, point.objective);
  // Who ended the run may want to go on with it.
  const reason = converged && finished.reason !== 'aborted' ? 'converged' : finished.reason;
  const notes = [...setup.notes, ...(finished.notes ?? [])];
  if (point.objective > setup.startLoss)
    notes.push(
      `training ended above where it began: late or noisy gradients need a smaller --learning-rate, a larger --batch-size, or --late damp`,
    );
  return {
    outcome: { reason, vector: copyOf(vector), objective: point.objective, gap, notes },
    reason,
    optimizer: setup.optimizer,
    progress,
    weightSum: problem.weightSum,
    columnMeans: problem.columnMeans,
    l2: problem.l2,
    nullLoss,
    dataLoss: sums.loss / problem.weightSum,
    validationLoss: await validationLoss(job, setup, vector),
    steps,
    notes,
    path: undefined,
    firstStep: undefined,
    traffic: host.world.traffic(),
    trainMs: finished.trainMs,
    costs: { ...finished.costs, curve },
    orders: finished.orders,
  };
}

async function curveOf({ evaluator, problem }: BatchSetup, snapshots: readonly Snapshot[]): Promise<CurvePoint[]> {
  const curve: CurvePoint[] = [];
  for (let first = 0; first < snapshots.length; first += TOGETHER) {
    const some = snapshots.slice(first, first + TOGETHER);
    const losses = await evaluator.evaluate({ kind: 'loss', at: some.map(({ vector }) => vector), set: 'training' });
    for (const [i, { atMs, passes, updates, vector }] of some.entries())
      curve.push({ atMs, passes, updates, objective: objectiveOf(problem, vector, losses[i]) });
  }
  return curve;
}

async function validationLoss(job: TrainingJob, { evaluator }: BatchSetup, vector: Vector): Promise<number> {
  if (job.store.validation.layout.rows === 0) return Number.NaN;
  const { v } = await evaluator.evaluate({ kind: 'totals', set: 'validation' });
  const [loss] = await evaluator.evaluate({ kind: 'loss', at: [vector], set: 'validation' });
  return loss / v;
}

function diverged({ rate, automaticRate }: BatchSetup, delay: boolean, objective: number): ParagradError {
  const lower = Number(Math.min(rate / 4, automaticRate).toPrecision(2));
  const late = delay ? ', or fewer workers (late gradients need smaller rates)' : '';
  return new ParagradError(
    'PARAGRAD_DIVERGED',
    `training diverged (objective ${objective.toPrecision(3)}) at --learning-rate ${Number(rate.toPrecision(3))}; try --learning-rate ${lower}, ${late === '' ? 'or ' : ''}a larger --batch-size${late}`,
    { place: { option: '--learning-rate' } },
  );
}
