import type { Channel } from '../../communicate/channel.ts';
import type { ControlWord } from '../../communicate/collective.ts';
import { assert } from '../../errors.ts';
import { addCounts, CostMeter, type RankCosts, utilisationOf } from '../../monitor/costs.ts';
import { coordinateCount, coordinatesOf, vectorOn } from '../../update/coordinates.ts';
import { finish, type Snapshot } from '../batch-finish.ts';
import { type BatchSetup, choiceOf, lossOf, setUp } from '../batch-setup.ts';
import type { StrategyChoice } from '../choice.ts';
import { gatherText, gatherVectors } from '../gather.ts';
import { batchCheckpoint, CheckpointTimer, endReason, isLimited, snapshotsUntil, trainedBefore } from '../going-on.ts';
import type { Checkpoint, TrainingJob, TrainingOutcome } from '../job.ts';
import { OwnBatches } from '../own-batches.ts';
import type { RankHost, Strategy } from '../strategy.ts';
import { asynchronous, type Consistency, staleSynchronous } from './consistency.ts';
import { LATE_RULES } from './late.ts';
import { takenOf } from './order.ts';
import { Replay } from './replay.ts';
import { type Segment, segmentsOf } from './segments.ts';
import { Serving } from './serve.ts';
import { ParameterServer, type ServerOptions, type ServerSnapshot } from './server.ts';
import { snapshotFor } from './snapshot.ts';
import { RuleUpdater } from './updater.ts';
import { Working } from './work.ts';

const NAME = 'parameter-server';
/** Updates that may be lost with a server. */
const KEEP_EVERY = 100;
/** Staleness to which rates are adapted beforehand: with clocks, more is rare. */
const MOST_DELAY = 3;

/**
 * Workers compute gradients of mini-batches of their own rows and push them to servers, which have the weights, and change them
 * (Li et al., OSDI 2014). Ranks behind the workers are servers. How much workers wait for each other is the consistency's business.
 */
export const parameterServer: Strategy = { name: NAME, run, merge, wholeOf, channels: true };

export function consistencyOf({ staleness }: Pick<StrategyChoice, 'staleness'>): Consistency {
  return staleness === 'asynchronous' ? asynchronous : staleSynchronous(staleness);
}

/** What a server tells the others at the end. */
interface ServerReport {
  readonly costs: RankCosts;
  readonly version: number;
  readonly rows: number;
  readonly staleness: readonly number[];
  readonly refused: number;
  readonly lost: number;
  readonly control: number;
  readonly snapshots: readonly { readonly atMs: number; readonly rows: number; readonly updates: number }[];
  readonly hasOrder: boolean;
}

/** What a rank knows of a server. */
export interface ServersState {
  readonly server: number;
  /** The newest state has most updates. */
  readonly snapshot: ServerSnapshot | undefined;
  /** The last version that a worker had from it, in that generation of the group. */
  readonly seen: { readonly generation: number; readonly version: number } | undefined;
}

async function run(job: TrainingJob, host: RankHost): Promise<TrainingOutcome> {
  const began = host.now();
  const choice = choiceOf(job);
  const { workers } = job.partition;
  const consistency = consistencyOf(choice);
  const setup = await setUp(job, host, {
    batchRows: consistency.clocked ? workers * choice.batchSize : choice.batchSize,
    delay: consistency.clocked && workers > 1 ? Math.min(consistency.bound, MOST_DELAY) : workers - 1,
  });
  const channels = (await host.openChannels?.()) ?? [];
  const segments = segmentsOf(coordinateCount(setup.problem), choice.servers);
  assert(channels.length >= workers + choice.servers, 'a parameter server needs channels to every rank');
  await host.world.barrier();
  const meter = new CostMeter(host.now);
  try {
    const server = host.rank - workers;
    const report =
      server >= 0
        ? await serve(job, host, setup, segments[server], server, channels, meter, began)
        : await work(job, host, setup, segments, channels, meter, began);
    return await end(job, host, setup, segments, report, meter, began);
  } finally {
    await Promise.all(channels.map((channel) => channel?.close()));
  }
}

async function work(
  job: TrainingJob,
  host: RankHost,
  setup: BatchSetup,
  segments: readonly Segment[],
  channels: readonly (Channel | undefined)[],
  meter: CostMeter,
  began: number,
): Promise<undefined> {
  const { workers, shares } = job.partition;
  const batches = new OwnBatches({
    store: job.store,
    share: shares[host.rank],
    ...lossOf(job),
    kernels: host.kernels,
    row: host.row,
    seed: job.seed ?? 0,
    batchSize: choiceOf(job).batchSize,
    among: workers,
  });
  const servers = segments.map((_, server) => channels[workers + server] as Channel);
  const working = new Working({ setup, host, batches, servers, segments, meter, began });
  try {
    await working.run();
  } catch (error) {
    // Should a server be lost, this shows how much was lost with it.
    const { generation } = host.world;
    const state = working.versions.map((version, server): ServersState => ({ server, snapshot: undefined, seen: { generation, version } }));
    host.keep?.(batchCheckpoint(setup, NAME, state, trainedBefore(job) + host.now() - began));
    throw error;
  }
  return undefined;
}

interface Served {
  readonly report: Omit<ServerReport, 'costs'>;
  readonly vectors: readonly Float64Array[];
  readonly order: Int32Array | undefined;
}

async function serve(
  job: TrainingJob,
  host: RankHost,
  setup: BatchSetup,
  segment: Segment,
  number: number,
  channels: readonly (Channel | undefined)[],
  meter: CostMeter,
  began: number,
): Promise<Served> {
  const server = serverOf(job, setup, segment, number, host.world.generation);
  const choice = choiceOf(job);
  const order = choice.replay?.[number];
  const before = trainedBefore(job);
  const checkpoint = (): Checkpoint => {
    const state: ServersState[] = [{ server: number, snapshot: server.snapshot(), seen: undefined }];
    return batchCheckpoint(setup, NAME, state, before + host.now() - began);
  };
  const timer = new CheckpointTimer(job, host.now);
  const serving = new Serving({
    server,
    replay: order === undefined ? undefined : new Replay(server, takenOf(order, job.partition.workers)),
    channels,
    workers: job.partition.workers,
    generation: host.world.generation,
    trainingRows: setup.problem.layout.rows,
    meter,
    now: host.now,
    began: began - before,
    early: curveBefore(job),
    keep: () => {
      host.keep?.(checkpoint());
      timer.taken();
    },
    keepEvery: KEEP_EVERY,
    isDue: () => timer.isDue,
    pause: host.pause,
    onActivity: host.onActivity,
  });
  try {
    await serving.run();
  } catch (error) {
    // A worker was lost, not this server: nothing of what it has is.
    host.keep?.(checkpoint());
    throw error;
  }
  if (isLimited(endReason(setup, serving.control))) host.keep?.(checkpoint());
  const words = server.order.words();
  return {
    report: {
      version: server.version,
      rows: server.rows,
      staleness: server.staleness.counts,
      refused: server.refused,
      lost: server.lost,
      control: serving.control,
      snapshots: serving.snapshots.map(({ atMs, rows, updates }) => ({ atMs, rows, updates })),
      hasOrder: words !== undefined,
    },
    vectors: [server.weights, ...serving.snapshots.map(({ weights }) => weights)],
    order: words,
  };
}

function serverOf(job: TrainingJob, setup: BatchSetup, segment: Segment, number: number, generation: number): ParameterServer {
  const choice = choiceOf(job);
  const { problem, rule, preconditioner } = setup;
  const { rows } = problem.layout;
  const weights = coordinateCount(problem) - (problem.classes ?? 1);
  const consistency = consistencyOf(choice);
  const together = consistency.clocked ? job.partition.workers * choice.batchSize : choice.batchSize;
  const preconditioned = choice.servers > 1 && preconditioner.kind !== 'none';
  const updater = new RuleUpdater(setup, segment, rows / together);
  const options: ServerOptions = {
    consistency,
    late: LATE_RULES[choice.late],
    weights: coordinatesOf(problem.start).slice(segment.begin, segment.end),
    penalised: Math.max(0, Math.min(segment.end, weights) - segment.begin),
    l2: rule.decays || preconditioned ? 0 : problem.l2,
    weightSum: problem.weightSum,
    trainingRows: rows,
    updater,
    maxRows: setup.epochs * rows,
    workers: job.partition.workers,
  };
  const states = job.resume?.state as readonly ServersState[] | undefined;
  const before = states?.find((state) => state.server === number);
  const seen = before?.seen?.generation === generation - 1 ? before.seen.version : 0;
  if (before?.snapshot === undefined) {
    const server = new ParameterServer(options);
    server.loseTo(seen);
    return server;
  }
  const { snapshot } = before;
  const server = ParameterServer.restore(options, snapshotFor(snapshot, job.partition.workers, consistency.clocked));
  // A clock has the rows of all workers.
  if (consistency.clocked && snapshot.members.length !== job.partition.workers) updater.goOnAt(snapshot.rows / rows);
  server.loseTo(seen);
  return server;
}

/** Points of the curve that were due before a run went on, by every server alike: the one that is farthest behind decides. */
function curveBefore({ resume, store }: TrainingJob): number {
  const states = resume?.state as readonly ServersState[] | undefined;
  if (states === undefined) return 0;
  return snapshotsUntil(Math.min(...states.map(({ snapshot }) => snapshot?.rows ?? 0)) / store.training.layout.rows);
}

/** What a user goes on from: a state of every server, and nothing of the ranks that there were. */
function wholeOf(kept: Checkpoint, { strategy }: Pick<TrainingJob, 'strategy'>): Checkpoint | undefined {
  const states = kept.state as readonly ServersState[];
  const known = states.filter(({ snapshot }) => snapshot !== undefined).length;
  return known < (strategy?.servers ?? 1) ? undefined : { ...kept, state: states.map((state) => ({ ...state, seen: undefined })) };
}

/** Of every server the newest state. */
function merge(kept: Checkpoint | undefined, newer: Checkpoint): Checkpoint {
  const states = [...((kept?.state ?? []) as readonly ServersState[])];
  for (const state of newer.state as readonly ServersState[]) {
    const at = states.findIndex(({ server }) => server === state.server);
    if (at < 0) states.push(state);
    else
      states[at] = {
        server: state.server,
        snapshot: newest(states[at].snapshot, state.snapshot),
        seen: latest(states[at].seen, state.seen),
      };
  }
  return { ...newer, state: states };
}

function newest(a: ServerSnapshot | undefined, b: ServerSnapshot | undefined): ServerSnapshot | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return b.version >= a.version ? b : a;
}

function latest(a: ServersState['seen'], b: ServersState['seen']): ServersState['seen'] {
  if (a === undefined || b === undefined) return a ?? b;
  if (a.generation !== b.generation) return a.generation > b.generation ? a : b;
  return b.version > a.version ? b : a;
}

/** Brings all that servers know to every rank, which then judges the weights with the others. */
async function end(
  job: TrainingJob,
  host: RankHost,
  setup: BatchSetup,
  segments: readonly Segment[],
  served: Served | undefined,
  meter: CostMeter,
  began: number,
): Promise<TrainingOutcome> {
  meter.enter('waiting');
  const { workers } = job.partition;
  const costs = meter.costs(host.rank, served === undefined ? 'worker' : 'server');
  const trainMs = host.now() - began;
  const own = served === undefined ? { costs } : { ...served.report, costs };
  const reports = (await gatherText(host.world, JSON.stringify(own))).map((text) => JSON.parse(text) as Partial<ServerReport>);
  const servers = reports.slice(workers) as ServerReport[];
  const made = Math.min(...servers.map(({ snapshots }) => snapshots.length));
  const vectors = await gatherVectors(host.world, served?.vectors.slice(0, made + 1) ?? []);
  const orders = await gatherVectors(host.world, served?.order === undefined ? [] : [Float64Array.from(served.order)]);
  const whole = (at: number): Float64Array => {
    const coordinates = new Float64Array(coordinateCount(setup.problem));
    for (const [s, { begin }] of segments.entries()) coordinates.set(vectors[workers + s][at], begin);
    return coordinates;
  };
  const [first] = servers;
  const { classes: outputs = 1 } = job;
  const passes = (rows: number): number => rows / setup.problem.layout.rows;
  const snapshots = Array.from({ length: made }, (_, i): Snapshot => {
    const { atMs, rows, updates } = first.snapshots[i];
    return { atMs, passes: passes(rows), updates, vector: vectorOn(whole(i + 1), outputs) };
  });
  const ranks = reports.map((report) => report.costs as RankCosts);
  const lost = Math.max(...servers.map((each) => each.lost));
  const notes = lost > 0 ? [`${lost} updates were lost with a server, and the run went on without them`] : [];
  return finish(job, host, setup, {
    vector: vectorOn(whole(0), outputs),
    updates: first.version,
    passes: passes(first.rows),
    reason: endReason(setup, Math.max(...servers.map(({ control }) => control)) as ControlWord),
    snapshots,
    costs: {
      strategy: choiceOf(job).name,
      ranks,
      staleness: servers.reduce<number[]>((sum, { staleness }) => addCounts(sum, staleness), []),
      refused: servers.reduce((sum, { refused }) => sum + refused, 0),
      lost,
      utilisation: utilisationOf(ranks),
    },
    trainMs,
    notes,
    orders: servers.every(({ hasOrder }) => hasOrder) ? orders.slice(workers).map(([words]) => Int32Array.from(words)) : undefined,
  });
}
