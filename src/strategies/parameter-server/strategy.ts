import type { Channel } from '../../communicate/channel.ts';
import { assert } from '../../errors.ts';
import { CostMeter } from '../../monitor/costs.ts';
import { coordinateCount } from '../../update/coordinates.ts';
import { choiceOf, setUp } from '../batch-setup.ts';
import type { StrategyChoice } from '../choice.ts';
import { batchCheckpoint, CheckpointTimer, endReason, isLimited, trainedBefore } from '../going-on.ts';
import type { Checkpoint, TrainingJob, TrainingOutcome } from '../job.ts';
import { ownBatches } from '../own-batches.ts';
import type { RankHost, Strategy } from '../strategy.ts';
import { consistencyOf } from './consistency.ts';
import { end, type Served } from './end.ts';
import { curveBefore, merge, type ServersState, wholeOf } from './kept.ts';
import { LATE_RULES } from './late.ts';
import { serverOf } from './make-server.ts';
import { takenOf } from './order.ts';
import type { RankRun } from './rank-run.ts';
import { Replay } from './replay.ts';
import { segmentsOf } from './segments.ts';
import { Serving } from './serve.ts';
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

async function run(job: TrainingJob, host: RankHost): Promise<TrainingOutcome> {
  const began = host.now();
  const choice = choiceOf(job);
  const { workers } = job.partition;
  const consistency = consistencyOf(choice);
  const setup = await setUp(job, host, {
    batchRows: consistency.clocked ? workers * choice.batchSize : choice.batchSize,
    delay: delayOf(choice, workers),
  });
  const channels = (await host.openChannels?.()) ?? [];
  const segments = segmentsOf(coordinateCount(setup.problem), choice.servers);
  assert(channels.length >= workers + choice.servers, 'a parameter server needs channels to every rank');
  await host.world.barrier();
  const meter = new CostMeter(host.now);
  try {
    const own: RankRun = { job, host, setup, segments, channels, meter, began };
    const server = host.rank - workers;
    return await end(own, server >= 0 ? await serve(own, server) : await work(own));
  } finally {
    await Promise.all(channels.map((channel) => channel?.close()));
  }
}

/** Updates that are to be expected between a pull and its push: 0 where the rule for late gradients makes up for them. */
function delayOf(choice: StrategyChoice, workers: number): number {
  const { clocked, bound } = consistencyOf(choice);
  if (LATE_RULES[choice.late].damps) return 0;
  return clocked && workers > 1 ? Math.min(bound, MOST_DELAY) : workers - 1;
}

async function work({ job, host, setup, segments, channels, meter, began }: RankRun): Promise<undefined> {
  const { workers, shares } = job.partition;
  const batches = ownBatches(job, host, shares[host.rank], workers);
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

async function serve(run: RankRun, number: number): Promise<Served> {
  const { job, host, setup, channels, meter, began } = run;
  const server = serverOf(run, number);
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
