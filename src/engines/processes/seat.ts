import type { Message } from '../../communicate/channel.ts';
import type { Address } from '../../communicate/streams/address.ts';
import type { StreamChannel } from '../../communicate/streams/channel.ts';
import { ParagradError } from '../../errors.ts';
import { type Fault, type Order, PHASES, type Phase, PULSE, type Report } from '../worker/orders.ts';
import { decodePlain, encodePlain } from '../worker/plain.ts';
import type { Launched } from './launcher.ts';

/** Longest wait of a timer. */
const FOREVER_MS = 2 ** 31 - 1;
/** How long a worker whose connection ended may take to be gone, which explains more. */
const EXPLAIN_MS = 500;

/** A worker is gone, or is taken for it. */
export class Lost extends Error {
  readonly rank: number;
  readonly phase: Phase;

  constructor(rank: number, why: string, phase: Phase) {
    super(why);
    this.rank = rank;
    this.phase = phase;
  }
}

type Of<K extends Report['kind']> = Extract<Report, { kind: K }>;

interface Waiting {
  readonly wants: (report: Report) => boolean;
  readonly resolve: (report: Report) => void;
  readonly reject: (error: unknown) => void;
}

/** A place for a worker, by number: the worker that sits there now, how it is spoken to, and whether it is alive. */
export class Seat {
  /** Of the place: in a group of all places its rank, too. */
  readonly rank: number;
  /** Starts of workers for this place. */
  attempt = -1;
  /** Losses that count against the limit. */
  restarts = 0;
  address: Address | undefined;
  /** Data that its worker has. */
  loaded: string | undefined;
  /** That its next worker will do. */
  faults: Fault[];
  slow = 1;
  /** Its workers were lost so often that it is not filled any more, in a run that can do without it. */
  isRetired = false;
  /** Called when its worker is ready, lost, or to leave. */
  onChange: (() => void) | undefined;
  #leaving: string | undefined;
  #launched: Launched | undefined;
  #control: StreamChannel | undefined;
  #pulse: StreamChannel | undefined;
  #lost: Lost | undefined = new Lost(-1, 'was not started', 'idle');
  #waiting: Waiting[] = [];
  #heardAt = 0;
  #phase: Phase = 'idle';
  readonly #onReport: (report: Report) => void;

  constructor(rank: number, faults: readonly Fault[], onReport: (report: Report) => void) {
    this.rank = rank;
    this.faults = [...faults];
    this.#onReport = onReport;
  }

  get isAlive(): boolean {
    return this.#lost === undefined;
  }

  /** Its worker was started, and is not there yet. */
  get isComing(): boolean {
    return this.isAlive && this.#launched !== undefined && this.address === undefined;
  }

  /** Its worker can be given orders. */
  get isReady(): boolean {
    return this.isAlive && this.address !== undefined;
  }

  /** Its worker is wanted back by whoever lent it: why, in words. */
  get leaving(): string | undefined {
    return this.#leaving;
  }

  get isConnected(): boolean {
    return this.#control !== undefined;
  }

  get pid(): number | undefined {
    return this.#launched?.pid;
  }

  /** Milliseconds since its last sign of life, by the clock of the coordinator. */
  silentMs(now: number): number {
    return this.#pulse === undefined ? 0 : now - this.#heardAt;
  }

  /** A new worker is invited to take the place. */
  begin(): void {
    this.#lost = undefined;
    this.#control = undefined;
    this.#pulse = undefined;
    this.#phase = 'idle';
    this.address = undefined;
    this.loaded = undefined;
    this.#leaving = undefined;
    this.#launched = undefined;
  }

  /** It is on its way. */
  attach(launched: Launched): void {
    const { attempt } = this;
    this.#launched = launched;
    // Nobody waits for it any more.
    if (this.#lost !== undefined) launched.kill();
    void launched.gone.then((how) => this.lose(how, attempt));
    void launched.leaving?.then((why) => {
      if (attempt !== this.attempt || this.#lost !== undefined) return;
      this.#leaving = why;
      this.onChange?.();
    });
  }

  /** Its worker has come. */
  connect(channel: StreamChannel): void {
    this.#control = channel;
    void this.#hear(channel, this.attempt);
  }

  connectPulse(channel: StreamChannel): void {
    this.#pulse = channel;
    this.#heardAt = performance.now();
    void this.#feel(channel, this.attempt);
  }

  async #hear(channel: StreamChannel, attempt: number): Promise<void> {
    try {
      for (;;) this.#take(decodePlain<Report>(await channel.receive(FOREVER_MS)));
    } catch (error) {
      await this.#explained(error, attempt);
    }
  }

  #take(report: Report): void {
    this.#onReport(report);
    const index = this.#waiting.findIndex(({ wants }) => wants(report));
    if (index >= 0) this.#waiting.splice(index, 1)[0]?.resolve(report);
  }

  async #feel(channel: StreamChannel, attempt: number): Promise<void> {
    try {
      for (;;) {
        const message = await channel.receive(FOREVER_MS);
        if (attempt !== this.attempt) return;
        this.#heardAt = performance.now();
        this.#phase = phaseOf(message);
        if (message.kind !== PULSE.fault) continue;
        // What was done is not done again by who comes next.
        const done = this.faults.findIndex(({ phase }) => phase === this.#phase);
        if (done >= 0) this.faults.splice(done, 1);
        await channel.send({ kind: PULSE.go, generation: 0, step: 0 }, []);
      }
    } catch (error) {
      await this.#explained(error, attempt);
    }
  }

  /** A connection ended, most often because the process did: that says more. */
  async #explained(error: unknown, attempt: number): Promise<void> {
    if (attempt !== this.attempt || this.#lost !== undefined) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, EXPLAIN_MS);
      void this.#launched?.gone.then(() => {
        clearTimeout(timer);
        resolve();
      });
    });
    this.lose(`lost its connection (${error instanceof Error ? error.message : String(error)})`, attempt);
  }

  /** Takes the worker for lost, and makes sure that it is. */
  lose(why: string, attempt = this.attempt): void {
    if (attempt !== this.attempt || this.#lost !== undefined) return;
    this.#lost = new Lost(this.rank, why, this.#phase);
    this.#launched?.kill();
    void this.#control?.close();
    void this.#pulse?.close();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { reject } of waiting) reject(this.#lost);
    this.onChange?.();
  }

  /** What happened to it. */
  get loss(): Lost | undefined {
    return this.#lost;
  }

  send(order: Order): void {
    // A worker that cannot be reached is lost, and whoever waits for it is told so.
    this.#control?.send({ kind: 0, generation: 0, step: 0 }, encodePlain(order)).catch(() => undefined);
  }

  /**
   * The next report of these kinds (of this generation, where one is given).
   *
   * @throws Lost, also when it takes longer than `timeoutMs`
   */
  expect<K extends Report['kind']>(kinds: readonly K[], options: { generation?: number; timeoutMs?: number } = {}): Promise<Of<K>> {
    const { generation, timeoutMs = FOREVER_MS } = options;
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.lose(`did not answer within ${timeoutMs} ms`), timeoutMs);
      const settled = (run: () => void): void => {
        clearTimeout(timer);
        run();
      };
      this.#waiting.push({
        wants: (report) =>
          (kinds as readonly string[]).includes(report.kind) &&
          (generation === undefined || !('generation' in report) || report.generation === generation),
        resolve: (report) => settled(() => resolve(report as Of<K>)),
        reject: (error) => settled(() => reject(error)),
      });
    });
  }

  /** Waits no more. */
  forget(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { reject } of waiting) reject(new ParagradError('PARAGRAD_CLOSED', `rank ${this.rank} is not waited for any more`));
  }

  /** Ends the worker; resolves when it is gone. */
  async close(): Promise<void> {
    const launched = this.#launched;
    this.send({ kind: 'end' });
    this.lose('was ended');
    if (launched?.pid !== undefined) await launched.gone;
  }
}

function phaseOf({ body }: Message): Phase {
  const [index = 0] = body.length < 8 ? [] : new Float64Array(body.slice().buffer);
  return PHASES[index] ?? 'idle';
}
