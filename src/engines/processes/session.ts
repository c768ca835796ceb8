import type { ArrayTask, ArrayTaskResult } from '../../data/array-tasks.ts';
import { assert } from '../../errors.ts';
import type { TrainingJob, TrainingOutcome } from '../../strategies/job.ts';
import { ranksOf } from '../../strategies/registry.ts';
import type { EngineHooks, EngineOptions, Session } from '../engine.ts';
import { GuardedHooks } from '../hooks.ts';
import { inline } from '../inline.ts';
import { type Exchange, type Fault, type JobOrder, PHASES } from '../worker/orders.ts';
import type { Launcher } from './launcher.ts';
import { errorOf, isLinkError, Losses } from './losses.ts';
import { Reception } from './reception.ts';
import { collectNewest } from './recovery.ts';
import { type Group, Roster } from './roster.ts';
import { RunState } from './run-state.ts';
import { Lost, Seat } from './seat.ts';
import { START_MS, Staffing } from './staffing.ts';

/**
 * The coordinator's loop: fill the seats (staffing.ts; roster.ts where workers come and go), try the run, recover after a loss (recovery.ts, losses.ts), try again.
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
    let roster: Roster | undefined;
    hooks.signal?.addEventListener('abort', abort, { once: true });
    if (this.#options.compress !== undefined)
      guarded.onNote('gradients are compressed: the result has not the same bits as without, nor for another number of workers');
    try {
      const servers = ranksOf(job) - job.partition.workers;
      await this.#reception.open(this.#launcher, job.elastic && job.elastic.min + servers);
      if (job.elastic !== undefined) roster = this.#roster(job, servers);
      for (;;) {
        const group = await this.#group(job, roster);
        const outcome = await this.#attempt(group, () => thrown || hooks.signal?.aborted === true, roster);
        guarded.rethrow();
        if (outcome === undefined) continue;
        this.#state.finish(outcome);
        for (const seat of this.#seats)
          for (const { kind, step, phase } of seat.faults)
            guarded.onNote(`--${kind} ${seat.rank}@${step}: the worker never came to phase ${phase} of that step`);
        guarded.rethrow();
        return { ...outcome, ...this.#losses.outcome, ...(roster === undefined ? {} : { crews: roster.crews }) };
      }
    } finally {
      roster?.end();
      hooks.signal?.removeEventListener('abort', abort);
      this.#state.end();
    }
  }

  close(): Promise<void> {
    return this.#reception.close();
  }

  #roster(job: TrainingJob, servers: number): Roster {
    const parts = {
      seats: this.#seats,
      launcher: this.#launcher,
      staffing: this.#staffing,
      state: this.#state,
      losses: this.#losses,
    };
    const { graceMs, machines } = this.#options;
    return new Roster(parts, job, servers, { graceMs, waitMs: machines?.waitMs });
  }

  /** Who works next, with its data loaded. */
  async #group(job: TrainingJob, roster: Roster | undefined): Promise<Group> {
    if (roster !== undefined) return roster.muster();
    await this.#staffing.fill(job);
    return { seats: this.#seats, job };
  }

  /** One generation. Undefined: it was ended by a loss, or for another group, and what the survivors know has been collected. */
  async #attempt({ seats, job }: Group, isAborted: () => boolean, roster: Roster | undefined): Promise<TrainingOutcome | undefined> {
    this.#state.generation += 1;
    const { generation, known } = this.#state;
    const { store: _store, source: _source, elastic: _elastic, ...rest } = job;
    const order: JobOrder = { ...rest, resume: known.checkpoint };
    const addresses = seats.map((seat) => seat.address as NonNullable<Seat['address']>);
    const answers = seats.map((seat) => seat.expect(['outcome', 'failed'], { generation }));
    for (const [rank, seat] of seats.entries()) {
      const run = { kind: 'run', generation, rank, size: seats.length, job: order, count: known.count, addresses } as const;
      seat.send({ ...run, exchange: this.#exchange });
      if (isAborted()) seat.send({ kind: 'abort' });
    }
    let outcome: TrainingOutcome | undefined;
    const watching = new AbortController();
    const changed = roster?.watch(watching.signal).then((isOther) => {
      if (isOther) throw new Regroup();
    });
    // Who is not waited for any more must not end the process.
    changed?.catch(() => undefined);
    try {
      const all = Promise.all(
        answers.map(async (answer, rank) => {
          const report = await answer;
          if (report.kind === 'failed') throw errorOf(report, rank);
          outcome ??= report.outcome;
        }),
      );
      all.catch(() => undefined);
      await (changed === undefined ? all : Promise.race([all, changed]));
    } catch (error) {
      for (const answer of answers) answer.catch(() => undefined);
      if (outcome === undefined) {
        await this.#recover(seats, generation, error);
        return undefined;
      }
    } finally {
      watching.abort();
    }
    assert(outcome !== undefined, 'no rank brought an outcome');
    return outcome;
  }

  get #exchange(): Exchange {
    const { communicate = 'peer-to-peer', reducers = 1, backup = 0, timeoutMs = TIMEOUT_MS, link, compress } = this.#options;
    return { communicate, reducers, backup, link, compress, timeoutMs, meetMs: START_MS };
  }

  /** Ends a generation on those that are left, and takes over the newest state. @throws an error that is no loss */
  async #recover(seats: readonly Seat[], generation: number, error: unknown): Promise<void> {
    await collectNewest(seats, this.#state, generation, this.#options.timeoutMs ?? TIMEOUT_MS);
    const isLink = isLinkError(error);
    if (!(error instanceof Lost) && !(error instanceof Regroup) && !isLink) throw error;
    const lost = seats.filter((seat) => !seat.isAlive);
    // Where workers come and go, they are noted when the next group is made.
    if (this.#losses.least === undefined)
      for (const seat of lost) {
        if (seat.loss !== undefined) this.#losses.record(seat.loss);
      }
    // All are alive, so a connection between two of them failed.
    if (lost.length === 0 && isLink) {
      const { rank } = seats[error.place.rank ?? 0] ?? (seats[0] as Seat);
      this.#losses.record(new Lost(rank, error.message, 'map'), 'link');
    }
  }
}

/** A generation ends, and nobody was lost: others are to take part in the next. */
class Regroup extends Error {}
