import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { createSharedCollective, reportLost, type SharedHandle } from '../communicate/shared/memory.ts';
import { ParagradError } from '../errors.ts';
import type { TrainingJob, TrainingOutcome } from '../strategies/job.ts';
import type { Engine, EngineHooks } from './engine.ts';
import type { WorkerMessage, WorkerStart } from './worker/protocol.ts';

/**
 * One worker thread per rank, over the same memory. The ranks run the loop in lockstep and speak through shared memory; this
 * thread only starts them, listens, and makes sure that the loss of one ends the others.
 */
export const threads: Engine = { name: 'threads', kind: 'resident', train };

async function train(job: TrainingJob, hooks: EngineHooks): Promise<TrainingOutcome> {
  const crew = new Crew(job, hooks);
  const abort = (): void => crew.abort();
  hooks.signal?.addEventListener('abort', abort, { once: true });
  if (hooks.signal?.aborted === true) abort();
  try {
    return await crew.outcome;
  } finally {
    hooks.signal?.removeEventListener('abort', abort);
    await crew.end();
  }
}

/** The threads of one run. */
class Crew {
  readonly outcome: Promise<TrainingOutcome>;
  readonly #workers: Worker[] = [];
  readonly #aborted = new SharedArrayBuffer(4);

  constructor(job: TrainingJob, hooks: EngineHooks) {
    const { workers, grid } = job.partition;
    const world = createSharedCollective({ size: workers });
    const rows = Array.from({ length: grid.rows }, () => createSharedCollective({ size: grid.columns, workers }));
    this.outcome = new Promise((resolve, reject) => {
      let running = workers;
      let result: TrainingOutcome | undefined;
      const losses: { rank: number; error: ParagradError }[] = [];
      const lost = (rank: number, error: ParagradError): void => {
        losses.push({ rank, error });
        // Who waits for it, now or later, is told; their failures tell the others of their own groups.
        reportLost(world, rank);
        reportLost(rows[Math.floor(rank / grid.columns)] as SharedHandle, rank % grid.columns);
      };
      const ended = (): void => {
        running -= 1;
        if (running > 0) return;
        if (losses.length > 0) reject(causeOf(losses));
        else if (result !== undefined) resolve(result);
        else reject(new ParagradError('PARAGRAD_INTERNAL', 'no rank brought an outcome'));
      };
      for (let rank = 0; rank < workers; rank += 1) {
        const start: WorkerStart = { job, rank, world, row: rows[Math.floor(rank / grid.columns)] as SharedHandle, aborted: this.#aborted };
        const worker = new Worker(workerFile(), { workerData: start, name: `paragrad rank ${rank}` });
        this.#workers.push(worker);
        let done = false;
        worker.on('message', (message: WorkerMessage) => {
          if (message.kind === 'steps') hooks.onSteps?.(message.steps);
          else {
            done = true;
            if (message.kind === 'failed') lost(rank, errorOf(rank, message.error));
            else result ??= message.outcome;
          }
        });
        worker.on('error', (error: unknown) => {
          done = true;
          const text = error instanceof Error ? error.message : String(error);
          lost(rank, new ParagradError('PARAGRAD_WORKER_LOST', `worker ${rank} failed: ${text}`, { place: { rank }, cause: error }));
        });
        worker.on('exit', (code) => {
          if (!done)
            lost(rank, new ParagradError('PARAGRAD_WORKER_LOST', `worker ${rank} ended with exit code ${code} before the run did`, { place: { rank } }));
          ended();
        });
      }
    });
  }

  abort(): void {
    Atomics.store(new Int32Array(this.#aborted), 0, 1);
  }

  async end(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}

/** The first failure that is not only the echo of another rank's. */
function causeOf(losses: readonly { rank: number; error: ParagradError }[]): ParagradError {
  const cause = losses.find(({ error }) => error.code !== 'PARAGRAD_PEER_LOST') ?? (losses[0] as (typeof losses)[number]);
  return cause.error;
}

function errorOf(rank: number, error: Extract<WorkerMessage, { kind: 'failed' }>['error']): ParagradError {
  return ParagradError.from({ ...error, place: { ...error.place, rank } });
}

/** The bundle: beside this file's folder in the package, in `dist/` when this runs from source. */
function workerFile(): string {
  const candidates = ['../worker.mjs', '../../dist/worker.mjs'].map((path) => fileURLToPath(new URL(path, import.meta.url)));
  const file = candidates.find((path) => existsSync(path));
  if (file === undefined) throw new ParagradError('PARAGRAD_INTERNAL', 'the worker bundle is missing: run `npm run build`');
  return file;
}
