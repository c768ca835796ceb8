import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inline } from '../../src/engines/inline.ts';
import { type ThreadSession, threads } from '../../src/engines/threads.ts';
import type { PartitionKind } from '../../src/partition/plan.ts';
import type { TrainingJob, TrainingOutcome } from '../../src/strategies/job.ts';
import { jobOf, randomData, storeOf } from '../support/problems.ts';
import { distinctKinds } from '../support/splits.ts';

const bits = ({ outcome, progress }: TrainingOutcome): string =>
  Buffer.from(new Float64Array([...outcome.vector.weights, outcome.vector.intercept, outcome.objective, progress.passes]).buffer).toString(
    'hex',
  );

async function onThreads(job: TrainingJob, hooks: Parameters<ReturnType<typeof threads.open>['train']>[1] = {}): Promise<TrainingOutcome> {
  const session = threads.open(job.partition.workers);
  try {
    return await session.train(job, hooks);
  } finally {
    await session.close();
  }
}

/** A job that would go on for minutes. */
function endless(workers: number, kind: PartitionKind): TrainingJob {
  const store = storeOf(randomData(9, 400, 12, false), { dtype: 'f32', chunkRows: 16, blockColumns: 2 });
  const optimizerOptions = { tolerance: 0, learningRate: 1e-9 };
  return jobOf(store, { kind, workers, optimizer: 'gradient-descent', optimizerOptions, maxPasses: 1e9 });
}

describe.each(['f32', 'f64'] as const)('%s', (dtype) => {
  // To start threads takes longer than these runs.
  let sessions: ThreadSession[];
  beforeAll(() => {
    sessions = [1, 2, 3, 4, 7].map((workers) => threads.open(workers));
  });
  afterAll(async () => {
    for (const session of sessions) await session.close();
  });

  test.each(['linear', 'logistic'] as const)('%s: threads ≡ inline to the bit, rows, columns and grid', async (model) => {
    const store = storeOf(randomData(7, 301, 15, model === 'logistic'), { dtype, chunkRows: 16, blockColumns: 2 });
    for (const optimizer of ['gradient-descent', model === 'linear' ? 'conjugate-gradient' : 'lbfgs', 'svrg']) {
      const optimizerOptions = { tolerance: 1e-6, learningRate: 'auto', ...(optimizer === 'svrg' ? { batchSize: 90 } : {}) } as const;
      const options: Partial<TrainingJob> = { model, optimizer, optimizerOptions, maxPasses: optimizer === 'svrg' ? 3 : 8 };
      const base = await inline.open(1).train(jobOf(store, options), {});
      for (const session of sessions) {
        const { workers } = session;
        for (const kind of distinctKinds(store.training.layout, workers)) {
          const job = jobOf(store, { ...options, kind, workers });
          expect(job.partition.shares.every((share) => share.chunkEnd > share.chunkBegin && share.blockEnd > share.blockBegin)).toBe(true);
          expect(bits(await session.train(job, {})), `${optimizer} ${kind} ${workers}`).toBe(bits(base));
        }
      }
    }
  });
});

test('more workers than chunks: some own nothing, and the bits are the same', async () => {
  const store = storeOf(randomData(2, 20, 3, false), { dtype: 'f32', chunkRows: 16 });
  expect(bits(await onThreads(jobOf(store, { workers: 4 })))).toBe(bits(await inline.open(1).train(jobOf(store), {})));
});

test.each(['rows', 'columns', 'grid'] as const)(
  '%s: a worker that dies in the middle ends the run with its rank, no hang',
  async (kind) => {
    const session = threads.open(4);
    let killed: Promise<void> | undefined;
    const run = session.train(endless(4, kind), {
      onSteps: () => {
        killed ??= session.kill(2);
      },
    });
    await expect(run).rejects.toMatchObject({ code: 'PARAGRAD_WORKER_LOST', place: { rank: 2 } });
    expect(killed).toBeDefined();
    await session.close();
  },
);

test('a worker that throws ends the run with its own error, not with the echo of the others', async () => {
  const job = endless(3, 'rows');
  const shares = job.partition.shares.map((share) => (share.rank === 1 ? { ...share, chunkEnd: 10_000 } : share));
  await expect(onThreads({ ...job, partition: { ...job.partition, shares } })).rejects.toMatchObject({
    code: 'PARAGRAD_INTERNAL',
    place: { rank: 1 },
  });
});

test('an abort ends all ranks with a result, and the main thread hears of progress', async () => {
  const abort = new AbortController();
  let heard = 0;
  const outcome = await onThreads(endless(2, 'rows'), {
    signal: abort.signal,
    onSteps: (steps) => {
      heard += steps.length;
      abort.abort();
    },
  });
  expect(outcome.reason).toBe('aborted');
  expect(heard).toBeGreaterThan(0);
});

test.each([inline, threads] as const)('$name: a hook that throws ends the run with its error', async (engine) => {
  const session = engine.open(3);
  const mine = new Error('mine');
  const throws = (): void => {
    throw mine;
  };
  await expect(session.train(endless(3, 'rows'), { onSteps: throws })).rejects.toBe(mine);
  await expect(session.train({ ...endless(3, 'rows'), checkpointEveryMs: 0 }, { onCheckpoint: throws })).rejects.toBe(mine);
  await session.close();
});
