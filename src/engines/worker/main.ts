import { parentPort, workerData } from 'node:worker_threads';
import { CONTROL } from '../../communicate/collective.ts';
import { joinSharedCollective } from '../../communicate/shared/collective.ts';
import { ParagradError } from '../../errors.ts';
import { mapReduce } from '../../strategies/map-reduce.ts';
import { kernelsOf } from '../kernels.ts';
import { StepBatcher } from '../step-batcher.ts';
import type { WorkerMessage, WorkerStart } from './protocol.ts';

/**
 * What a worker runs, bundled into one file without dependencies. It is told its rank, its data and how to reach the others;
 * from then on the ranks speak to each other only, and rank 0 tells about progress now and then.
 */
async function main(start: WorkerStart): Promise<void> {
  const { job, rank } = start;
  const world = joinSharedCollective(start.world, rank);
  const row = joinSharedCollective(start.row, rank % job.partition.grid.columns);
  const batcher = new StepBatcher((steps) => post({ kind: 'steps', steps }));
  const aborted = new Int32Array(start.aborted);
  const outcome = await mapReduce.run(job, {
    rank,
    world,
    row,
    kernels: kernelsOf(job),
    now: () => performance.now(),
    decide: () => {
      if (rank !== 0) return CONTROL.go;
      if (Atomics.load(aborted, 0) !== 0) return CONTROL.abort;
      return Date.now() >= job.endAtMs ? CONTROL.timeLimit : CONTROL.go;
    },
    onStep: rank === 0 ? (step) => batcher.add(step) : () => undefined,
  });
  batcher.flush();
  await row.close();
  await world.close();
  post({ kind: 'done', outcome: rank === 0 ? outcome : undefined });
}

function post(message: WorkerMessage): void {
  parentPort?.postMessage(message);
}

main(workerData as WorkerStart).catch((error: unknown) => {
  const known =
    error instanceof ParagradError
      ? error.toJSON()
      : { code: 'PARAGRAD_INTERNAL' as const, message: error instanceof Error ? (error.stack ?? error.message) : String(error), place: {} };
  post({ kind: 'failed', error: known });
});
