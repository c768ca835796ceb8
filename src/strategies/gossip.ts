import type { Channel } from '../communicate/channel.ts';
import { CONTROL, type ControlWord } from '../communicate/collective.ts';
import { assert } from '../errors.ts';
import { CostMeter, type RankCosts, utilisationOf } from '../monitor/costs.ts';
import { coverOf } from '../partition/tree.ts';
import { finish, type Snapshot, snapshotDue } from './batch-finish.ts';
import { choiceOf, coordinatesOf, decayOf, kernelLossOf, setUp, vectorOf } from './batch-setup.ts';
import { gatherText, gatherVectors } from './gather.ts';
import type { TrainingJob, TrainingOutcome } from './job.ts';
import { localStep } from './local-step.ts';
import { OwnBatches } from './own-batches.ts';
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

async function run(job: TrainingJob, host: RankHost): Promise<TrainingOutcome> {
  const began = host.now();
  const choice = choiceOf(job);
  const { workers, shares } = job.partition;
  const setup = await setUp(job, host, { batchRows: choice.batchSize, delay: 0 });
  const { problem, rule } = setup;
  const channels = workers > 1 ? ((await host.openChannels?.()) ?? []) : [];
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
  const waited = host.world.traffic().waitMs;
  const meter = new CostMeter(host.now);
  const own = coordinatesOf(problem.start);
  const state = rule.init(own.length);
  const decay = rule.decays ? decayOf(problem) : undefined;
  const made: { readonly atMs: number; readonly step: number; readonly weights: Float64Array }[] = [];
  // Shares differ by a few rows: all take the same number of steps, so that nobody waits for a partner that has ended.
  const perEpoch = Math.ceil(problem.layout.rows / (workers * choice.batchSize));
  const steps = Math.ceil(setup.epochs * perEpoch);
  let done = 0;
  let control: ControlWord = CONTROL.go;
  while (done < steps && control === CONTROL.go) {
    for (let i = 0; i < choice.syncEvery && done < steps; i += 1, done += 1) {
      meter.enter('computing');
      host.onActivity?.('computing', done);
      meter.rows += localStep(setup, batches, done, own, state, setup.factorAt(done, perEpoch), decay);
      meter.steps += 1;
    }
    host.onActivity?.('communicating', done);
    const round = Math.ceil(done / choice.syncEvery) - 1;
    const partner = partnerOf(choice.topology, choice.partner, workers, host.rank, round, job.seed ?? 0);
    if (partner !== undefined) await meet(own, channels[partner] as Channel, host, meter);
    // Once an epoch or so everybody hears rank 0: the clock and the user's wish to end are its business.
    if (done % perEpoch < choice.syncEvery) control = await heard(host, meter);
    const passes = done / perEpoch;
    if (passes >= snapshotDue(made.length)) made.push({ atMs: host.now() - began, step: done, weights: own.slice() });
    batchProgress(setup, host, { updates: done, passes, atMs: host.now() - began });
    await host.pause?.();
  }
  meter.enter('communicating');
  const all = await gatherVectors(host.world, [own, ...made.map(({ weights }) => weights)]);
  meter.move(host.world.traffic().waitMs - waited, 'communicating', 'waiting');
  const trainMs = host.now() - began;
  const ranks = (await gatherText(host.world, JSON.stringify(meter.costs(host.rank, 'worker')))).map(
    (text) => JSON.parse(text) as RankCosts,
  );
  await Promise.all(channels.map((channel) => channel?.close()));
  const mean = (at: number): Float64Array => meanOf(all.map((vectors) => vectors[at]));
  return finish(job, host, setup, {
    vector: vectorOf(mean(0)),
    updates: done,
    passes: done / perEpoch,
    reason: control === CONTROL.abort ? 'aborted' : control === CONTROL.timeLimit ? 'time limit' : 'epochs done',
    snapshots: made.map(({ atMs, step }, i): Snapshot => ({ atMs, passes: step / perEpoch, updates: step, vector: vectorOf(mean(i + 1)) })),
    costs: { strategy: choice.name, ranks, staleness: [], refused: 0, lost: 0, utilisation: utilisationOf(ranks) },
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

async function heard(host: RankHost, meter: CostMeter): Promise<ControlWord> {
  meter.enter('communicating');
  const { size, rank } = host.world;
  const parts = coverOf(rank, rank + 1, size).map((node) => ({ node, begin: 0, end: 1, values: new Float64Array(1) }));
  return host.world.allReduce({ length: 1, leaves: size }, parts, new Float64Array(1), host.decide());
}

/** Of all workers' weights, in the order of ranks. */
function meanOf(vectors: readonly Float64Array[]): Float64Array {
  const mean = new Float64Array(vectors[0].length);
  for (const vector of vectors) for (let j = 0; j < mean.length; j += 1) mean[j] += vector[j];
  for (let j = 0; j < mean.length; j += 1) mean[j] /= vectors.length;
  return mean;
}
