import { afterAll } from 'vitest';
import type { EngineHooks, RankFault } from '../../src/engines/engine.ts';
import { type ThreadSession, threads } from '../../src/engines/threads.ts';
import { partitionOf } from '../../src/partition/plan.ts';
import type { StrategyChoice } from '../../src/strategies/choice.ts';
import { clientPartition, clientsOf } from '../../src/strategies/clients.ts';
import type { TrainingJob, TrainingOutcome } from '../../src/strategies/job.ts';
import { ranksOf } from '../../src/strategies/registry.ts';
import { jobOf, randomData, storeOf } from '../support/problems.ts';

export const CHOICE: StrategyChoice = {
  name: 'parameter-server',
  batchSize: 32,
  staleness: 'asynchronous',
  late: 'apply',
  servers: 1,
  syncEvery: 3,
  clients: 4,
  participation: 1,
  serverMomentum: 0,
  topology: 'ring',
  partner: 'rotating',
};

export const bitsOf = ({ outcome: { vector } }: TrainingOutcome): string =>
  Buffer.from(new Float64Array([...vector.weights, vector.intercept]).buffer).toString('hex');

export const STORES = {
  linear: storeOf(randomData(7, 1500, 9, false), {
    dtype: 'f32',
    chunkRows: 64,
    blockColumns: 2,
    validation: randomData(8, 100, 9, false),
  }),
  logistic: storeOf(randomData(9, 1500, 9, true), {
    dtype: 'f32',
    chunkRows: 64,
    blockColumns: 2,
    validation: randomData(6, 100, 9, true),
  }),
};

/** A job of a strategy, on data of 24 chunks. */
export function strategyJob(
  model: 'linear' | 'logistic',
  choice: Partial<StrategyChoice>,
  workers: number,
  options: Partial<TrainingJob> = {},
): TrainingJob {
  const store = STORES[model];
  const { layout } = store.training;
  const strategy = { ...CHOICE, ...choice };
  const partition =
    strategy.name === 'local-sgd'
      ? clientPartition(layout, clientsOf(layout, strategy.clients), workers)
      : partitionOf(layout, 'rows', workers);
  const optimizerOptions = { tolerance: 0, learningRate: 'auto' as const, batchSize: 32, epochs: 4, ...options.optimizerOptions };
  return { ...jobOf(store, { model, workers }), optimizer: 'sgd', strategy, partition, ...options, optimizerOptions };
}

type OnThreads = (
  job: TrainingJob,
  options?: { readonly faults?: readonly RankFault[]; readonly maxRestarts?: number } & Pick<EngineHooks, 'signal' | 'onCheckpoint'>,
) => Promise<TrainingOutcome & { readonly told: readonly string[] }>;

/**
 * Runs jobs on threads. To start them takes longer than most runs: a file's tests share them, by their number, and they end with
 * the file; a run with faults has threads of its own.
 */
export function threadsOfFile(): OnThreads {
  const shared = new Map<number, ThreadSession>();
  afterAll(async () => {
    for (const session of shared.values()) await session.close();
  });
  const sharedBy = (ranks: number): ThreadSession => {
    const session = shared.get(ranks) ?? threads.open(ranks);
    shared.set(ranks, session);
    return session;
  };
  return async (job, { signal, onCheckpoint, ...engine } = {}) => {
    const told: string[] = [];
    const isOwn = Object.keys(engine).length > 0;
    const session = isOwn ? threads.open(ranksOf(job), engine) : sharedBy(ranksOf(job));
    try {
      const hooks = { ...(signal === undefined ? {} : { signal }), ...(onCheckpoint === undefined ? {} : { onCheckpoint }) };
      return { ...(await session.train(job, { onNote: (text) => told.push(text), ...hooks })), told };
    } finally {
      if (isOwn) await session.close();
    }
  };
}
