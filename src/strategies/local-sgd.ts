import { CONTROL, type ControlWord, type Part } from '../communicate/collective.ts';
import { CostMeter, costsWithoutDelay } from '../monitor/costs.ts';
import { coordinateCount, coordinatesOf, vectorOn } from '../update/coordinates.ts';
import { finish, type Snapshot, snapshotDue } from './batch-finish.ts';
import { type BatchSetup, choiceOf, setUp } from './batch-setup.ts';
import type { StrategyChoice } from './choice.ts';
import { ChunkTree } from './chunk-tree.ts';
import { type Client, clientsOf, hostedBy, participants } from './clients.ts';
import { EpochJudge } from './epoch-judge.ts';
import { gatherJson } from './gather.ts';
import { batchCheckpoint, CheckpointTimer, endReason, isLimited, snapshotsUntil, trainedBefore } from './going-on.ts';
import type { Checkpoint, TrainingJob, TrainingOutcome } from './job.ts';
import { LocalDescent } from './local-descent.ts';
import { type OwnBatches, ownBatches } from './own-batches.ts';
import { batchProgress } from './progress.ts';
import type { RankHost, Strategy } from './strategy.ts';

/**
 * Local SGD, or federated averaging (McMahan et al., AISTATS 2017): every round some clients take steps of their own from the
 * common weights, and the mean of where they came to, weighted by rows, is common then. Clients are fixed by the data; workers
 * host them, and the mean is made in the tree over clients: so the number of workers changes no bit.
 */
export const localSgd: Strategy = { name: 'local-sgd', run };

/** One client's own part. */
interface Hosted {
  readonly client: Client;
  readonly batches: OwnBatches;
}

/** All that rounds leave behind, on every rank alike. */
interface Averaged {
  /** Rounds done, and rows read in them. */
  readonly round: number;
  readonly rows: number;
  /** Steps of every client. */
  readonly steps: readonly number[];
  readonly coordinates: Float64Array;
  readonly change: Float64Array;
}

async function run(job: TrainingJob, host: RankHost): Promise<TrainingOutcome> {
  const began = host.now();
  const choice = choiceOf(job);
  const { workers } = job.partition;
  const setup = await setUp(job, host, { batchRows: choice.batchSize, delay: 0 });
  const { problem } = setup;
  const { layout } = problem;
  const clients = clientsOf(layout, choice.clients);
  const { begin, end } = hostedBy(host.rank, workers, clients.length);
  const resumed = job.resume?.state as Averaged | undefined;
  const before = trainedBefore(job);
  const steps = resumed?.steps.slice() ?? clients.map(() => 0);
  const hosted = clients.slice(begin, end).map((client): Hosted => ({ client, batches: batchesOf(job, host, client) }));
  const { classes: outputs = 1 } = job;
  const tree = new ChunkTree(begin, end, clients.length, coordinateCount(problem) + 1);
  await host.world.barrier();
  const meter = new CostMeter(host.now);
  let waited = host.world.traffic().waitMs;
  for (const { client, batches } of hosted) {
    meter.steps += steps[client.number];
    meter.rows += batches.rowsUntil(steps[client.number]);
  }
  const timer = new CheckpointTimer(job, host.now);
  const snapshots: Snapshot[] = [];
  let coordinates = resumed?.coordinates.slice() ?? coordinatesOf(problem.start);
  const change = resumed?.change.slice() ?? new Float64Array(coordinates.length);
  let rows = resumed?.rows ?? 0;
  const early = resumed === undefined ? 0 : snapshotsUntil(rows / layout.rows);
  const trainedMs = (): number => before + host.now() - began;
  const checkpoint = (state: Averaged): Checkpoint => batchCheckpoint(setup, choice.name, state, trainedMs());
  const judge = new EpochJudge(setup, job.optimizerOptions.tolerance, rows / layout.rows);
  let round = resumed?.round ?? 0;
  let left = setup.allEpochs * layout.rows - rows;
  let control: ControlWord = CONTROL.go;
  while (left > 0 && rows < setup.epochs * layout.rows && control === CONTROL.go) {
    const weights = participants(clients, choice.participation, round, job.seed ?? 0);
    const counts = clients.map((client) => stepsInRound(client, choice, weights, steps[client.number], setup.allEpochs, left));
    tree.start();
    meter.enter('computing');
    host.onActivity?.('computing', meter.steps);
    for (const each of hosted) {
      const weight = weights.get(each.client.number);
      const { number } = each.client;
      const turn = { round, first: steps[number], count: counts[number], weight: weight ?? 0 };
      tree.push(weight === undefined ? undefined : localRound(setup, choice, turn, each.batches, coordinates, tree.take(), meter));
    }
    for (const [number, count] of counts.entries()) steps[number] += count;
    host.onActivity?.('communicating', meter.steps);
    meter.enter('communicating');
    const { mean, read, word } = await average(host, tree, clients.length, { begin, end }, coordinates.length);
    control = word;
    rows += read;
    left = read > 0 ? setup.allEpochs * layout.rows - rows : 0;
    for (let j = 0; j < change.length; j += 1) {
      if (choice.serverMomentum === 0) continue;
      change[j] = choice.serverMomentum * change[j] + (mean[j] - coordinates[j]);
      mean[j] = coordinates[j] + change[j];
    }
    coordinates = mean;
    round += 1;
    const passes = rows / layout.rows;
    if (passes >= snapshotDue(early + snapshots.length))
      snapshots.push({ atMs: trainedMs(), passes, updates: round, vector: vectorOn(coordinates.slice(), outputs) });
    batchProgress(setup, host, { updates: round, passes, atMs: trainedMs() });
    meter.enter('computing');
    // No checkpoint then: who went on from weights that have converged would train them further.
    if (left > 0 && judge.isDue(passes)) {
      const sofar = host.world.traffic().waitMs;
      const hasConverged = await judge.hasConverged(vectorOn(coordinates, outputs));
      // What is waited for here is no part of the averages.
      const judging = host.world.traffic().waitMs - sofar;
      meter.move(judging, 'computing', 'waiting');
      waited += judging;
      if (hasConverged) break;
    }
    const state: Averaged = { round, rows, steps: steps.slice(), coordinates, change };
    host.onState?.(() => checkpoint(state));
    if (host.rank === 0 && timer.isDue) {
      host.onCheckpoint(checkpoint(state));
      timer.taken();
    }
    await host.pause?.();
  }
  const reason = endReason(setup, control);
  if (host.rank === 0 && isLimited(reason)) host.onCheckpoint(checkpoint({ round, rows, steps, coordinates, change }));
  meter.move(host.world.traffic().waitMs - waited, 'communicating', 'waiting');
  const trainMs = host.now() - began;
  const costs = meter.costs(host.rank, 'worker');
  const { bytesSent, messagesSent } = host.world.traffic();
  const ranks = await gatherJson(host.world, { ...costs, bytesSent, messagesSent });
  return finish(job, host, setup, {
    vector: vectorOn(coordinates, outputs),
    updates: round,
    passes: rows / layout.rows,
    reason,
    snapshots,
    costs: costsWithoutDelay(choice.name, ranks),
    trainMs,
  });
}

/**
 * Steps of a client in a round. The end of the epochs cuts rounds: the end of the client's own epochs, or where some sit out that of
 * all, of which it has its part in whole batches.
 */
function stepsInRound(
  { number, rows }: Client,
  { syncEvery, batchSize, participation }: StrategyChoice,
  weights: ReadonlyMap<number, number>,
  done: number,
  epochs: number,
  left: number,
): number {
  const weight = weights.get(number);
  if (weight === undefined) return 0;
  const own = participation < 1 ? Math.ceil((weight * left) / batchSize) : Math.ceil(epochs * Math.ceil(rows / batchSize)) - done;
  return Math.min(syncEvery, own);
}

function batchesOf(job: TrainingJob, host: RankHost, { chunkBegin, chunkEnd }: Client): OwnBatches {
  const { blocks } = job.store.training.layout;
  return ownBatches(job, host, { rank: host.rank, chunkBegin, chunkEnd, blockBegin: 0, blockEnd: blocks });
}

/** A client's part of a round: so many steps from its step `first` on, and what their outcome weighs. */
interface Turn {
  readonly round: number;
  readonly first: number;
  readonly count: number;
  readonly weight: number;
}

/** A client's steps of a round, from the common weights. Its weighted coordinates, then the rows that it read, go to `into`. */
function localRound(
  setup: BatchSetup,
  choice: StrategyChoice,
  { round, first, count, weight }: Turn,
  batches: OwnBatches,
  common: Float64Array,
  into: Float64Array,
  meter: CostMeter,
): Float64Array {
  const local = common.slice();
  const descent = new LocalDescent(setup, batches, setup.rule.init(local.length), local.length);
  let read = 0;
  for (let step = 0; step < count; step += 1) {
    // Schedules go by what all have read, which is less where only some take part.
    const factor = setup.factorAt((round * choice.syncEvery + step) * choice.participation, batches.perEpoch);
    const rows = descent.step(first + step, local, factor);
    meter.steps += 1;
    meter.rows += rows;
    read += rows;
  }
  for (let j = 0; j < local.length; j += 1) into[j] = weight * local[j];
  into[local.length] = read;
  return into;
}

async function average(
  host: RankHost,
  tree: ChunkTree,
  clients: number,
  own: { readonly begin: number; readonly end: number },
  coordinates: number,
): Promise<{ mean: Float64Array; read: number; word: ControlWord }> {
  const length = coordinates + 1;
  const parts: Part[] = own.begin === own.end ? [] : tree.finish().map(({ node, values }) => ({ node, begin: 0, end: length, values }));
  const into = new Float64Array(length);
  const word = await host.world.allReduce({ length, leaves: clients }, parts, into, host.decide());
  return { mean: into.slice(0, coordinates), read: into[coordinates], word };
}
