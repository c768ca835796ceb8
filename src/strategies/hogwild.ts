import { CONTROL } from '../communicate/collective.ts';
import { assert } from '../errors.ts';
import { CostMeter, costsWithoutDelay } from '../monitor/costs.ts';
import { coordinateCount, coordinatesOf, vectorOn } from '../update/coordinates.ts';
import { finish, type Snapshot, snapshotDue } from './batch-finish.ts';
import { choiceOf, setUp } from './batch-setup.ts';
import { gatherJson, gatherVectors } from './gather.ts';
import { batchCheckpoint, CheckpointTimer, endReason, isLimited, snapshotsUntil, trainedBefore } from './going-on.ts';
import type { Checkpoint, TrainingJob, TrainingOutcome } from './job.ts';
import { LocalDescent } from './local-descent.ts';
import { ownBatches } from './own-batches.ts';
import { batchProgress } from './progress.ts';
import { SharedWeights } from './shared-weights.ts';
import type { RankHost, Strategy } from './strategy.ts';

/**
 * Hogwild (Niu et al., NIPS 2011): all threads read and write the same weights, without locks. A step adds its change to whatever
 * stands there by then, coordinate by coordinate; two that write at the same moment may lose one of the changes. No run is like
 * another, but with one thread, where it is serial descent to the bit.
 */
export const hogwild: Strategy = { name: 'hogwild', run, shares: true };

/** What rank 0 sees at some moment; every thread goes on with its memory of the rule. */
interface Seen {
  readonly rows: number;
  readonly steps: number;
  readonly weights: Float64Array;
  readonly memory: readonly Float64Array[];
}

async function run(job: TrainingJob, host: RankHost): Promise<TrainingOutcome> {
  const began = host.now();
  const choice = choiceOf(job);
  const { workers, shares } = job.partition;
  const setup = await setUp(job, host, { batchRows: choice.batchSize, delay: workers - 1 });
  const { problem, rule } = setup;
  assert(host.sharedWeights !== undefined, 'hogwild needs memory in common');
  const count = coordinateCount(problem);
  const { classes: outputs = 1 } = job;
  const shared = new SharedWeights(host.sharedWeights, count);
  const common = shared.weights;
  const resumed = job.resume?.state as Seen | undefined;
  if (host.rank === 0) shared.start(resumed?.weights ?? coordinatesOf(problem.start), resumed?.rows ?? 0, resumed?.steps ?? 0);
  const batches = ownBatches(job, host, shares[host.rank], workers);
  await host.world.barrier();
  const meter = new CostMeter(host.now);
  // Steps of this thread: of one alone all there were.
  const first = Math.floor((resumed?.steps ?? 0) / workers);
  meter.steps = first;
  meter.rows = batches.rowsUntil(first);
  const state = resumed === undefined ? rule.init(count) : { steps: first, arrays: resumed.memory.map((array) => array.slice()) };
  const descent = new LocalDescent(setup, batches, state, count);
  const seen = new Float64Array(count);
  const local = new Float64Array(count);
  const made: { readonly atMs: number; readonly rows: number; readonly updates: number; readonly weights: Float64Array }[] = [];
  const limit = Math.ceil(setup.epochs * problem.layout.rows);
  const perEpoch = workers * Math.ceil(problem.layout.rows / (workers * choice.batchSize));
  let { rows } = shared;
  const started = resumed?.steps ?? 0;
  let patience = PATIENCE_MS;
  const early = resumed === undefined ? 0 : snapshotsUntil(resumed.rows / problem.layout.rows);
  const before = trainedBefore(job);
  const trainedMs = (): number => before + host.now() - began;
  const timer = new CheckpointTimer(job, host.now);
  const checkpoint = (): Checkpoint => {
    const seenNow: Seen = { rows: shared.rows, steps: shared.steps, weights: common.slice(), memory: state.arrays };
    return batchCheckpoint(setup, choice.name, seenNow, trainedMs());
  };
  for (let number = first; rows < limit && shared.control === CONTROL.go; number += 1) {
    host.onActivity?.('computing', number - first);
    for (let j = 0; j < count; j += 1) seen[j] = common[j];
    local.set(seen);
    const updates = shared.steps;
    // Ahead by an epoch of its own rows where two share them.
    if (patience > 0 && number - first - (updates - started) / workers > perEpoch / workers / 2) {
      const since = host.now();
      shared.waitForStep(updates, patience);
      patience -= Math.max(1, host.now() - since);
    }
    const factor = setup.factorAt(updates, perEpoch) * evened(number, updates, workers);
    const read = descent.step(number, local, factor);
    host.onActivity?.('communicating', number + 1 - first);
    shared.add(seen, local);
    meter.steps += 1;
    meter.rows += read;
    rows = shared.count(read);
    if (host.rank === 0) {
      const passes = rows / problem.layout.rows;
      if (passes >= snapshotDue(early + made.length)) made.push({ atMs: trainedMs(), rows, updates: updates + 1, weights: common.slice() });
      const word = host.decide();
      if (word !== CONTROL.go) shared.control = word;
      if (number % 64 === 0) batchProgress(setup, host, { updates: updates + 1, passes, atMs: trainedMs() });
      if (timer.isDue) {
        host.onCheckpoint(checkpoint());
        timer.taken();
      }
    }
    await host.pause?.();
  }
  const costs = meter.costs(host.rank, 'worker');
  await host.world.barrier();
  const reason = endReason(setup, shared.control);
  if (host.rank === 0 && isLimited(reason)) host.onCheckpoint(checkpoint());
  const trainMs = host.now() - began;
  const [vectors] = await gatherVectors(host.world, host.rank === 0 ? [common.slice(), ...made.map(({ weights }) => weights)] : []);
  const reports = await gatherJson(host.world, { costs, made: made.map(({ weights: _weights, ...rest }) => rest) });
  const ranks = reports.map((report) => report.costs);
  const passesOf = (read: number): number => read / problem.layout.rows;
  return finish(job, host, setup, {
    vector: vectorOn(vectors[0], outputs),
    updates: shared.steps,
    passes: passesOf(shared.rows),
    reason,
    snapshots: reports[0].made.map(({ atMs, rows: read, updates }, i): Snapshot => {
      return { atMs, passes: passesOf(read), updates, vector: vectorOn(vectors[i + 1], outputs) };
    }),
    costs: costsWithoutDelay(choice.name, ranks),
    trainMs,
  });
}

/** Steps that a thread is taken to have done at the start, so that the first ones are weighed alike. */
const BEFORE = 16;
/**
 * So long a thread waits in a run, in sum, for others that are far behind. A run may be over in a tenth of a second: one that the
 * operating system keeps from its core for a moment would else have no part in it, and the weights would be those of the others'
 * rows. It changes nothing for a thread that is always slow.
 */
const PATIENCE_MS = 100;
/** As at a parameter server (`parameter-server/shares.ts`). */
const MOST = 2;

/** Weight of a thread's step, so that the rows of one that is slower count alike: 1 for one thread alone. */
function evened(own: number, all: number, workers: number): number {
  return Math.min(MOST, Math.max(1 / MOST, (all + workers * BEFORE) / (workers * (own + BEFORE))));
}
