import { CONTROL, type ControlWord } from '../communicate/collective.ts';
import { modelOf } from '../models/model.ts';
import { CostMeter, costsWithoutDelay, type RankCosts, type RunCosts } from '../monitor/costs.ts';
import { createOptimizer } from '../update/index.ts';
import type { EndReason, Optimizer, Outcome, Problem, Progress } from '../update/optimizer.ts';
import type { Pass, PlainSteps, Sums, Vector } from '../update/pass.ts';
import { dotWeights } from '../update/vectors.ts';
import { evaluatorOf } from './backup-evaluator.ts';
import type { Evaluator } from './evaluator.ts';
import { explainFirstStep, PartsRecorder } from './explain.ts';
import type { Checkpoint, StepRecord, TrainingJob, TrainingOutcome, ValidationWatch } from './job.ts';
import { l2Path, pathNotes, withoutValidation } from './l2-path.ts';
import { MeteredCollective } from './metered.ts';
import { problemOf } from './problem.ts';
import type { RankHost, Strategy } from './strategy.ts';

/**
 * Synchronous map-reduce: every pass, each rank maps its own cells to sums, the sums are reduced in the fixed tree, and every
 * rank makes the same update from them.
 */
export const mapReduce: Strategy = { name: 'map-reduce', run };

async function run(job: TrainingJob, host: RankHost): Promise<TrainingOutcome> {
  const began = host.now();
  const recorder = new PartsRecorder();
  const meter = new CostMeter(host.now);
  const world = new MeteredCollective(host.world, meter, host.onActivity);
  const evaluator = evaluatorOf(host.backups, {
    store: job.store,
    partition: job.partition,
    rank: host.rank,
    loss: modelOf(job.model).loss,
    classes: job.classes,
    kernels: host.kernels,
    world,
    row: host.row,
    seed: job.seed,
    onParts: (pass, parts) => recorder.see(pass, parts),
    ...(host.pause === undefined ? {} : { pause: host.pause }),
  });
  if (job.earlyStopping !== undefined && job.store.validation.layout.rows === 0) throw withoutValidation('--early-stopping');
  const { problem: base, notes, fingerprint } = await problemOf(job, evaluator);
  // Not searched for again by a run that goes on. From here on the run is that of this l2.
  const path = job.l2 === 'auto' ? (job.resume?.path ?? (await l2Path(job, evaluator, base, host.decide))) : undefined;
  const problem = path === undefined ? base : { ...base, l2: path.best };
  const firstStep = job.explain ? await explainFirstStep(job, evaluator, problem, host, recorder) : undefined;
  const optimizer = createOptimizer(job.resume?.optimizer ?? job.optimizer, job.optimizerOptions, problem);
  const steps: StepRecord[] = [...(job.resume?.steps ?? [])];
  const before = steps[steps.length - 1]?.atMs ?? 0;
  meter.steps = job.resume?.taken ?? 0;
  let checkpointed = host.now();
  /** Updates that the last checkpoint knows of. */
  let saved = steps.length;
  const checkpoint = (state: unknown, watch: ValidationWatch | undefined): void => {
    checkpointed = host.now();
    saved = steps.length;
    if (host.rank === 0) host.onCheckpoint({ optimizer: optimizer.name, state, fingerprint, watch, steps, path, taken: meter.steps });
  };
  const onState = (state: unknown, watch: ValidationWatch | undefined, passes: number): void => {
    meter.steps += passes;
    const isDue = steps.length > saved && host.now() - checkpointed >= (job.checkpointEveryMs ?? Number.POSITIVE_INFINITY);
    if (isDue) checkpoint(state, watch);
    const { length } = steps;
    const taken = meter.steps;
    host.onState?.(() => ({ optimizer: optimizer.name, state, fingerprint, watch, steps: steps.slice(0, length), path, taken }));
  };
  const { state, reason, watch } = await loop(optimizer, problem, evaluator, {
    maxPasses: job.maxPasses,
    decide: host.decide,
    pause: host.pause,
    resume: job.resume,
    patience: job.earlyStopping,
    validationLoss: (vector) => validationLoss(job, evaluator, vector, '--early-stopping'),
    onStep: (progress) => {
      const step = { ...progress, atMs: before + host.now() - began };
      steps.push(step);
      host.onStep(step);
    },
    onState,
  });
  const limited = reason === 'aborted' || reason === 'time limit' || reason === 'max passes';
  if (limited) checkpoint(state, watch);
  const closing = limited && watch === undefined ? optimizer.closing?.(state) : undefined;
  const closed = closing === undefined ? undefined : await answered(evaluator, closing, CONTROL.go);
  const outcome = watch?.outcome ?? optimizer.outcome(state, reason, closed);
  const { weights } = outcome.vector;
  const penalty = 0.5 * problem.l2 * dotWeights(problem.layout, weights, weights);
  const progress = optimizer.progress(state);
  return {
    outcome,
    reason: watch === undefined ? outcome.reason : reason,
    optimizer: optimizer.name,
    progress,
    weightSum: problem.weightSum,
    columnMeans: problem.columnMeans,
    l2: problem.l2,
    nullLoss: progress.nullLoss,
    dataLoss: outcome.objective - penalty,
    validationLoss: await validationLoss(job, evaluator, outcome.vector),
    steps,
    notes: [...notes, ...(path === undefined ? [] : pathNotes(path)), ...outcome.notes],
    path,
    firstStep,
    traffic: host.world.traffic(),
    trainMs: host.now() - began,
    costs: await costsOf(
      world,
      steps,
      host.rank < job.partition.workers ? { role: 'worker' } : { role: 'backup', of: host.backups?.known.as },
    ),
  };
}

/** Batches without a wait after which the event loop may have a turn. */
const TURN_BATCHES = 16;

const MOST_POINTS = 256;

/** What the run cost; its curve is that of the updates. */
async function costsOf(world: MeteredCollective, steps: readonly StepRecord[], own: Pick<RankCosts, 'role' | 'of'>): Promise<RunCosts> {
  const ranks = await world.gather(own);
  // All of them are in the run folder; here, and in the model, as many as a chart can show.
  const every = Math.max(1, Math.ceil(steps.length / MOST_POINTS));
  const curve = steps
    .filter((_, i) => i % every === 0 || i === steps.length - 1)
    .map(({ atMs, passes, iteration, objective }) => ({ atMs, passes, updates: iteration, objective }));
  return { ...costsWithoutDelay('map-reduce', ranks), curve };
}

interface LoopOptions<State> {
  readonly maxPasses: number;
  readonly decide: RankHost['decide'];
  readonly resume: Checkpoint | undefined;
  /** Early stopping: updates without a lower validation loss. */
  readonly patience: number | undefined;
  readonly validationLoss: (vector: Vector) => Promise<number>;
  readonly onStep: (progress: Progress) => void;
  /** Lets an engine in the user's own thread give way to the event loop. */
  readonly pause?: RankHost['pause'];
  /** After every pass, or so many of them. */
  readonly onState?: (state: State, watch: ValidationWatch | undefined, passes: number) => void;
}

/**
 * The synchronous loop, written once: who answers the passes (resident ranks, or jobs of an engine) is the evaluator's
 * business. Limits take effect for all ranks at the same pass: passes are counted alike, the clock is rank 0's.
 */
export async function loop<State>(
  optimizer: Optimizer<State>,
  problem: Problem,
  evaluator: Evaluator,
  options: LoopOptions<State>,
): Promise<{ state: State; reason: EndReason; watch: ValidationWatch | undefined }> {
  // A state of its own: those of mini-batches are changed in place, and ranks of one thread are handed the same.
  let state = options.resume === undefined ? optimizer.init(problem) : (structuredClone(options.resume.state) as State);
  let watch = options.resume?.watch;
  let iteration = options.resume === undefined ? -1 : optimizer.progress(state).iteration;
  let batches = 0;
  let taken = 1;
  for (;;) {
    const next = optimizer.next(state);
    if (next.kind === 'done') return { state, reason: next.reason, watch };
    const sampled = next.pass.kind === 'gram' || next.pass.kind === 'totals';
    if (!sampled && optimizer.progress(state).passes >= options.maxPasses) return { state, reason: 'max passes', watch };
    const decided = options.decide();
    // A promise takes as long as a batch of some rows; the event loop gets its turn now and then all the same.
    const steps = stepsAhead(optimizer, state, next.pass, evaluator, options.maxPasses);
    if (steps !== undefined && evaluator.descendNow?.(steps, decided) === true) {
      state = optimizer.took?.(state, steps) ?? state;
      taken = steps.count;
      await options.pause?.();
    } else {
      taken = 1;
      const now = evaluator.evaluateNow?.(next.pass, decided);
      state = optimizer.absorb(state, now ?? (await answered(evaluator, next.pass, decided)));
      batches = now === undefined ? 0 : batches + 1;
      if (batches % TURN_BATCHES === TURN_BATCHES - 1) await options.pause?.();
    }
    const control = evaluator.lastControl;
    const progress = optimizer.progress(state);
    if (progress.iteration !== iteration) {
      if (options.patience !== undefined) {
        watch = await watched(watch, optimizer.outcome(state, 'early stopping'), options.validationLoss);
        if (watch.since >= options.patience) return { state, reason: 'early stopping', watch };
      }
      options.onStep(progress);
    }
    iteration = progress.iteration;
    options.onState?.(state, watch, taken);
    if (control === CONTROL.timeLimit) return { state, reason: 'time limit', watch };
    if (control === CONTROL.abort) return { state, reason: 'aborted', watch };
  }
}

/** Steps that may be taken in one go, where the pass is that of a batch. */
function stepsAhead<State>(
  optimizer: Optimizer<State>,
  state: State,
  pass: Pass,
  evaluator: Evaluator,
  maxPasses: number,
): PlainSteps | undefined {
  if (evaluator.descendNow === undefined || pass.kind !== 'gradient' || pass.batch === undefined) return undefined;
  return optimizer.ahead?.(state, maxPasses);
}

async function answered(evaluator: Evaluator, pass: Pass, control: ControlWord): Promise<Sums> {
  return { kind: pass.kind, sums: await evaluator.evaluate(pass, control) } as Sums;
}

/** The watch after one more update. */
async function watched(
  before: ValidationWatch | undefined,
  outcome: Outcome,
  validationLoss: (vector: Vector) => Promise<number>,
): Promise<ValidationWatch> {
  const loss = await validationLoss(outcome.vector);
  if (before === undefined || loss < before.loss) return { loss, since: 0, outcome };
  return { ...before, since: before.since + 1 };
}

/**
 * Mean loss of the validation rows; NaN without any.
 *
 * @throws PARAGRAD_OPTION when an option needs it, and no validation row has a weight
 */
async function validationLoss(job: TrainingJob, evaluator: Evaluator, vector: Vector, option?: string): Promise<number> {
  if (job.store.validation.layout.rows === 0) return Number.NaN;
  const { v } = await evaluator.evaluate({ kind: 'totals', set: 'validation' });
  if (option !== undefined && !(v > 0)) throw withoutValidation(option);
  const [loss] = await evaluator.evaluate({ kind: 'loss', at: [vector], set: 'validation' });
  return (loss as number) / v;
}
