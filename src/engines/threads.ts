import { Worker } from 'node:worker_threads';
import { createSharedChannels, reportChannelLost } from '../communicate/shared/channels.ts';
import { createSharedCollective, reportLost, type SharedHandle } from '../communicate/shared/memory.ts';
import type { ArrayTask, ArrayTaskResult } from '../data/array-tasks.ts';
import { assert, ParagradError } from '../errors.ts';
import type { Checkpoint, Restart, TrainingJob, TrainingOutcome } from '../strategies/job.ts';
import { channelBytes, ranksOf, sharedBytes, strategyOf } from '../strategies/registry.ts';
import type { Engine, EngineHooks, EngineOptions, RankFault, Session } from './engine.ts';
import { HandOut } from './hand-out.ts';
import { GuardedHooks } from './hooks.ts';
import type { WorkerMessage, WorkerRequest } from './worker/protocol.ts';
import { workerFile } from './worker-file.ts';

/**
 * One worker thread per rank, over the same memory. The ranks run the loop in lockstep and speak through shared memory; this
 * thread only starts them, listens, and makes sure that the loss of one ends the others.
 */
export const threads = {
  name: 'threads',
  kind: 'resident',
  open: (workers: number, options?: EngineOptions): ThreadSession => new ThreadSession(workers, options),
} satisfies Engine;

const MAX_RESTARTS = 3;

type Answer = Exclude<WorkerMessage, { kind: 'steps' | 'checkpoint' | 'keep' | 'failed' }>;

/** A request that a thread has not answered yet. */
interface Pending {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: ParagradError) => void;
  readonly hooks: EngineHooks;
  readonly onKeep: ((checkpoint: Checkpoint) => void) | undefined;
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

  get isGone(): boolean {
    return this.#gone !== undefined;
  }

  ask(request: WorkerRequest, hooks: EngineHooks = {}, onKeep?: (checkpoint: Checkpoint) => void): Promise<Answer> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    assert(this.#pending === undefined, 'a thread does one thing at a time');
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject, hooks, onKeep };
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
    if (message.kind === 'keep') {
      this.#pending?.onKeep?.(message.checkpoint);
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
  readonly #threads: Thread[];
  readonly #maxRestarts: number;
  #faults: readonly RankFault[];

  constructor(workers: number, options: EngineOptions = {}) {
    const file = workerFile();
    this.workers = workers;
    this.#maxRestarts = options.maxRestarts ?? MAX_RESTARTS;
    this.#faults = options.faults ?? [];
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
    assert(ranksOf(job) === this.workers, 'partition and session differ in workers');
    const aborted = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
    const abort = (): void => {
      Atomics.store(new Int32Array(aborted), 0, 1);
    };
    hooks.signal?.addEventListener('abort', abort, { once: true });
    if (hooks.signal?.aborted === true) abort();
    const guarded = new GuardedHooks(hooks, abort);
    const { merge } = strategyOf(job);
    const restarts: Restart[] = [];
    const handOut = new HandOut(job, guarded);
    let kept = job.resume;
    try {
      for (let generation = 0; ; generation += 1) {
        try {
          const outcome = await this.#attempt({ ...job, resume: kept }, generation, aborted, guarded, (checkpoint) => {
            kept = handOut.keep(kept, checkpoint);
          });
          handOut.end(kept, outcome);
          guarded.rethrow();
          return restarts.length === 0 ? outcome : { ...outcome, restarts };
        } catch (error) {
          if (merge !== undefined && isLoss(error) && this.#replace(error, generation, restarts, guarded)) continue;
          if (merge !== undefined) handOut.now(kept);
          throw isLoss(error) ? this.#explained(error, job) : error;
        }
      }
    } finally {
      hooks.signal?.removeEventListener('abort', abort);
    }
  }

  /** One try, with memory of its own: what the ranks of another wrote is not looked at. */
  async #attempt(
    job: TrainingJob,
    generation: number,
    aborted: SharedArrayBuffer,
    hooks: GuardedHooks,
    onKeep: (checkpoint: Checkpoint) => void,
  ): Promise<TrainingOutcome> {
    const { workers, grid } = job.partition;
    const size = this.workers;
    const world = createSharedCollective({ size, generation });
    const rows = Array.from({ length: grid.rows }, () => createSharedCollective({ size: grid.columns, workers, generation }));
    // A rank that is no worker has a row of its own.
    const rowOf = (rank: number): SharedHandle =>
      rank < workers ? (rows[Math.floor(rank / grid.columns)] as SharedHandle) : createSharedCollective({ size: 1, generation });
    const [bodyBytes, weightBytes] = [channelBytes(job), sharedBytes(job)];
    const channels = bodyBytes === 0 ? undefined : createSharedChannels(size, bodyBytes);
    const sharedWeights = weightBytes === 0 ? undefined : new SharedArrayBuffer(weightBytes);
    const answers = await settled(
      this.#threads.map(async (thread, rank) => {
        const row = rowOf(rank);
        const faults = this.#faults.filter((fault) => fault.rank === rank);
        try {
          return await thread.ask({ kind: 'train', job, rank, world, row, aborted, channels, sharedWeights, faults }, hooks, onKeep);
        } catch (error) {
          // Who waits for it, now or later, is told; their failures tell the others of their own groups.
          reportLost(world, rank);
          if (rank < workers) reportLost(row, rank % grid.columns);
          if (channels !== undefined) reportChannelLost(channels, rank);
          throw error;
        }
      }),
    );
    const outcome = answers.flatMap((answer) => (answer.kind === 'outcome' && answer.outcome !== undefined ? [answer.outcome] : []))[0];
    assert(outcome !== undefined, 'no rank brought an outcome');
    return outcome;
  }

  /** New threads in the places of those that ended. False: that happened too often. */
  #replace(error: ParagradError, generation: number, restarts: Restart[], hooks: GuardedHooks): boolean {
    const lost = this.#threads.filter((thread) => thread.isGone).map(({ rank }) => rank);
    for (const rank of lost) {
      if (restarts.filter((restart) => restart.rank === rank).length >= this.#maxRestarts) return false;
      restarts.push({ rank, generation, why: error.message, phase: 'map' });
      hooks.onNote(`${error.message}: it is replaced, and the run goes on from what the others have`);
      // What it did to itself is not done again by its successor.
      const done = this.#faults.findIndex((fault) => fault.rank === rank && fault.kind === 'kill');
      this.#faults = this.#faults.filter((_, i) => i !== done);
      this.#threads[rank] = new Thread(rank, workerFile());
    }
    return lost.length > 0;
  }

  /** The loss of a thread that was told to end itself says so, and who would have replaced it. */
  #explained(error: ParagradError, job: TrainingJob): ParagradError {
    const { rank } = error.place;
    const kill = this.#faults.find((fault) => fault.kind === 'kill' && fault.rank === rank);
    if (kill?.kind !== 'kill') return error;
    const name = job.strategy?.name ?? 'map-reduce';
    const why =
      strategyOf(job).merge === undefined
        ? `with --engine threads a lost worker of ${name} is not replaced; --engine processes does that`
        : 'it was replaced as often as --max-restarts lets it';
    return new ParagradError('PARAGRAD_WORKER_LOST', `${error.message}, as --kill ${kill.rank}@${kill.step} told it to: ${why}`, {
      place: error.place,
      cause: error,
    });
  }

  /** Ends one thread at once, as a crash would: for fault injection. */
  async kill(rank: number): Promise<void> {
    await this.#threads[rank]?.worker.terminate();
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }
}

function isLoss(error: unknown): error is ParagradError {
  return error instanceof ParagradError && error.code === 'PARAGRAD_WORKER_LOST';
}

/** All answers, after every thread has answered or failed; the first failure that is not the echo of another's. */
async function settled(answers: readonly Promise<Answer>[]): Promise<Answer[]> {
  const results = await Promise.allSettled(answers);
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  if (failures.length > 0)
    throw failures.find((error) => !(error instanceof ParagradError && error.code === 'PARAGRAD_PEER_LOST')) ?? failures[0];
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}
