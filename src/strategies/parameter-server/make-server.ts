import { coordinateCount, coordinatesOf } from '../../update/coordinates.ts';
import { choiceOf, lossOf } from '../batch-setup.ts';
import { consistencyOf } from './consistency.ts';
import { statesOf } from './kept.ts';
import { LATE_RULES } from './late.ts';
import type { RankRun } from './rank-run.ts';
import { ParameterServer, type ServerOptions } from './server.ts';
import { snapshotFor } from './snapshot.ts';
import { RuleUpdater } from './updater.ts';

/** The server of a segment, with the state that it was kept in where a run goes on. @param number its place among the servers */
export function serverOf({ job, host, setup, segments }: RankRun, number: number): ParameterServer {
  const choice = choiceOf(job);
  const segment = segments[number];
  const { generation } = host.world;
  const { problem, rule, preconditioner } = setup;
  const { rows } = problem.layout;
  const weights = coordinateCount(problem) - (problem.classes ?? 1);
  const consistency = consistencyOf(choice);
  // A worker's epoch ends with what is left, so that it has whole batches.
  const each = Math.ceil(rows / (job.partition.workers * choice.batchSize));
  const preconditioned = choice.servers > 1 && preconditioner.kind !== 'none';
  const updater = new RuleUpdater(setup, segment, consistency.clocked ? each : job.partition.workers * each);
  const options: ServerOptions = {
    consistency,
    late: LATE_RULES[choice.late],
    weights: coordinatesOf(problem.start).slice(segment.begin, segment.end),
    penalised: Math.max(0, Math.min(segment.end, weights) - segment.begin),
    l2: rule.decays || preconditioned ? 0 : problem.l2,
    weightSum: problem.weightSum,
    trainingRows: rows,
    updater,
    unit: lossOf(job).loss === 'squared' && setup.nullLoss > 0 ? Math.sqrt(2 * setup.nullLoss) : 1,
    maxRows: setup.epochs * rows,
    workers: job.partition.workers,
  };
  const before = statesOf(job.resume)?.find((state) => state.server === number);
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
