import type { ControlWord } from '../../communicate/collective.ts';
import { addCounts, type RankCosts, utilisationOf } from '../../monitor/costs.ts';
import { coordinateCount, vectorOn } from '../../update/coordinates.ts';
import { finish, type Snapshot } from '../batch-finish.ts';
import { choiceOf } from '../batch-setup.ts';
import { gatherJson, gatherVectors } from '../gather.ts';
import { endReason } from '../going-on.ts';
import type { TrainingOutcome } from '../job.ts';
import type { RankRun } from './rank-run.ts';

interface WorkerReport {
  readonly costs: RankCosts;
}

/** What a server tells the others at the end. */
interface ServerReport extends WorkerReport {
  readonly version: number;
  readonly rows: number;
  readonly staleness: readonly number[];
  readonly refused: number;
  readonly lost: number;
  readonly control: number;
  readonly snapshots: readonly { readonly atMs: number; readonly rows: number; readonly updates: number }[];
  readonly hasOrder: boolean;
}

/** What a server has when it ends. */
export interface Served {
  readonly report: Omit<ServerReport, 'costs'>;
  readonly vectors: readonly Float64Array[];
  readonly order: Int32Array | undefined;
}

/** Brings all that servers know to every rank, which then judges the weights with the others. */
export async function end({ job, host, setup, segments, meter, began }: RankRun, served: Served | undefined): Promise<TrainingOutcome> {
  meter.enter('waiting');
  const { workers } = job.partition;
  const costs = meter.costs(host.rank, served === undefined ? 'worker' : 'server');
  const trainMs = host.now() - began;
  const own: WorkerReport | ServerReport = served === undefined ? { costs } : { ...served.report, costs };
  const reports = await gatherJson(host.world, own);
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
  const ranks = reports.map((report) => report.costs);
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
