import { ParagradError } from '../../errors.ts';
import type { Crew, TrainingJob } from '../../strategies/job.ts';
import { jobWith } from '../../strategies/regroup.ts';
import { Bell, FOREVER_MS } from './bell.ts';
import { CrewLog } from './crew-log.ts';
import { Grace } from './grace.ts';
import type { Launcher } from './launcher.ts';
import type { Losses } from './losses.ts';
import type { RunState } from './run-state.ts';
import { Lost, type Seat } from './seat.ts';
import type { Staffing } from './staffing.ts';

/** How long a run waits for more workers once it has as many as it needs to begin. */
const GRACE_MS = 2000;
/** How long it waits for as many as it needs. */
const WAIT_MS = 300_000;

/** Who works together in a generation, by rank, and the job with their split. */
export interface Group {
  readonly seats: readonly Seat[];
  readonly job: TrainingJob;
}

interface Waits {
  readonly graceMs?: number | undefined;
  readonly waitMs?: number | undefined;
}

interface Parts {
  readonly seats: readonly Seat[];
  readonly launcher: Launcher;
  readonly staffing: Staffing;
  readonly state: RunState;
  readonly losses: Losses;
}

/**
 * Who takes part in a run whose workers come and go. For every empty place a start is pending all the time; who has come loads its
 * data beside the run, and is taken in by the next generation, from the state that the last one had. The split is planned anew for
 * every number of workers, so that each generation is what a run of that size would be from there on.
 */
export class Roster {
  readonly #parts: Parts;
  readonly #job: TrainingJob;
  /** Ranks that have no data: the last of a group. */
  readonly #servers: number;
  readonly #least: number;
  readonly #graceMs: number;
  readonly #waitMs: number;
  readonly #ending = new AbortController();
  readonly #present = new Set<Seat>();
  /** Places that nobody can be started for, until the group changes. */
  readonly #refused = new Map<Seat, unknown>();
  readonly #starting = new Set<Seat>();
  readonly #log: CrewLog;
  #members: readonly Seat[] = [];
  /** Those of them whose workers are still the same. */
  readonly #working = new Set<Seat>();
  /** The load of newcomers beside the run. */
  #recruiting: Promise<unknown> = Promise.resolve();
  readonly #bell = new Bell();
  #failure: { readonly error: unknown } | undefined;

  /** `servers`: ranks of the job behind its workers. */
  constructor(parts: Parts, job: TrainingJob, servers: number, options: Waits) {
    this.#parts = parts;
    this.#job = job;
    this.#servers = servers;
    this.#least = (job.elastic?.min ?? job.partition.workers) + servers;
    this.#graceMs = options.graceMs ?? GRACE_MS;
    this.#waitMs = options.waitMs ?? WAIT_MS;
    this.#log = new CrewLog(parts.state, servers);
    parts.losses.least = this.#least;
    for (const seat of parts.seats) seat.onChange = () => this.#bell.ring();
    parts.state.signal?.addEventListener('abort', () => this.#bell.ring(), { signal: this.#ending.signal });
  }

  get crews(): readonly Crew[] {
    return this.#log.crews;
  }

  /** Nobody else is waited for. */
  end(): void {
    this.#ending.abort();
    for (const seat of this.#parts.seats) seat.onChange = undefined;
    this.#bell.ring();
  }

  /**
   * The next group, with its data loaded: all that are there.
   *
   * @throws PARAGRAD_CONNECT, PARAGRAD_WORKER_LOST when too few are there in time; the signal's reason; why a worker cannot load
   */
  async muster(): Promise<Group> {
    await this.#recruiting;
    this.#refused.clear();
    for (;;) {
      await this.#gather();
      const seats = this.#ordered([...this.#present]);
      const job = jobWith(this.#job, seats.length - this.#servers);
      const loads = await this.#load(seats, seats, job);
      for (const { error } of loads) throw error;
      if (seats.some((seat) => !seat.isReady)) continue;
      this.#members = seats;
      for (const seat of seats) this.#working.add(seat);
      this.#log.add(seats);
      return { seats, job };
    }
  }

  /** Waits until as many are there as there must be, and at the beginning a little for more. */
  async #gather(): Promise<void> {
    const { seats, state } = this.#parts;
    const began = performance.now();
    const grace = new Grace(this.#graceMs, this.#members.length === 0);
    this.#settle();
    this.#ask();
    // What a launcher can start at once has been started then.
    await new Promise((resolve) => setImmediate(resolve));
    for (;;) {
      this.#settle();
      this.#ask();
      if (state.signal?.aborted) {
        // Enough to end the run as it is ended while it works: with an outcome.
        if (this.#present.size >= this.#least) return;
        state.handOut();
        throw state.signal.reason;
      }
      const now = performance.now();
      const most = seats.filter(({ isRetired }) => !isRetired).length;
      if (this.#present.size >= most) return;
      let untilMs: number;
      if (this.#present.size >= this.#least) {
        untilMs = grace.leftMs(seats, now);
        if (untilMs <= 0) return;
      } else {
        untilMs = this.#waitMs - (now - began);
        const isHopeless = this.#starting.size === 0 && this.#refused.size > 0;
        const isComing = seats.some((seat) => seat.isComing);
        if (!isComing && (untilMs <= 0 || isHopeless)) throw this.#nobody();
      }
      await this.#bell.heard(Math.max(1, untilMs));
    }
  }

  /**
   * Watches while a generation runs. Resolves to true when there should be another one: somebody has come, and is ready to work, or
   * wants to leave; to false when it is told to end.
   */
  async watch(signal: AbortSignal): Promise<boolean> {
    const wake = (): void => this.#bell.ring();
    signal.addEventListener('abort', wake, { once: true });
    let loaded = new Set<Seat>();
    let loading = false;
    for (;;) {
      if (signal.aborted) return false;
      this.#settleNewcomers();
      this.#ask(this.#members);
      if (this.#members.some((seat) => seat.isAlive && seat.leaving !== undefined)) return true;
      const fresh = [...this.#present].filter((seat) => !this.#members.includes(seat));
      const isWanted = fresh.length > 0 && this.#parts.state.signal?.aborted !== true;
      if (isWanted && fresh.every((seat) => loaded.has(seat))) return true;
      if (isWanted && !loading) {
        loading = true;
        this.#recruiting = this.#recruit(fresh).then((fit) => {
          loading = false;
          loaded = fit;
          this.#bell.ring();
        });
      }
      await this.#bell.heard(FOREVER_MS);
    }
  }

  /** Newcomers load what will be theirs, beside the run. @returns those that did */
  async #recruit(fresh: readonly Seat[]): Promise<Set<Seat>> {
    const seats = this.#ordered([...this.#members, ...fresh]);
    const failed = await this.#load(fresh, seats, jobWith(this.#job, seats.length - this.#servers));
    for (const { seat, error } of failed) {
      this.#refuse(seat, error);
      this.#present.delete(seat);
      void seat.close();
    }
    return new Set(fresh.filter((seat) => seat.isReady));
  }

  /** @returns those that cannot, but for those that were lost meanwhile */
  async #load(some: readonly Seat[], seats: readonly Seat[], job: TrainingJob): Promise<{ seat: Seat; error: unknown }[]> {
    const failed: { seat: Seat; error: unknown }[] = [];
    const load = async (seat: Seat): Promise<void> => {
      try {
        await this.#parts.staffing.load(seat, job, seats.indexOf(seat));
      } catch (error) {
        if (!(error instanceof Lost)) failed.push({ seat, error });
      }
    };
    await Promise.all(some.map(load));
    return failed;
  }

  /** By rank: workers by the number of their place, then servers, who stay what they are. */
  #ordered(seats: readonly Seat[]): Seat[] {
    const before = this.#servers === 0 ? [] : this.#members.slice(-this.#servers);
    const byNumber = [...seats].sort((a, b) => a.rank - b.rank);
    const asked = byNumber.filter((seat) => before.includes(seat));
    const others = byNumber.filter((seat) => !before.includes(seat));
    const workers = seats.length - this.#servers;
    return [...others.slice(0, workers), ...others.slice(workers), ...asked];
  }

  /** A start for every place that has none, but for those of members, whose losses have not been noted yet. */
  #ask(members: readonly Seat[] = []): void {
    for (const seat of this.#parts.seats) {
      if (members.includes(seat)) continue;
      if (seat.isReady && !this.#present.has(seat)) {
        if (seat.leaving === undefined) this.#present.add(seat);
        // It is wanted back before it was taken in.
        else void seat.close();
      }
      if (seat.isAlive || seat.isRetired || this.#starting.has(seat) || this.#refused.has(seat)) continue;
      this.#starting.add(seat);
      void this.#start(seat);
    }
  }

  async #start(seat: Seat): Promise<void> {
    const { launcher, staffing } = this.#parts;
    const { signal } = this.#ending;
    try {
      await staffing.start(seat, (invitation, key) => launcher.start(invitation, key, signal, 'spare'));
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Lost) this.#record(error, false);
      else this.#refuse(seat, error);
    } finally {
      this.#starting.delete(seat);
      this.#bell.ring();
    }
  }

  /** Nobody is started there until the group changes. */
  #refuse(seat: Seat, error: unknown): void {
    this.#parts.state.note(`worker ${seat.rank} cannot take part: ${error instanceof Error ? error.message : String(error)}`);
    this.#refused.set(seat, error);
  }

  /** Between two generations: who is lost is not there any more, and who wants to leave is let go. @throws after too many losses */
  #settle(): void {
    for (const seat of [...this.#present]) {
      if (seat.leaving !== undefined && seat.isAlive) {
        this.#present.delete(seat);
        if (this.#working.delete(seat)) this.#log.left += 1;
        this.#parts.state.note(`worker ${seat.rank} ${seat.leaving}`);
        void seat.close();
      } else if (!seat.isAlive) {
        this.#present.delete(seat);
        if (seat.loss !== undefined) this.#record(seat.loss, this.#working.delete(seat));
      }
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** During a generation: the losses of its members are its own business. */
  #settleNewcomers(): void {
    for (const seat of [...this.#present]) {
      if (this.#members.includes(seat) || (seat.isAlive && seat.leaving === undefined)) continue;
      this.#present.delete(seat);
      if (seat.isAlive) void seat.close();
      else if (seat.loss !== undefined) this.#record(seat.loss, false);
    }
  }

  #record(lost: Lost, isMember: boolean): void {
    if (isMember) this.#log.lost += 1;
    try {
      this.#parts.losses.record(lost, isMember ? 'member' : 'apart');
    } catch (error) {
      this.#failure ??= { error };
    }
  }

  /** Too few are there, and it takes too long. What was learned until then is handed out before. */
  #nobody(): unknown {
    const { state, launcher } = this.#parts;
    const [refusal] = this.#refused.values();
    const missing = this.#least - this.#present.size;
    const seat = this.#parts.seats.find(({ isAlive, isRetired }) => !isAlive && !isRetired);
    const why = refusal ?? launcher.nobody?.(seat?.rank, this.#waitMs);
    if (state.generation < 0 && why !== undefined) return why;
    state.handOut();
    const message = why instanceof Error ? why.message : `no worker came within ${this.#waitMs / 1000} s`;
    return new ParagradError(
      'PARAGRAD_WORKER_LOST',
      `${missing === 1 ? 'one worker is' : `${missing} workers are`} missing: ${message}: --resume goes on, where the run has a folder`,
      { cause: why },
    );
  }
}
