import type { StreamChannel } from '../../communicate/streams/channel.ts';
import type { Hello, Welcome } from '../../communicate/streams/greeting.ts';
import { refused } from '../../communicate/streams/greeting.ts';
import type { Key } from '../../communicate/streams/key.ts';
import { type Listener, listen } from '../../communicate/streams/listen.ts';
import type { ArrayTask, ArrayTaskResult } from '../../data/array-tasks.ts';
import { assert, ParagradError } from '../../errors.ts';
import { NUMERICS_VERSION } from '../../partition/version.ts';
import type { Checkpoint, DataSource, Restart, StepRecord, TrainingJob, TrainingOutcome } from '../../strategies/job.ts';
import { strategyOf } from '../../strategies/registry.ts';
import type { Strategy } from '../../strategies/strategy.ts';
import type { EngineHooks, EngineOptions, Session } from '../engine.ts';
import { GuardedHooks } from '../hooks.ts';
import { inline } from '../inline.ts';
import { type Exchange, type Fault, GROUP, type Invitation, type JobOrder, PHASES, type Report } from '../worker/orders.ts';
import { ALGORITHMS } from './algorithms.ts';
import { CellServer } from './cells.ts';
import type { Launched, Launcher, Premises } from './launcher.ts';
import { Lost, Seat } from './seat.ts';

const MAX_RESTARTS = 3;
const SILENCE_MS = 10_000;
const TIMEOUT_MS = 120_000;
/** How long a worker may take to come, and the ranks to meet. */
const START_MS = 60_000;
/** Signs of life within the silence that ends a worker. */
const PULSES = 8;
const MAX_PULSE_MS = 500;

/** Errors of the exchange: what is wrong is a link or a peer, and the step can be done again. */
const LINK_CODES: ReadonlySet<string> = new Set([
  'PARAGRAD_PEER_LOST',
  'PARAGRAD_TIMEOUT',
  'PARAGRAD_CONNECT',
  'PARAGRAD_CHANNEL',
  'PARAGRAD_CLOSED',
  'PARAGRAD_FRAME',
  'PARAGRAD_GENERATION',
  'PARAGRAD_HELLO',
  'PARAGRAD_KEY',
]);

/** The newest state that is known of a run. */
interface Known {
  readonly checkpoint: Checkpoint | undefined;
  readonly count: number;
}

/** A process per rank. Ranks speak to each other; the coordinator listens, replaces those that are lost, and never sees a sum. */
export class ProcessSession implements Session {
  readonly workers: number;
  readonly #options: EngineOptions;
  readonly #launcher: Launcher;
  readonly #seats: readonly Seat[];
  readonly #arrivals = new Map<number, () => void>();
  readonly #restarts: Restart[] = [];
  #premises: Premises | undefined;
  #listener: Listener | undefined;
  #watch: NodeJS.Timeout | undefined;
  #generation = -1;
  #hooks: GuardedHooks | undefined;
  #known: Known = { checkpoint: undefined, count: 0 };
  #merge: Strategy['merge'];
  #told = -1;
  #closed = false;
  /** What workers read, and who hands it to those that cannot. */
  #source: DataSource | undefined;
  #cells: CellServer | undefined;
  #signal: AbortSignal | undefined;

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
      const seat = new Seat(rank, faults, (report) => this.#hear(report));
      for (const fault of own) if (fault.kind === 'slow') seat.slow = fault.times;
      return seat;
    });
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
    this.#hooks = guarded;
    this.#source = job.source;
    this.#signal = hooks.signal;
    this.#known = { checkpoint: job.resume, count: 0 };
    this.#told = job.resume?.steps.at(-1)?.iteration ?? -1;
    this.#restarts.length = 0;
    this.#merge = strategyOf(job).merge;
    hooks.signal?.addEventListener('abort', abort, { once: true });
    if (this.#options.compress !== undefined)
      guarded.onNote('gradients are compressed: the result has not the same bits as without, nor for another number of workers');
    try {
      await this.#open();
      for (;;) {
        await this.#staff(job);
        const outcome = await this.#attempt(job, () => thrown || hooks.signal?.aborted === true);
        guarded.rethrow();
        if (outcome === undefined) continue;
        for (const seat of this.#seats)
          for (const { kind, step, phase } of seat.faults)
            guarded.onNote(`--${kind} ${seat.rank}@${step}: the worker never came to phase ${phase} of that step`);
        guarded.rethrow();
        return { ...outcome, ...(this.#restarts.length === 0 ? {} : { restarts: [...this.#restarts] }) };
      }
    } finally {
      hooks.signal?.removeEventListener('abort', abort);
      this.#hooks = undefined;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#watch);
    this.#listener?.close();
    this.#cells?.close();
    await Promise.all(this.#seats.map((seat) => seat.close()));
    await this.#premises?.close();
    this.#premises = undefined;
  }

  /** Begins to listen. */
  async #open(): Promise<void> {
    if (this.#premises !== undefined) return;
    this.#premises = await this.#launcher.open();
    const { control, key, guests } = this.#premises;
    this.#listener = await listen({
      address: control,
      key,
      numericsVersion: NUMERICS_VERSION,
      admit: (hello) => this.#admit(hello),
      onChannel: (channel, hello) => this.#arrive(channel, hello),
      onRefused: (error) => (guests === undefined ? this.#hooks?.onNote(error.message) : guests.refused(error)),
    });
    guests?.opened(this.#listener.address, this.workers, (text) => this.#hooks?.onNote(text));
    const every = this.#pulseMs;
    let checkedAt = performance.now();
    this.#watch = setInterval(() => {
      const now = performance.now();
      // When this process itself was held up, what the others said has not been read yet.
      const late = now - checkedAt > 4 * every;
      checkedAt = now;
      const silence = this.#options.silenceMs ?? SILENCE_MS;
      if (!late) for (const seat of this.#seats) if (seat.silentMs(now) > silence) seat.lose(`showed no sign of life for ${silence} ms`);
    }, every);
  }

  get #pulseMs(): number {
    return Math.min(MAX_PULSE_MS, Math.ceil((this.#options.silenceMs ?? SILENCE_MS) / PULSES));
  }

  #admit(hello: Hello): Omit<Welcome, 'numericsVersion'> {
    const { group, rank: asked, generation } = hello;
    const guests = this.#premises?.guests;
    if (guests?.wants(hello)) return guests.admit(hello);
    const wanted = (seat: Seat): boolean => seat.isAlive && !seat.isConnected;
    const seat = asked === undefined ? this.#seats.find(wanted) : this.#seats[asked];
    const isKnown = group === GROUP.control || group === GROUP.pulse || group === GROUP.cells;
    if (seat === undefined || !isKnown || !seat.isAlive) throw refused(`group ${group}: there is no place for rank ${asked}`, asked);
    if (asked !== undefined && generation !== seat.attempt)
      throw refused(`rank ${asked} came as start ${generation}, and start ${seat.attempt} is waited for`, asked);
    if (seat.isConnected !== (group !== GROUP.control)) throw refused(`group ${group}: rank ${seat.rank} is already there`, seat.rank);
    return { rank: this.workers, you: seat.rank, size: this.workers + 1, generation: seat.attempt };
  }

  #arrive(channel: StreamChannel, hello: Hello): void {
    const guests = this.#premises?.guests;
    if (guests?.wants(hello)) {
      guests.arrive(channel, hello);
      return;
    }
    const seat = this.#seats[channel.peer] as Seat;
    const isLate = !seat.isAlive || (hello.rank !== undefined && hello.generation !== seat.attempt);
    if (this.#closed || isLate || seat.isConnected !== (hello.group !== GROUP.control)) void channel.close();
    else if (hello.group === GROUP.pulse) seat.connectPulse(channel);
    else if (hello.group === GROUP.cells) this.#serveCells(channel);
    else {
      seat.connect(channel);
      this.#arrivals.get(seat.rank)?.();
    }
  }

  /** A worker does not see the folder of the dataset. */
  #serveCells(channel: StreamChannel): void {
    const source = this.#source;
    if (source === undefined) return void channel.close();
    if (this.#cells?.source !== source) {
      this.#cells?.close();
      this.#cells = new CellServer(source);
      this.#hooks?.onNote(`workers that do not see ${source.folder} get their rows from this process`);
    }
    void this.#cells.serve(channel);
  }

  #hear(report: Report): void {
    if (report.kind === 'steps') this.#tell(report.steps);
    else if (report.kind === 'keep') this.#keep(report);
    else if (report.kind === 'checkpoint') {
      if (report.count >= this.#known.count) this.#known = report;
      this.#hooks?.onCheckpoint(report.checkpoint);
    }
  }

  /** Parts of a state come from several ranks: the strategy puts them together. */
  #keep({ checkpoint, count }: Known & { readonly checkpoint: Checkpoint }): void {
    const whole = this.#merge?.(this.#known.checkpoint, checkpoint) ?? checkpoint;
    this.#known = { checkpoint: whole, count: Math.max(count, this.#known.count) };
  }

  /** Every update once: those that are done again have the bits that they had. */
  #tell(steps: readonly StepRecord[]): void {
    const fresh = steps.filter(({ iteration }) => iteration > this.#told);
    if (fresh.length === 0) return;
    this.#told = (fresh.at(-1) as StepRecord).iteration;
    this.#hooks?.onSteps(fresh);
  }

  /** A worker with its data in every place. @throws PARAGRAD_WORKER_LOST after too many starts; why a worker cannot read its data */
  async #staff(job: TrainingJob): Promise<void> {
    const order = { kind: 'load', data: job.source as NonNullable<TrainingJob['source']>, partition: job.partition } as const;
    const key = JSON.stringify(order);
    const results = await Promise.allSettled(
      this.#seats.map(async (seat) => {
        while (seat.loaded !== key) {
          try {
            if (!seat.isAlive) await this.#start(seat);
            // What it had before is dropped first.
            seat.loaded = undefined;
            const answer = seat.expect(['loaded', 'failed']);
            seat.send(order);
            const report = await answer;
            if (report.kind === 'failed') throw errorOf(report, seat.rank);
            seat.loaded = key;
          } catch (error) {
            if (!(error instanceof Lost)) throw error;
            this.#record(error);
          }
        }
        // A worker that was lost after it had loaded shows when it is asked to run.
      }),
    );
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  /** Starts a worker for a place, and waits until it is there. @throws Lost */
  async #start(seat: Seat): Promise<void> {
    const { key, folders, addressOf, isRemote = false } = this.#premises as Premises;
    seat.attempt += 1;
    const { rank, attempt } = seat;
    const invitation = {
      control: (this.#listener as Listener).address,
      rank,
      attempt,
      own: addressOf(rank, attempt),
      pulseMs: this.#pulseMs,
      ...(isRemote ? {} : { parent: { pid: process.pid, remove: [...folders, ...(this.#options.remove ?? [])] } }),
    };
    const came = new Promise<void>((resolve) => {
      this.#arrivals.set(rank, resolve);
    });
    seat.begin(await this.#launch(invitation, key));
    const ready = seat.expect(['ready'], { timeoutMs: START_MS });
    void came.then(() => seat.send({ kind: 'welcome', faults: seat.faults, slow: seat.slow }));
    seat.address = (await ready).address;
  }

  /** @throws what the launcher does: nobody can take the place. What was learned until then is handed out before. */
  async #launch(invitation: Invitation, key: Key | undefined): Promise<Launched> {
    try {
      return await this.#launcher.start(invitation, key, this.#signal);
    } catch (error) {
      if (this.#generation < 0) throw error;
      if (this.#known.checkpoint !== undefined) this.#hooks?.onCheckpoint(this.#known.checkpoint);
      const why = error instanceof Error ? error.message : String(error);
      throw new ParagradError(
        'PARAGRAD_WORKER_LOST',
        `worker ${invitation.rank} was not replaced: ${why}: --resume goes on, where the run has a folder`,
        {
          place: invitation.rank === undefined ? {} : { rank: invitation.rank },
          cause: error,
        },
      );
    }
  }

  /** One generation. Undefined: it was ended by a loss, and what the survivors know has been collected. */
  async #attempt(job: TrainingJob, isAborted: () => boolean): Promise<TrainingOutcome | undefined> {
    this.#generation += 1;
    const generation = this.#generation;
    const { store: _store, source: _source, ...rest } = job;
    const order: JobOrder = { ...rest, resume: this.#known.checkpoint };
    const addresses = this.#seats.map((seat) => seat.address as NonNullable<Seat['address']>);
    const answers = this.#seats.map((seat) => seat.expect(['outcome', 'failed'], { generation }));
    for (const seat of this.#seats) {
      const run = { kind: 'run', generation, size: this.workers, job: order, count: this.#known.count, addresses } as const;
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
    const timeoutMs = this.#options.timeoutMs ?? TIMEOUT_MS;
    const stopped = await Promise.all(
      this.#seats.map(async (seat) => {
        if (!seat.isAlive) return undefined;
        const answer = seat.expect(['stopped'], { generation, timeoutMs });
        seat.send({ kind: 'stop', generation });
        return answer.then(
          ({ count }) => ({ seat, count }),
          () => undefined,
        );
      }),
    );
    const survivors = stopped.filter((each) => each !== undefined).sort((a, b) => b.count - a.count);
    for (const { seat, count } of survivors) {
      if (count <= this.#known.count) break;
      const answer = seat.expect(['state'], { timeoutMs });
      seat.send({ kind: 'state' });
      const report = await answer.catch(() => undefined);
      if (report?.checkpoint === undefined) continue;
      this.#known = { checkpoint: report.checkpoint, count: report.count };
      this.#tell(report.checkpoint.steps);
      break;
    }
    for (const seat of this.#seats) seat.forget();
    const isLink = error instanceof ParagradError && LINK_CODES.has(error.code);
    if (!(error instanceof Lost) && !isLink) throw error;
    const lost = this.#seats.filter((seat) => !seat.isAlive);
    for (const seat of lost) {
      if (seat.loss !== undefined) this.#record(seat.loss);
    }
    // All are alive, so a connection between two of them failed.
    if (lost.length === 0 && isLink) this.#record(new Lost(error.place.rank ?? 0, error.message, 'map'), false);
  }

  /** Notes a loss. @throws PARAGRAD_WORKER_LOST when there were too many */
  #record(lost: Lost, isReplaced = true): void {
    const seat = this.#seats[lost.rank] as Seat;
    const limit = this.#options.maxRestarts ?? MAX_RESTARTS;
    seat.loaded = isReplaced ? undefined : seat.loaded;
    seat.restarts += 1;
    this.#restarts.push({ rank: lost.rank, generation: Math.max(0, this.#generation), why: lost.message, phase: lost.phase });
    const what = `worker ${lost.rank} ${lost.message}`;
    if (seat.restarts <= limit) {
      this.#hooks?.onNote(`${what}: ${isReplaced ? 'it is replaced, and ' : ''}the last step is done again`);
      return;
    }
    if (this.#known.checkpoint !== undefined) this.#hooks?.onCheckpoint(this.#known.checkpoint);
    const often = limit === 0 ? '' : ` (it was replaced ${limit === 1 ? 'once' : `${limit} times`} before)`;
    throw new ParagradError(
      'PARAGRAD_WORKER_LOST',
      `${what}${often}: what was learned can be gone on with by --resume, where the run has a folder`,
      {
        place: { rank: lost.rank },
        cause: lost,
      },
    );
  }
}

function errorOf({ error }: Extract<Report, { kind: 'failed' }>, rank: number): ParagradError {
  return ParagradError.from({ ...error, place: { rank, ...error.place } });
}
