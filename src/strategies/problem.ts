import { ParagradError } from '../errors.ts';
import { type ClassesModel, modelOf, type OutputModel } from '../models/model.ts';
import type { Problem } from '../update/optimizer.ts';
import type { PanelSample, TotalsSums, Vector } from '../update/pass.ts';
import { centred, zeroLike } from '../update/vectors.ts';
import type { Evaluator } from './evaluator.ts';
import type { TrainingJob } from './job.ts';

/** Newton steps for the intercept-only model with offsets: each gains digits quadratically. */
const NEWTON_STEPS = 30;
/** Classes without rows that are named. */
const NAMED = 5;

/**
 * What every rank knows before the first step, from one `totals` pass: V, column means, the intercept-only model. With a `sample`
 * the column means, and so the fingerprint, are those of its rows, and x is not read otherwise: for who does not look at them.
 *
 * @throws PARAGRAD_NO_ROWS when no training row has a weight above 0; PARAGRAD_RESUME when a checkpoint is of other data.
 */
export async function problemOf(
  job: TrainingJob,
  evaluator: Evaluator,
  sample?: PanelSample,
): Promise<{ problem: Problem; notes: string[]; fingerprint: Float64Array }> {
  const model = modelOf(job.model);
  const { layout, chunks } = job.store.training;
  const shown = await evaluator.evaluate({ kind: 'totals', set: sample ?? 'training' });
  if (sample !== undefined && !(shown.v > 0)) return problemOf(job, evaluator);
  const totals = sample === undefined ? shown : await evaluator.evaluate({ kind: 'totals', set: 'training', scalars: true });
  if (!(totals.v > 0)) throw new ParagradError('PARAGRAD_NO_ROWS', 'there is no training row with a weight above 0: nothing to learn from');
  const fingerprint = Float64Array.of(totals.v, totals.vy, totals.vOffset, ...(totals.classes ?? []), ...shown.columns);
  if (job.resume !== undefined) checkFingerprint(job.resume.fingerprint, fingerprint);
  const notes: string[] = [];
  const offsets = chunks.some(({ offset }) => offset !== 0);
  if (offsets && model.loss === 'softmax')
    throw new ParagradError(
      'PARAGRAD_OPTION',
      '--offset is added to every class alike, which changes nothing: leave it out with several classes',
      {
        place: { option: '--offset' },
      },
    );
  const nullModel =
    model.loss === 'softmax' ? classesModelOf(job, model, totals, notes) : await nullModelOf(job, model, totals, evaluator, offsets, notes);
  const problem: Problem = {
    layout,
    loss: model.loss,
    quadratic: model.quadratic,
    curvatureBound: model.curvatureBound,
    ...(job.classes === undefined ? {} : { classes: job.classes }),
    weightSum: totals.v,
    l2: job.l2 === undefined || job.l2 === 'auto' ? 1 / totals.v : job.l2,
    intercept: job.intercept,
    columnMeans: shown.columns.map((sum) => sum / shown.v),
    columnVariances: job.columnVariances,
    indicators: job.indicators,
    nullModel,
    start: startOf(job, nullModel),
  };
  return { problem, notes, fingerprint };
}

/** A run that goes on has begun where it began. */
function startOf({ resume, initial, start }: TrainingJob, nullModel: Vector): Vector {
  if (resume?.origin !== undefined) return resume.origin.start;
  if (initial !== undefined) return centred(initial);
  return start === 'zero' ? zeroLike(nullModel) : nullModel;
}

/** @throws PARAGRAD_RESUME */
function checkFingerprint(before: Float64Array, now: Float64Array): void {
  if (before.length === now.length && before.every((value, i) => Object.is(value, now[i]))) return;
  throw new ParagradError(
    'PARAGRAD_RESUME',
    'the data are not those that the checkpoint was made with: their sums differ. Resume with the same data, or train anew',
  );
}

function zero(columns: number): Vector {
  return { weights: new Float64Array(columns), intercept: 0 };
}

/** Softmax: the model without features. */
function classesModelOf(job: TrainingJob, model: ClassesModel, totals: TotalsSums, notes: string[]): Vector {
  const { intercepts, unseen } = model.nullIntercepts(totals.classes ?? new Float64Array(0));
  const names = unseen.slice(0, NAMED).map((c) => JSON.stringify(job.labels?.[c] ?? c));
  const more = unseen.length > NAMED ? ' and others' : '';
  if (unseen.length > 0)
    notes.push(
      `${unseen.length === 1 ? 'the class' : 'the classes'} ${names.join(', ')}${more} ${unseen.length === 1 ? 'has' : 'have'} no training row with a weight above 0`,
    );
  const weights = new Float64Array(intercepts.length * job.store.training.layout.columns);
  const nullModel = { weights, intercept: intercepts[0] as number, others: intercepts.slice(1) };
  return job.intercept ? nullModel : zeroLike(nullModel);
}

async function nullModelOf(
  job: TrainingJob,
  model: OutputModel,
  totals: TotalsSums,
  evaluator: Evaluator,
  offsets: boolean,
  notes: string[],
): Promise<Vector> {
  const { weights } = zero(job.store.training.layout.columns);
  if (!job.intercept) return { weights, intercept: 0 };
  let { intercept, note } = model.nullIntercept(totals);
  if (note !== undefined) notes.push(note);
  // With offsets the intercept-only optimum of a curved loss has no closed form.
  if (!offsets || model.quadratic || note !== undefined) return { weights, intercept };
  for (let step = 0; step < NEWTON_STEPS; step += 1) {
    const at = { weights, intercept };
    const [gradient] = await evaluator.evaluate({ kind: 'gradient', at: [at] });
    const curvature = await evaluator.evaluate({ kind: 'curvature', at, direction: { weights, intercept: 1 } });
    const change = (gradient?.intercept ?? 0) / curvature.intercept;
    if (!Number.isFinite(change)) break;
    intercept -= change;
    if (Math.abs(change) <= 1e-12 * Math.max(1, Math.abs(intercept))) break;
  }
  return { weights, intercept };
}
