import { CONTROL, type ControlWord } from '../communicate/collective.ts';
import { assert } from '../errors.ts';
import { CostMeter, type RankCosts, utilisationOf } from '../monitor/costs.ts';
import { finish, type Snapshot, snapshotDue } from './batch-finish.ts';
import { choiceOf, coordinatesOf, decayOf, kernelLossOf, setUp, vectorOf } from './batch-setup.ts';
import { gatherText, gatherVectors } from './gather.ts';
import type { TrainingJob, TrainingOutcome } from './job.ts';
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

async function run(job: TrainingJob, host: RankHost): Promise<TrainingOutcome> {
  const began = host.now();
  const choice = choiceOf(job);
  const { workers, shares } = job.partition;
  const setup = await setUp(job, host, { batchRows: choice.batchSize, delay: workers - 1 });
  const { problem, rule } = setup;
  assert(host.sharedWeights !== undefined, 'hogwild needs memory in common');
  const count = problem.layout.columns + 1;
  const words = new BigInt64Array(host.sharedWeights, 0, HEAD);
  const common = new Float64Array(host.sharedWeights, HEAD * 8, count);
  if (host.rank === 0) {
    common.set(coordinatesOf(problem.start));
    words.fill(0n);
  }
  const batches = new OwnBatches({
    store: job.store,
    share: shares[host.rank],
    loss: kernelLossOf(job),
    kernels: host.kernels,
    row: host.row,
    seed: job.seed ?? 0,
    batchSize: choice.batchSize,
    among: workers,
  });
  await host.world.barrier();
  const meter = new CostMeter(host.now);
  const state = rule.init(count);
  const decay = rule.decays ? decayOf(problem) : undefined;
  const seen = new Float64Array(count);
  const local = new Float64Array(count);
  const made: { readonly atMs: number; readonly rows: number; readonly updates: number; readonly weights: Float64Array }[] = [];
  const limit = BigInt(Math.ceil(setup.epochs * problem.layout.rows));
  const perEpoch = problem.layout.rows / choice.batchSize;
  let rows = Atomics.load(words, ROWS);
  for (let number = 0; rows < limit && Atomics.load(words, CONTROL_WORD) === 0n; number += 1) {
    host.onActivity?.('computing', number);
    for (let j = 0; j < count; j += 1) seen[j] = common[j];
    local.set(seen);
    const updates = Number(Atomics.load(words, STEPS));
    const factor = setup.factorAt(updates, perEpoch) * evened(number, updates, workers);
    const read = localStep(setup, batches, number, local, state, factor, decay);
    host.onActivity?.('communicating', number + 1);
    // Where nobody was quicker the new value is written as it is, so that one thread alone has the bits of serial descent.
    for (let j = 0; j < count; j += 1) common[j] = common[j] === seen[j] ? local[j] : common[j] + (local[j] - seen[j]);
    meter.steps += 1;
    meter.rows += read;
    Atomics.add(words, STEPS, 1n);
    rows = Atomics.add(words, ROWS, BigInt(read)) + BigInt(read);
    if (host.rank === 0) {
      const passes = Number(rows) / problem.layout.rows;
      if (passes >= snapshotDue(made.length))
        made.push({ atMs: host.now() - began, rows: Number(rows), updates: updates + 1, weights: common.slice() });
      const word = host.decide();
      if (word !== CONTROL.go) Atomics.store(words, CONTROL_WORD, BigInt(word));
      if (number % 64 === 0) batchProgress(setup, host, { updates: updates + 1, passes, atMs: host.now() - began });
    }
    await host.pause?.();
  }
  const costs = meter.costs(host.rank, 'worker');
  await host.world.barrier();
  const trainMs = host.now() - began;
  const [vectors] = await gatherVectors(host.world, host.rank === 0 ? [common.slice(), ...made.map(({ weights }) => weights)] : []);
  const texts = await gatherText(host.world, JSON.stringify({ costs, made: made.map(({ weights: _weights, ...rest }) => rest) }));
  const reports = texts.map((text) => JSON.parse(text) as { costs: RankCosts; made: { atMs: number; rows: number; updates: number }[] });
  const ranks = reports.map((report) => report.costs);
  const passesOf = (read: number): number => read / problem.layout.rows;
  return finish(job, host, setup, {
    vector: vectorOf(vectors[0]),
    updates: Number(Atomics.load(words, STEPS)),
    passes: passesOf(Number(Atomics.load(words, ROWS))),
    reason: reasonOf(Number(Atomics.load(words, CONTROL_WORD)) as ControlWord),
    snapshots: reports[0].made.map(({ atMs, rows: read, updates }, i): Snapshot => {
      return { atMs, passes: passesOf(read), updates, vector: vectorOf(vectors[i + 1]) };
    }),
    costs: { strategy: choice.name, ranks, staleness: [], refused: 0, lost: 0, utilisation: utilisationOf(ranks) },
    trainMs,
  });
}

/** Steps that a thread is taken to have done at the start, so that the first ones are weighed alike. */
const BEFORE = 16;
/** As at a parameter server (`parameter-server/shares.ts`). */
const MOST = 2;

/** Weight of a thread's step, so that the rows of one that is slower count alike: 1 for one thread alone. */
function evened(own: number, all: number, workers: number): number {
  return Math.min(MOST, Math.max(1 / MOST, (all + workers * BEFORE) / (workers * (own + BEFORE))));
}

function reasonOf(control: ControlWord): TrainingOutcome['reason'] {
  if (control === CONTROL.abort) return 'aborted';
  return control === CONTROL.timeLimit ? 'time limit' : 'epochs done';
}
