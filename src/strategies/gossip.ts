import type { Channel } from '../communicate/channel.ts';
import { CONTROL, type ControlWord } from '../communicate/collective.ts';
import { assert, ParagradError } from '../errors.ts';
import { CostMeter, costsWithoutDelay } from '../monitor/costs.ts';
import { coverOf } from '../partition/tree.ts';
import { coordinatesOf, vectorOn } from '../update/coordinates.ts';
import { finish, type Snapshot, snapshotDue } from './batch-finish.ts';
import { choiceOf, setUp } from './batch-setup.ts';
import { EpochJudge } from './epoch-judge.ts';
import { gatherJson, gatherVectors } from './gather.ts';
import { batchCheckpoint, CheckpointTimer, endReason, isLimited, snapshotsUntil, trainedBefore } from './going-on.ts';
import type { TrainingJob, TrainingOutcome } from './job.ts';
import { LocalDescent } from './local-descent.ts';
import { ownBatches } from './own-batches.ts';
import { partnerOf } from './partners.ts';
import { batchProgress } from './progress.ts';
import type { RankHost, Strategy } from './strategy.ts';

/**
 * Gossip (Lian et al., NIPS 2017): no server and no common weights. Every worker has its own, takes steps on its own rows, and now
 * and then averages with one partner. Who meets whom is a matching of the topology's edges that all ranks know, so a run is the
 * same to the bit every time; it is another with another number of workers.
 */
export const gossip: Strategy = { name: 'gossip', run, channels: true };

/** Deadline of a wait for a partner. */
const WAIT_MS = 120_000;
const KIND_WEIGHTS = 1;

/** What all ranks have after the same number of steps: of each its weights, then the memory of its rule. */
interface Gossiped {
  readonly steps: number;
  readonly ranks: readonly (readonly Float64Array[])[];
}

async function run(job: TrainingJob, host: RankHost): Promise<TrainingOutcome> {
  const began = host.now();
  const choice = choiceOf(job);
  const { workers, shares } = job.partition;
  const resumed = job.resume?.state as Gossiped | undefined;
  if (resumed !== undefined && resumed.ranks.length !== workers) throw otherWorkers(resumed.ranks.length);
  const setup = await setUp(job, host, { batchRows: choice.batchSize, delay: 0 });
  const { problem, rule } = setup;
  const { classes: outputs = 1 } = job;
  const channels = workers > 1 ? ((await host.openChannels?.()) ?? []) : [];
  const batches = ownBatches(job, host, shares[host.rank], workers);
  await host.world.barrier();
  const waited = host.world.traffic().waitMs;
  const meter = new CostMeter(host.now);
  const [saved, ...memory] = resumed?.ranks[host.rank] ?? [];
  const own = saved?.slice() ?? coordinatesOf(problem.start);
  const state = resumed === undefined ? rule.init(own.length) : { steps: resumed.steps, arrays: memory.map((array) => array.slice()) };
  const descent = new LocalDescent(setup, batches, state, own.length);
  const made: { readonly atMs: number; readonly step: number; readonly weights: Float64Array }[] = [];
  // Shares differ by a few rows: all take the same number of steps, so that nobody waits for a partner that has ended.
  const perEpoch = Math.ceil(problem.layout.rows / (workers * choice.batchSize));
  const steps = Math.ceil(setup.epochs * perEpoch);
  // A limit ends no round on its way: whoever goes on must not have met somebody too early.
  const most = Math.ceil(setup.allEpochs * perEpoch);
  const first = resumed?.steps ?? 0;
  const early = resumed === undefined ? 0 : snapshotsUntil(first / perEpoch);
  const before = trainedBefore(job);
  const trainedMs = (): number => before + host.now() - began;
  const timer = new CheckpointTimer(job, host.now);
  meter.steps = first;
  meter.rows = batches.rowsUntil(first);
  const judge = new EpochJudge(setup, job.optimizerOptions.tolerance, first / perEpoch);
  let hasConverged = false;
  let done = first;
  let control: ControlWord = CONTROL.go;
  const save = async (): Promise<void> => {
    meter.enter('communicating');
    const ranks = await gatherVectors(host.world, [own, ...state.arrays]);
    if (host.rank === 0) host.onCheckpoint(batchCheckpoint(setup, choice.name, { steps: done, ranks } satisfies Gossiped, trainedMs()));
    timer.taken();
  };
  while (!hasConverged && done < steps && control === CONTROL.go) {
    for (let i = 0; i < choice.syncEvery && done < most; i += 1, done += 1) {
      meter.enter('computing');
      host.onActivity?.('computing', done - first);
      meter.rows += descent.step(done, own, setup.factorAt(done, perEpoch));
      meter.steps += 1;
    }
    host.onActivity?.('communicating', done - first);
    const round = Math.ceil(done / choice.syncEvery) - 1;
    const partner = partnerOf(choice.topology, choice.partner, workers, host.rank, round, job.seed ?? 0);
    if (partner !== undefined) await meet(own, channels[partner] as Channel, host, meter);
    // Once an epoch or so everybody hears rank 0: the clock and the user's wish to end are its business.
    if (done % perEpoch < choice.syncEvery) {
      const word = await heard(host, meter, timer.isDue);
      control = word.control;
      if (done < steps && judge.isDue(done / perEpoch)) {
        const weights = (await gatherVectors(host.world, [own])).map(([each]) => each);
        hasConverged = await judge.hasConverged(vectorOn(meanOf(weights), outputs));
      }
      // Who went on from weights that have converged would train them further.
      if (word.isDue && !hasConverged) await save();
    }
    const passes = done / perEpoch;
    if (passes >= snapshotDue(early + made.length)) made.push({ atMs: trainedMs(), step: done, weights: own.slice() });
    batchProgress(setup, host, { updates: done, passes, atMs: trainedMs() });
    await host.pause?.();
  }
  const reason = endReason(setup, control);
  if (isLimited(reason)) await save();
  meter.enter('communicating');
  const all = await gatherVectors(host.world, [own, ...made.map(({ weights }) => weights)]);
  meter.move(host.world.traffic().waitMs - waited, 'communicating', 'waiting');
  const trainMs = host.now() - began;
  const ranks = await gatherJson(host.world, meter.costs(host.rank, 'worker'));
  await Promise.all(channels.map((channel) => channel?.close()));
  const mean = (at: number): Float64Array => meanOf(all.map((vectors) => vectors[at]));
  return finish(job, host, setup, {
    vector: vectorOn(mean(0), outputs),
    updates: done,
    passes: done / perEpoch,
    reason,
    snapshots: made.map(({ atMs, step }, i): Snapshot => {
      return { atMs, passes: step / perEpoch, updates: step, vector: vectorOn(mean(i + 1), outputs) };
    }),
    costs: costsWithoutDelay(choice.name, ranks),
    trainMs,
  });
}

/** Both send, both receive, and both have the mean: the same bits, since an addition does not care which comes first. */
async function meet(own: Float64Array, channel: Channel, host: RankHost, meter: CostMeter): Promise<void> {
  meter.enter('communicating');
  const header = { kind: KIND_WEIGHTS, generation: host.world.generation, step: 0 };
  await channel.send(header, [new Uint8Array(own.buffer, own.byteOffset, own.byteLength)]);
  meter.sent(own.byteLength);
  meter.enter('waiting');
  const { body } = await channel.receive(WAIT_MS);
  meter.enter('communicating');
  const theirs = new Float64Array(body.buffer, body.byteOffset, body.byteLength / 8);
  assert(theirs.length === own.length, 'a partner has other weights');
  for (let j = 0; j < own.length; j += 1) own[j] = (own[j] + theirs[j]) / 2;
}

/** Rank 0's word, and whether it wants a checkpoint: the clock is its own. */
async function heard(host: RankHost, meter: CostMeter, isDue: boolean): Promise<{ control: ControlWord; isDue: boolean }> {
  meter.enter('communicating');
  const { size, rank } = host.world;
  const own = Float64Array.of(rank === 0 && isDue ? 1 : 0);
  const parts = coverOf(rank, rank + 1, size).map((node) => ({ node, begin: 0, end: 1, values: own }));
  const wanted = new Float64Array(1);
  const control = await host.world.allReduce({ length: 1, leaves: size }, parts, wanted, host.decide());
  return { control, isDue: wanted[0] > 0 };
}

function otherWorkers(workers: number): ParagradError {
  return new ParagradError(
    'PARAGRAD_RESUME',
    `with --strategy gossip every worker has weights of its own: go on with --workers ${workers}, as many as there were`,
    { place: { option: '--workers' } },
  );
}

/** Of all workers' weights, in the order of ranks. */
function meanOf(vectors: readonly Float64Array[]): Float64Array {
  const mean = new Float64Array(vectors[0].length);
  for (const vector of vectors) for (let j = 0; j < mean.length; j += 1) mean[j] += vector[j];
  for (let j = 0; j < mean.length; j += 1) mean[j] /= vectors.length;
  return mean;
}
