import { CONTROL, type ControlWord } from '../communicate/collective.ts';
import { ParagradError } from '../errors.ts';
import { createOptimizer, l2Values } from '../update/index.ts';
import type { EndReason, Optimizer, Outcome, Problem } from '../update/optimizer.ts';
import type { GradientSums, Pass, Sums } from '../update/pass.ts';
import { dotWeights, sameVector } from '../update/vectors.ts';
import type { Evaluator } from './evaluator.ts';
import type { L2Path, L2Value, TrainingJob } from './job.ts';

/** Fixed, like all else that the choice depends on: a run that is cut short and goes on must choose the same. */
const TOLERANCE = 1e-6;
const MAX_PASSES = 1000;
/** Runs are side by side as long as their metrics and pairs take no more than this together. */
const MAX_BYTES = 256 * 1024 * 1024;
/** Vectors that L-BFGS holds, about. */
const VECTORS = 30;

/** One penalty on its way to its optimum. */
interface Run {
  readonly problem: Problem;
  readonly optimizer: Optimizer;
  state: unknown;
  ended: EndReason | undefined;
}

/**
 * Trains with every penalty, and compares them on the validation rows. All runs are L-BFGS, side by side: a reading of the data
 * gives every one of them its gradient, with the bits that it would have alone.
 *
 * @throws PARAGRAD_OPTION when there is no validation row with a weight.
 */
export async function l2Path(job: TrainingJob, evaluator: Evaluator, base: Problem, decide: () => ControlWord): Promise<L2Path> {
  const validation = job.store.validation.layout.rows === 0 ? 0 : (await evaluator.evaluate({ kind: 'totals', set: 'validation' })).v;
  if (!(validation > 0)) throw withoutValidation('--l2');
  const runs = l2Values(base).map((l2) => begin({ ...base, l2 }));
  const width = groupSize(base.layout.columns, base.classes ?? 1);
  for (let first = 0; first < runs.length; first += width) await advance(runs.slice(first, first + width), evaluator, decide);
  const outcomes = runs.map(({ optimizer, state, ended }) => optimizer.outcome(state, ended ?? 'aborted'));
  const losses = await validationLosses(outcomes, width, evaluator);
  const values = runs.map((run, i) => l2ValueOf(run, outcomes[i] as Outcome, (losses[i] as number) / validation));
  const best = values.reduce((least, value) => (value.validationLoss < least.validationLoss ? value : least));
  return { values, best: best.l2 };
}

const NEEDS_VALIDATION: Readonly<Record<string, string>> = {
  '--l2': '--l2 auto compares penalties on validation rows, and there are none: name an --l2',
  '--early-stopping':
    '--early-stopping compares updates on validation rows, and there are none: leave it out, or let there be some (--validation-fraction, --validation-data)',
};

/** An option that needs validation rows with a weight, of which there are none. */
export function withoutValidation(option: string): ParagradError {
  return new ParagradError('PARAGRAD_OPTION', NEEDS_VALIDATION[option] ?? `${option} needs validation rows`, { place: { option } });
}

function begin(problem: Problem): Run {
  const optimizer = createOptimizer('lbfgs', { tolerance: TOLERANCE, learningRate: 'auto' }, problem);
  return { problem, optimizer, state: optimizer.init(problem), ended: undefined };
}

function groupSize(columns: number, outputs: number): number {
  return Math.max(1, Math.floor(MAX_BYTES / (outputs * (4 * columns * columns + 8 * VECTORS * columns) + 1)));
}

/** Trains some penalties to their ends, or until a limit. */
async function advance(runs: readonly Run[], evaluator: Evaluator, decide: () => ControlWord): Promise<void> {
  for (;;) {
    const asked = runs.flatMap((run) => {
      const pass = nextPass(run);
      return pass === undefined ? [] : [{ run, pass }];
    });
    if (asked.length === 0) return;
    const gradients = asked.flatMap(({ run, pass }) => (pass.kind === 'gradient' ? [{ run, pass }] : []));
    const others = asked.filter(({ pass }) => pass.kind !== 'gradient');
    await gradientsOf(gradients, evaluator, decide());
    if (stopped(runs, evaluator)) return;
    for (const group of alike(others)) {
      const { pass } = group[0] as Asked;
      const sums = { kind: pass.kind, sums: await evaluator.evaluate(pass, decide()) } as Sums;
      for (const { run } of group) run.state = run.optimizer.absorb(run.state, sums);
      if (stopped(runs, evaluator)) return;
    }
  }
}

interface Asked {
  readonly run: Run;
  readonly pass: Pass;
}

function nextPass(run: Run): Pass | undefined {
  if (run.ended !== undefined) return undefined;
  const next = run.optimizer.next(run.state);
  if (next.kind === 'done') {
    run.ended = next.reason;
    return undefined;
  }
  const sampled = next.pass.kind === 'gram' || next.pass.kind === 'totals';
  if (sampled || run.optimizer.progress(run.state).passes < MAX_PASSES) return next.pass;
  run.ended = 'max passes';
  return undefined;
}

/** One reading for all of them: k vectors, k sums, each in its own lanes. */
async function gradientsOf(
  asked: readonly { readonly run: Run; readonly pass: Extract<Pass, { kind: 'gradient' }> }[],
  evaluator: Evaluator,
  control: ControlWord,
): Promise<void> {
  if (asked.length === 0) return;
  const all = await evaluator.evaluate({ kind: 'gradient', at: asked.flatMap(({ pass }) => pass.at) }, control);
  let at = 0;
  for (const { run, pass } of asked) {
    const sums: readonly GradientSums[] = all.slice(at, at + pass.at.length);
    at += pass.at.length;
    run.state = run.optimizer.absorb(run.state, { kind: 'gradient', sums });
  }
}

/** Runs that ask the same: the first metrics of all are at the same start. */
function alike(asked: readonly Asked[]): Asked[][] {
  const groups: Asked[][] = [];
  for (const each of asked) {
    const group = groups.find(([first]) => first !== undefined && sameQuestion(first.pass, each.pass));
    if (group === undefined) groups.push([each]);
    else group.push(each);
  }
  return groups;
}

function sameQuestion(a: Pass, b: Pass): boolean {
  if (a.kind === 'totals' && b.kind === 'totals')
    return typeof a.set === 'object' && typeof b.set === 'object' && a.set.count === b.set.count;
  if (a.kind !== 'gram' || b.kind !== 'gram') return false;
  const tilts = a.tilt.length === b.tilt.length && a.tilt.every((value, j) => value === b.tilt[j]);
  // Columns follow from the data alone.
  return a.sample.count === b.sample.count && sameVector(a.at, b.at) && tilts;
}

/** Whether a limit or an abort ends them all, on every rank at the same reading. */
function stopped(runs: readonly Run[], { lastControl }: Evaluator): boolean {
  if (lastControl === CONTROL.go) return false;
  for (const run of runs) run.ended ??= lastControl === CONTROL.abort ? 'aborted' : 'time limit';
  return true;
}

async function validationLosses(outcomes: readonly Outcome[], width: number, evaluator: Evaluator): Promise<number[]> {
  const losses: number[] = [];
  for (let first = 0; first < outcomes.length; first += width) {
    const at = outcomes.slice(first, first + width).map(({ vector }) => vector);
    losses.push(...(await evaluator.evaluate({ kind: 'loss', at, set: 'validation' })));
  }
  return losses;
}

function l2ValueOf({ problem, optimizer, state }: Run, { vector, objective, reason }: Outcome, validationLoss: number): L2Value {
  const { l2, layout } = problem;
  const trainingLoss = objective - (l2 / 2) * dotWeights(layout, vector.weights, vector.weights);
  return { l2, validationLoss, trainingLoss, passes: optimizer.progress(state).passes, reason };
}

/** What to say when the best penalty is the last one that was tried. */
export function pathNotes({ values, best }: L2Path): string[] {
  const at = values.findIndex(({ l2 }) => l2 === best);
  if (at > 0 && at < values.length - 1) return [];
  const what = at === 0 ? ['largest', 'larger'] : ['smallest', 'smaller'];
  return [
    `--l2 auto: the ${what[0]} penalty that was tried, ${best}, has the lowest validation loss; a ${what[1]} --l2 may be better still`,
  ];
}
