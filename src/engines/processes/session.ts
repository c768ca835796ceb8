import type { ArrayTask, ArrayTaskResult } from '../../data/array-tasks.ts';
import { assert } from '../../errors.ts';
import type { TrainingJob, TrainingOutcome } from '../../strategies/job.ts';
import type { EngineHooks, EngineOptions, Session } from '../engine.ts';
import { GuardedHooks } from '../hooks.ts';
import { inline } from '../inline.ts';
import { type Exchange, type Fault, type JobOrder, PHASES } from '../worker/orders.ts';
import { ALGORITHMS } from './algorithms.ts';
import type { Launcher } from './launcher.ts';
import { errorOf, isLinkError, Losses } from './losses.ts';
import { Reception } from './reception.ts';
import { collectNewest } from './recovery.ts';
import { RunState } from './run-state.ts';
import { Lost, Seat } from './seat.ts';
import { START_MS, Staffing } from './staffing.ts';

/**
 * The coordinator's loop: fill the seats (staffing.ts), try the run, recover after a loss (recovery.ts, losses.ts), try again.
 * Connections come in at reception.ts; run-state.ts has what is known of the run.
 */

const TIMEOUT_MS = 120_000;

/** A process per rank. Ranks speak to each other; the coordinator listens, replaces those that are lost, and never sees a sum. */
export class ProcessSession implements Session {
  readonly workers: number;
  readonly #options: EngineOptions;
  readonly #launcher: Launcher;
  readonly #seats: readonly Seat[];
  readonly #state = new RunState();
  readonly #losses: Losses;
  readonly #reception: Reception;
  readonly #staffing: Staffing;

  /** `workers`: ranks; those behind the workers of a job's partition own no data. */
  constructor(workers: number, launcher: Launcher, options: EngineOptions = {}) {
    this.workers = workers;
    this.#launcher = launcher;
    this.#options = options;
    this.#seats = Array.from({ length: workers }, (_, rank) => {
      const own = (options.faults ?? []).filter((fault) => fault.rank === rank);
      const faults = own.flatMap((fault): Fault[] => {
        if (fault.kind === 'slow') return [];
        const phase = PHASES.find((known) => known === fault.phase) ?? 'map';
        return [{ kind: fault.kind, step: fault.step, phase, ms: fault.kind === 'pause' ? fault.ms : 0 }];
      });
      const seat = new Seat(rank, faults, (report) => this.#state.hear(report));
      for (const fault of own) if (fault.kind === 'slow') seat.slow = fault.times;
      return seat;
    });
    const seats = this.#seats;
    const state = this.#state;
    const losses = new Losses(seats, state, options.maxRestarts);
    const reception = new Reception(seats, state, options.silenceMs);
    this.#losses = losses;
    this.#reception = reception;
    this.#staffing = new Staffing(launcher, { seats, reception, state, losses }, options.remove);
  }

  /** Process ids by rank, of workers on this machine: for fault injection. */
  get pids(): readonly (number | undefined)[] {
    return this.#seats.map((seat) => (seat.isAlive ? seat.pid : undefined));
  }

  /** In this thread: arrays are in its memory. */
  async run(tasks: readonly ArrayTask[]): Promise<ArrayTaskResult[]> {
    return inline.open(1).run(tasks);
  }

  async train(job: TrainingJob, hooks: EngineHooks): Promise<TrainingOutcome> {
    assert(job.partition.workers <= this.workers, 'a partition for more workers than there are');
    assert(job.source !== undefined, 'processes read their data from a dataset folder');
    const abort = (): void => {
      for (const seat of this.#seats) seat.send({ kind: 'abort' });
    };
    const guarded = new GuardedHooks(hooks, () => {
      thrown = true;
      abort();
    });
    let thrown = false;
    this.#state.begin(job, guarded, hooks.signal);
    this.#losses.clear();
    hooks.signal?.addEventListener('abort', abort, { once: true });
    if (this.#options.compress !== undefined)
      guarded.onNote('gradients are compressed: the result has not the same bits as without, nor for another number of workers');
    try {
      await this.#reception.open(this.#launcher);
      for (;;) {
        await this.#staffing.fill(job);
        const outcome = await this.#attempt(job, () => thrown || hooks.signal?.aborted === true);
        guarded.rethrow();
        if (outcome === undefined) continue;
        this.#state.finish(outcome);
        for (const seat of this.#seats)
          for (const { kind, step, phase } of seat.faults)
            guarded.onNote(`--${kind} ${seat.rank}@${step}: the worker never came to phase ${phase} of that step`);
        guarded.rethrow();
        return { ...outcome, ...this.#losses.outcome };
      }
    } finally {
      hooks.signal?.removeEventListener('abort', abort);
      this.#state.end();
    }
  }

  close(): Promise<void> {
    return this.#reception.close();
  }

  /** One generation. Undefined: it was ended by a loss, and what the survivors know has been collected. */
  async #attempt(job: TrainingJob, isAborted: () => boolean): Promise<TrainingOutcome | undefined> {
    this.#state.generation += 1;
    const { generation, known } = this.#state;
    const { store: _store, source: _source, ...rest } = job;
    const order: JobOrder = { ...rest, resume: known.checkpoint };
    const addresses = this.#seats.map((seat) => seat.address as NonNullable<Seat['address']>);
    const answers = this.#seats.map((seat) => seat.expect(['outcome', 'failed'], { generation }));
    for (const seat of this.#seats) {
      const run = { kind: 'run', generation, size: this.workers, job: order, count: known.count, addresses } as const;
      seat.send({ ...run, exchange: this.#exchange });
      if (isAborted()) seat.send({ kind: 'abort' });
    }
    let outcome: TrainingOutcome | undefined;
    try {
      await Promise.all(
        answers.map(async (answer, rank) => {
          const report = await answer;
          if (report.kind === 'failed') throw errorOf(report, rank);
          outcome ??= report.outcome;
        }),
      );
    } catch (error) {
      for (const answer of answers) answer.catch(() => undefined);
      if (outcome === undefined) {
        await this.#recover(generation, error);
        return undefined;
      }
    }
    assert(outcome !== undefined, 'no rank brought an outcome');
    return outcome;
  }

  get #exchange(): Exchange {
    const { communicate = 'peer-to-peer', reducers = 1, backup = 0, timeoutMs = TIMEOUT_MS, link, compress } = this.#options;
    return { algorithm: ALGORITHMS[communicate], reducers, backup, link, compress, timeoutMs, meetMs: START_MS };
  }

  /** Ends a generation on those that are left, and takes over the newest state. @throws an error that is no loss */
  async #recover(generation: number, error: unknown): Promise<void> {
    await collectNewest(this.#seats, this.#state, generation, this.#options.timeoutMs ?? TIMEOUT_MS);
    const isLink = isLinkError(error);
    if (!(error instanceof Lost) && !isLink) throw error;
    const lost = this.#seats.filter((seat) => !seat.isAlive);
    for (const seat of lost) {
      if (seat.loss !== undefined) this.#losses.record(seat.loss);
    }
    // All are alive, so a connection between two of them failed.
    if (lost.length === 0 && isLink) this.#losses.record(new Lost(error.place.rank ?? 0, error.message, 'map'), false);
  }
}
