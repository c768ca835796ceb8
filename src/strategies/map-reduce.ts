import { CONTROL } from '../communicate/collective.ts';
import { modelOf } from '../models/model.ts';
import { createOptimizer } from '../update/index.ts';
import type { EndReason, Optimizer, Problem } from '../update/optimizer.ts';
import { dot } from '../update/vectors.ts';
import { CellEvaluator } from './cell-evaluator.ts';
import type { Evaluator } from './evaluator.ts';
import { explainFirstStep, PartsRecorder } from './explain.ts';
import type { StepRecord, TrainingJob, TrainingOutcome } from './job.ts';
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
  const evaluator = new CellEvaluator({
    store: job.store,
    partition: job.partition,
    rank: host.rank,
    loss: modelOf(job.model).loss,
    kernels: host.kernels,
    world: host.world,
    row: host.row,
    onParts: (pass, parts) => recorder.see(pass, parts),
    ...(host.pause === undefined ? {} : { pause: host.pause }),
  });
  const { problem, notes } = await problemOf(job, evaluator);
  const firstStep = job.explain ? await explainFirstStep(job, evaluator, problem, host, recorder) : undefined;
  const optimizer = createOptimizer(job.optimizer, job.optimizerOptions, problem);
  const steps: StepRecord[] = [];
  const { state, reason } = await loop(optimizer, problem, evaluator, {
    maxPasses: job.maxPasses,
    decide: host.decide,
    onStep: (progress) => {
      const step = { ...progress, atMs: host.now() - began };
      steps.push(step);
      host.onStep(step);
    },
  });
  const outcome = optimizer.outcome(state, reason);
  const { weights } = outcome.vector;
  const penalty = 0.5 * problem.l2 * dot(problem.layout, { weights, intercept: 0 }, { weights, intercept: 0 });
  const progress = optimizer.progress(state);
  return {
    outcome,
    reason: outcome.reason,
    optimizer: optimizer.name,
    progress,
    weightSum: problem.weightSum,
    columnMeans: problem.columnMeans,
    l2: problem.l2,
    nullLoss: progress.nullLoss,
    dataLoss: outcome.objective - penalty,
    validationLoss: await validationLoss(job, evaluator, outcome.vector),
    steps,
    notes: [...notes, ...outcome.notes],
    firstStep,
    traffic: host.world.traffic(),
    trainMs: host.now() - began,
  };
}

interface LoopOptions {
  readonly maxPasses: number;
  readonly decide: RankHost['decide'];
  readonly onStep: (progress: ReturnType<Optimizer['progress']>) => void;
}

/**
 * The synchronous loop, written once: who answers the passes (resident ranks, or jobs of an engine) is the evaluator's
 * business. Limits take effect for all ranks at the same pass: passes are counted alike, the clock is rank 0's.
 */
export async function loop<State>(
  optimizer: Optimizer<State>,
  problem: Problem,
  evaluator: Evaluator,
  options: LoopOptions,
): Promise<{ state: State; reason: EndReason }> {
  let state = optimizer.init(problem);
  let iteration = -1;
  for (;;) {
    const next = optimizer.next(state);
    if (next.kind === 'done') return { state, reason: next.reason };
    const sampled = next.pass.kind === 'gram' || next.pass.kind === 'totals';
    if (!sampled && optimizer.progress(state).passes >= options.maxPasses) return { state, reason: 'max passes' };
    const sums = await evaluator.evaluate(next.pass, options.decide());
    state = optimizer.absorb(state, { kind: next.pass.kind, sums } as Parameters<typeof optimizer.absorb>[1]);
    const progress = optimizer.progress(state);
    if (progress.iteration !== iteration) options.onStep(progress);
    iteration = progress.iteration;
    if (evaluator.lastControl === CONTROL.timeLimit) return { state, reason: 'time limit' };
    if (evaluator.lastControl === CONTROL.abort) return { state, reason: 'aborted' };
  }
}

async function validationLoss(job: TrainingJob, evaluator: Evaluator, vector: Parameters<typeof dot>[1]): Promise<number> {
  if (job.store.validation.layout.rows === 0) return Number.NaN;
  const { v } = await evaluator.evaluate({ kind: 'totals', set: 'validation' });
  const [loss] = await evaluator.evaluate({ kind: 'loss', at: [vector], set: 'validation' });
  return (loss as number) / v;
}
