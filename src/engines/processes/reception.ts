import type { Address } from '../../communicate/streams/address.ts';
import type { StreamChannel } from '../../communicate/streams/channel.ts';
import type { Hello, Welcome } from '../../communicate/streams/greeting.ts';
import { refused } from '../../communicate/streams/greeting.ts';
import { type Listener, listen } from '../../communicate/streams/listen.ts';
import { NUMERICS_VERSION } from '../../partition/version.ts';
import { GROUP } from '../worker/orders.ts';
import { CellServer } from './cells.ts';
import type { Launcher, Premises } from './launcher.ts';
import type { RunState } from './run-state.ts';
import type { Seat } from './seat.ts';

/** Where workers come in: the coordinator's port, who is let in, who has come, and who has shown no sign of life for too long. */

const SILENCE_MS = 10_000;
/** Signs of life within the silence that ends a worker. */
const PULSES = 8;
const MAX_PULSE_MS = 500;

/** The open port of a session: every connection is brought to the seat it belongs to. */
export class Reception {
  readonly #seats: readonly Seat[];
  readonly #state: RunState;
  readonly #silenceMs: number;
  readonly #arrivals = new Map<number, () => void>();
  #premises: Premises | undefined;
  #listener: Listener | undefined;
  #watch: NodeJS.Timeout | undefined;
  #closed = false;
  /** Who hands rows to workers that cannot read them. */
  #cells: CellServer | undefined;

  /** `silenceMs`: a worker that shows no sign of life for so long is lost; default 10,000. */
  constructor(seats: readonly Seat[], state: RunState, silenceMs = SILENCE_MS) {
    this.#seats = seats;
    this.#state = state;
    this.#silenceMs = silenceMs;
  }

  /** Begins to listen, unless it does already. @param least workers, where they may come and go */
  async open(launcher: Launcher, least = this.#seats.length): Promise<void> {
    if (this.#premises !== undefined) return;
    this.#premises = await launcher.open();
    const { control, key, guests } = this.#premises;
    this.#listener = await listen({
      address: control,
      key,
      numericsVersion: NUMERICS_VERSION,
      admit: (hello) => this.#admit(hello),
      onChannel: (channel, hello) => this.#arrive(channel, hello),
      onRefused: (error) => (guests === undefined ? this.#state.note(error.message) : guests.refused(error)),
    });
    guests?.opened(this.#listener.address, [least, this.#seats.length], (text) => this.#state.note(text));
    const every = this.pulseMs;
    let checkedAt = performance.now();
    this.#watch = setInterval(() => {
      const now = performance.now();
      // When this process itself was held up, what the others said has not been read yet.
      const late = now - checkedAt > 4 * every;
      checkedAt = now;
      const silence = this.#silenceMs;
      if (!late) for (const seat of this.#seats) if (seat.silentMs(now) > silence) seat.lose(`showed no sign of life for ${silence} ms`);
    }, every);
  }

  /** Frees the port, ends all workers, and leaves the premises. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#watch);
    this.#listener?.close();
    this.#cells?.close();
    await Promise.all(this.#seats.map((seat) => seat.close()));
    await this.#premises?.close();
    this.#premises = undefined;
  }

  /** Only while it is open. */
  get premises(): Premises {
    return this.#premises as Premises;
  }

  /** Where it listens, once it is open. */
  get address(): Address {
    return (this.#listener as Listener).address;
  }

  /** How often a worker shows that it is alive. */
  get pulseMs(): number {
    return Math.min(MAX_PULSE_MS, Math.ceil(this.#silenceMs / PULSES));
  }

  /** Resolves when the next worker for a rank has come. */
  arrival(rank: number): Promise<void> {
    return new Promise<void>((resolve) => {
      this.#arrivals.set(rank, resolve);
    });
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
    return { rank: this.#seats.length, you: seat.rank, size: this.#seats.length + 1, generation: seat.attempt };
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
    const { source } = this.#state;
    if (source === undefined) return void channel.close();
    if (this.#cells?.source !== source) {
      this.#cells?.close();
      this.#cells = new CellServer(source);
      this.#state.note(`workers that do not see ${source.folder} get their rows from this process`);
    }
    void this.#cells.serve(channel);
  }
}
