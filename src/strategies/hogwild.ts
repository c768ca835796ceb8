import { CONTROL, type ControlWord } from '../communicate/collective.ts';
import { assert } from '../errors.ts';
import { CostMeter, type RankCosts, utilisationOf } from '../monitor/costs.ts';
import { coordinateCount, coordinatesOf, decayOf, vectorOn } from '../update/coordinates.ts';
import { finish, type Snapshot, snapshotDue } from './batch-finish.ts';
import { choiceOf, lossOf, setUp } from './batch-setup.ts';
import { gatherText, gatherVectors } from './gather.ts';
import { batchCheckpoint, CheckpointTimer, endReason, isLimited, snapshotsUntil, trainedBefore } from './going-on.ts';
import type { Checkpoint, TrainingJob, TrainingOutcome } from './job.ts';
import { localStep } from './local-step.ts';
import { OwnBatches } from './own-batches.ts';
import { batchProgress } from './progress.ts';
import type { RankHost, Strategy } from './strategy.ts';

/**
 * Hogwild (Niu et al., NIPS 2011): all threads read and write the same weights, without locks. A step adds its change to whatever
 * stands there by then, coordinate by coordinate; two that write at the same moment may lose one of the changes. No run is like
 * another, but with one thread, where it is serial descent to the bit.
 */
export const hogwild: Strategy = { name: 'hogwild', run, shares: true };

/** Int64 words of the shared memory ahead of the weights: rows read, steps done, rank 0's word. */
const HEAD = 8;
const ROWS = 0;
const STEPS = 1;
const CONTROL_WORD = 2;

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
  const words = new BigInt64Array(host.sharedWeights, 0, HEAD);
  const common = new Float64Array(host.sharedWeights, HEAD * 8, count);
  const resumed = job.resume?.state as Seen | undefined;
  if (host.rank === 0) {
    common.set(resumed?.weights ?? coordinatesOf(problem.start));
    words.fill(0n);
    words[ROWS] = BigInt(resumed?.rows ?? 0);
    words[STEPS] = BigInt(resumed?.steps ?? 0);
  }
  const batches = new OwnBatches({
    store: job.store,
    share: shares[host.rank],
    ...lossOf(job),
    kernels: host.kernels,
    row: host.row,
    seed: job.seed ?? 0,
    batchSize: choice.batchSize,
    among: workers,
  });
  await host.world.barrier();
  const meter = new CostMeter(host.now);
  // Steps of this thread: of one alone all there were.
  const first = Math.floor((resumed?.steps ?? 0) / workers);
  meter.steps = first;
  meter.rows = batches.rowsUntil(first);
  const state = resumed === undefined ? rule.init(count) : { steps: first, arrays: resumed.memory.map((array) => array.slice()) };
  const decay = rule.decays ? decayOf(problem) : undefined;
  const seen = new Float64Array(count);
  const local = new Float64Array(count);
  const made: { readonly atMs: number; readonly rows: number; readonly updates: number; readonly weights: Float64Array }[] = [];
  const limit = BigInt(Math.ceil(setup.epochs * problem.layout.rows));
  const perEpoch = problem.layout.rows / choice.batchSize;
  let rows = Atomics.load(words, ROWS);
  const started = resumed?.steps ?? 0;
  let patience = PATIENCE_MS;
  const early = resumed === undefined ? 0 : snapshotsUntil(resumed.rows / problem.layout.rows);
  const before = trainedBefore(job);
  const trainedMs = (): number => before + host.now() - began;
  const timer = new CheckpointTimer(job, host.now);
  const checkpoint = (): Checkpoint => {
    const [read, steps] = [Number(Atomics.load(words, ROWS)), Number(Atomics.load(words, STEPS))];
    const seenNow: Seen = { rows: read, steps, weights: common.slice(), memory: state.arrays };
    return batchCheckpoint(setup, choice.name, seenNow, trainedMs());
  };
  for (let number = first; rows < limit && Atomics.load(words, CONTROL_WORD) === 0n; number += 1) {
    host.onActivity?.('computing', number - first);
    for (let j = 0; j < count; j += 1) seen[j] = common[j];
    local.set(seen);
    const updates = Number(Atomics.load(words, STEPS));
    // Ahead by an epoch of its own rows where two share them.
    if (patience > 0 && number - first - (updates - started) / workers > perEpoch / workers / 2) {
      const since = host.now();
      Atomics.wait(words, STEPS, BigInt(updates), patience);
      patience -= Math.max(1, host.now() - since);
    }
    const factor = setup.factorAt(updates, perEpoch) * evened(number, updates, workers);
    const read = localStep(setup, batches, number, local, state, factor, decay);
    host.onActivity?.('communicating', number + 1 - first);
    // Where nobody was quicker the new value is written as it is, so that one thread alone has the bits of serial descent.
    for (let j = 0; j < count; j += 1) common[j] = common[j] === seen[j] ? local[j] : common[j] + (local[j] - seen[j]);
    meter.steps += 1;
    meter.rows += read;
    Atomics.add(words, STEPS, 1n);
    Atomics.notify(words, STEPS);
    rows = Atomics.add(words, ROWS, BigInt(read)) + BigInt(read);
    if (host.rank === 0) {
      const passes = Number(rows) / problem.layout.rows;
      if (passes >= snapshotDue(early + made.length))
        made.push({ atMs: trainedMs(), rows: Number(rows), updates: updates + 1, weights: common.slice() });
      const word = host.decide();
      if (word !== CONTROL.go) Atomics.store(words, CONTROL_WORD, BigInt(word));
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
  const reason = endReason(setup, Number(Atomics.load(words, CONTROL_WORD)) as ControlWord);
  if (host.rank === 0 && isLimited(reason)) host.onCheckpoint(checkpoint());
  const trainMs = host.now() - began;
  const [vectors] = await gatherVectors(host.world, host.rank === 0 ? [common.slice(), ...made.map(({ weights }) => weights)] : []);
  const texts = await gatherText(host.world, JSON.stringify({ costs, made: made.map(({ weights: _weights, ...rest }) => rest) }));
  const reports = texts.map((text) => JSON.parse(text) as { costs: RankCosts; made: { atMs: number; rows: number; updates: number }[] });
  const ranks = reports.map((report) => report.costs);
  const passesOf = (read: number): number => read / problem.layout.rows;
  return finish(job, host, setup, {
    vector: vectorOn(vectors[0], outputs),
    updates: Number(Atomics.load(words, STEPS)),
    passes: passesOf(Number(Atomics.load(words, ROWS))),
    reason,
    snapshots: reports[0].made.map(({ atMs, rows: read, updates }, i): Snapshot => {
      return { atMs, passes: passesOf(read), updates, vector: vectorOn(vectors[i + 1], outputs) };
    }),
    costs: { strategy: choice.name, ranks, staleness: [], refused: 0, lost: 0, utilisation: utilisationOf(ranks) },
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
