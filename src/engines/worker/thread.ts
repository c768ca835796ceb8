import { parentPort } from 'node:worker_threads';
import { CONTROL } from '../../communicate/collective.ts';
import { joinSharedChannels } from '../../communicate/shared/channels.ts';
import { joinSharedCollective } from '../../communicate/shared/collective.ts';
import { runArrayTaskFast } from '../../kernels/array-tasks.ts';
import { strategyOf } from '../../strategies/registry.ts';
import { kernelsFor } from '../kernels.ts';
import { StepBatcher } from '../step-batcher.ts';
import { plainError } from './plain-error.ts';
import type { WorkerMessage, WorkerRequest } from './protocol.ts';
import { ThreadFaults } from './thread-faults.ts';

/** Of this thread, however many requests it answers. */
const faults = new ThreadFaults();

/**
 * It is told its rank, its data and how to reach the others; from then on the ranks speak to each other only, and rank 0 tells
 * about progress now and then.
 */
async function answer(request: WorkerRequest): Promise<WorkerMessage> {
  if (request.kind === 'tasks') return { kind: 'results', results: request.tasks.map(runArrayTaskFast) };
  const { job, rank, channels, sharedWeights } = request;
  const world = joinSharedCollective(request.world, rank);
  const row = joinSharedCollective(request.row, rank < job.partition.workers ? rank % job.partition.grid.columns : 0);
  const batcher = new StepBatcher((steps) => post({ kind: 'steps', steps }));
  const aborted = new Int32Array(request.aborted);
  faults.arm(request.faults);
  const outcome = await strategyOf(job).run(job, {
    rank,
    world,
    row,
    kernels: kernelsFor(job.kernels, job.store.training.layout.dtype),
    now: () => performance.now(),
    decide: () => {
      if (rank !== 0) return CONTROL.go;
      if (Atomics.load(aborted, 0) !== 0) return CONTROL.abort;
      return Date.now() >= job.endAtMs ? CONTROL.timeLimit : CONTROL.go;
    },
    onCheckpoint: (checkpoint) => post({ kind: 'checkpoint', checkpoint }),
    keep: (checkpoint) => post({ kind: 'keep', checkpoint }),
    ...(channels === undefined ? {} : { openChannels: async () => joinSharedChannels(channels, rank) }),
    ...(sharedWeights === undefined ? {} : { sharedWeights }),
    ...(faults.isArmed ? { onActivity: (activity, steps) => faults.enter(activity, steps) } : {}),
    onStep: rank === 0 ? (step) => batcher.add(step) : () => undefined,
  });
  batcher.flush();
  await row.close();
  await world.close();
  return { kind: 'outcome', outcome: rank === 0 ? outcome : undefined };
}

const failure = (error: unknown): WorkerMessage => ({ kind: 'failed', error: plainError(error) });

function post(message: WorkerMessage): void {
  parentPort?.postMessage(message);
}

/** Runs in a thread of the coordinator's process: answers requests until it is ended. */
export function serveThread(): void {
  parentPort?.on('message', (request: WorkerRequest) => {
    answer(request).then(post, (error: unknown) => post(failure(error)));
  });
}
