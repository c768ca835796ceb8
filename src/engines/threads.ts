import { Worker } from 'node:worker_threads';
import { createSharedCollective, reportLost, type SharedHandle } from '../communicate/shared/memory.ts';
import type { ArrayTask, ArrayTaskResult } from '../data/array-tasks.ts';
import { assert, ParagradError } from '../errors.ts';
import type { TrainingJob, TrainingOutcome } from '../strategies/job.ts';
import type { Engine, EngineHooks, Session } from './engine.ts';
import { GuardedHooks } from './hooks.ts';
import type { WorkerMessage, WorkerRequest } from './worker/protocol.ts';
import { workerFile } from './worker-file.ts';

/**
 * One worker thread per rank, over the same memory. The ranks run the loop in lockstep and speak through shared memory; this
 * thread only starts them, listens, and makes sure that the loss of one ends the others.
 */
export const threads = { name: 'threads', kind: 'resident', open: (workers): ThreadSession => new ThreadSession(workers) } satisfies Engine;

type Answer = Exclude<WorkerMessage, { kind: 'steps' | 'checkpoint' | 'failed' }>;

/** A request that a thread has not answered yet. */
interface Pending {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: ParagradError) => void;
  readonly hooks: EngineHooks;
}

class Thread {
  readonly rank: number;
  readonly worker: Worker;
  #pending: Pending | undefined;
  #gone: ParagradError | undefined;

  constructor(rank: number, file: string) {
    this.rank = rank;
    this.worker = new Worker(file, { name: `paragrad rank ${rank}` });
    this.worker.on('message', (message: WorkerMessage) => this.#hear(message));
    this.worker.on('error', (error: unknown) => this.#lose(`failed: ${error instanceof Error ? error.message : String(error)}`, error));
    this.worker.on('exit', (code) => this.#lose(`ended with exit code ${code} before its work did`));
  }

  ask(request: WorkerRequest, hooks: EngineHooks = {}): Promise<Answer> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    assert(this.#pending === undefined, 'a thread does one thing at a time');
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject, hooks };
      this.worker.postMessage(request);
    });
  }

  #hear(message: WorkerMessage): void {
    if (message.kind === 'steps') {
      this.#pending?.hooks.onSteps?.(message.steps);
      return;
    }
    if (message.kind === 'checkpoint') {
      this.#pending?.hooks.onCheckpoint?.(message.checkpoint);
      return;
    }
    const pending = this.#pending;
    this.#pending = undefined;
    if (message.kind !== 'failed') pending?.resolve(message);
    else pending?.reject(ParagradError.from({ ...message.error, place: { ...message.error.place, rank: this.rank } }));
  }

  #lose(how: string, cause?: unknown): void {
    this.#gone ??= new ParagradError('PARAGRAD_WORKER_LOST', `worker ${this.rank} ${how}`, { place: { rank: this.rank }, cause });
    this.#pending?.reject(this.#gone);
    this.#pending = undefined;
  }
}

export class ThreadSession implements Session {
  readonly workers: number;
  readonly #threads: readonly Thread[];

  constructor(workers: number) {
    const file = workerFile();
    this.workers = workers;
    this.#threads = Array.from({ length: workers }, (_, rank) => new Thread(rank, file));
  }

  async run(tasks: readonly ArrayTask[]): Promise<ArrayTaskResult[]> {
    const answers = await settled(
      this.#threads.map((thread, rank) => thread.ask({ kind: 'tasks', tasks: tasks.filter((_, i) => i % this.workers === rank) })),
    );
    const results = answers.map((answer) => (answer.kind === 'results' ? answer.results : []));
    return tasks.map((_, i) => results[i % this.workers]?.[Math.floor(i / this.workers)] as ArrayTaskResult);
  }

  async train(job: TrainingJob, hooks: EngineHooks): Promise<TrainingOutcome> {
    const { workers, grid } = job.partition;
    assert(workers === this.workers, 'partition and session differ in workers');
    const world = createSharedCollective({ size: workers });
    const rows = Array.from({ length: grid.rows }, () => createSharedCollective({ size: grid.columns, workers }));
    const aborted = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
    const abort = (): void => {
      Atomics.store(new Int32Array(aborted), 0, 1);
    };
    hooks.signal?.addEventListener('abort', abort, { once: true });
    if (hooks.signal?.aborted === true) abort();
    const guarded = new GuardedHooks(hooks, abort);
    try {
      const answers = await settled(
        this.#threads.map(async (thread, rank) => {
          const row = rows[Math.floor(rank / grid.columns)] as SharedHandle;
          try {
            return await thread.ask({ kind: 'train', job, rank, world, row, aborted }, guarded);
          } catch (error) {
            // Who waits for it, now or later, is told; their failures tell the others of their own groups.
            reportLost(world, rank);
            reportLost(row, rank % grid.columns);
            throw error;
          }
        }),
      );
      const outcome = answers.flatMap((answer) => (answer.kind === 'outcome' && answer.outcome !== undefined ? [answer.outcome] : []))[0];
      guarded.rethrow();
      assert(outcome !== undefined, 'no rank brought an outcome');
      return outcome;
    } finally {
      hooks.signal?.removeEventListener('abort', abort);
    }
  }

  /** Ends one thread at once, as a crash would: for fault injection. */
  async kill(rank: number): Promise<void> {
    await this.#threads[rank]?.worker.terminate();
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }
}

/** All answers, after every thread has answered or failed; the first failure that is not the echo of another's. */
async function settled(answers: readonly Promise<Answer>[]): Promise<Answer[]> {
  const results = await Promise.allSettled(answers);
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  if (failures.length > 0)
    throw failures.find((error) => !(error instanceof ParagradError && error.code === 'PARAGRAD_PEER_LOST')) ?? failures[0];
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}
