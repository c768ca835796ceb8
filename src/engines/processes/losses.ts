import { ParagradError } from '../../errors.ts';
import type { Restart } from '../../strategies/job.ts';
import type { Report } from '../worker/orders.ts';
import type { RunState } from './run-state.ts';
import type { Lost, Seat } from './seat.ts';

/** Which errors are losses, after which a step is done again, and how many of them a run bears. */

const MAX_RESTARTS = 3;

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

/** Whether a link failed, which ends an attempt and not the run. */
export function isLinkError(error: unknown): error is ParagradError {
  return error instanceof ParagradError && LINK_CODES.has(error.code);
}

/** The error that a worker reported, with its rank. */
export function errorOf({ error }: Extract<Report, { kind: 'failed' }>, rank: number): ParagradError {
  return ParagradError.from({ ...error, place: { rank, ...error.place } });
}

/** Counts the losses of a run, by seat. */
export class Losses {
  readonly #seats: readonly Seat[];
  readonly #state: RunState;
  readonly #limit: number;
  readonly #restarts: Restart[] = [];
  /** One loss may be met in several ways. */
  #recorded = new WeakSet<Lost>();
  /** With fewer places a run whose workers come and go cannot do; undefined: it cannot do without any. */
  least: number | undefined;

  /** `maxRestarts` of one worker; default 3. */
  constructor(seats: readonly Seat[], state: RunState, maxRestarts = MAX_RESTARTS) {
    this.#seats = seats;
    this.#state = state;
    this.#limit = maxRestarts;
  }

  /** A new run begins. */
  clear(): void {
    this.#restarts.length = 0;
    this.#recorded = new WeakSet();
    this.least = undefined;
  }

  /** For the outcome of the run; empty when nothing was lost. */
  get outcome(): { readonly restarts?: readonly Restart[] } {
    return this.#restarts.length === 0 ? {} : { restarts: [...this.#restarts] };
  }

  /**
   * Notes a loss, once: of a `member` of the group that works; of one `apart`, which did not yet; or of a `link` between two that
   * are alive.
   *
   * @throws PARAGRAD_WORKER_LOST when there were too many
   */
  record(lost: Lost, of: 'member' | 'apart' | 'link' = 'member'): void {
    if (this.#recorded.has(lost)) return;
    this.#recorded.add(lost);
    const seat = this.#seats[lost.rank] as Seat;
    seat.loaded = of === 'link' ? seat.loaded : undefined;
    seat.restarts += 1;
    this.#restarts.push({ rank: lost.rank, generation: Math.max(0, this.#state.generation), why: lost.message, phase: lost.phase });
    const what = `worker ${lost.rank} ${lost.message}`;
    const isElastic = this.least !== undefined;
    if (seat.restarts <= this.#limit) {
      const replaced = isElastic ? '' : 'it is replaced, and ';
      this.#state.note(
        of === 'apart' ? `${what}, before it took part` : `${what}: ${of === 'link' ? '' : replaced}the last step is done again`,
      );
      return;
    }
    if (this.#canSpare(seat)) {
      seat.isRetired = true;
      this.#state.note(`${what}${this.#often}: the run goes on without it`);
      return;
    }
    this.#state.handOut();
    throw new ParagradError(
      'PARAGRAD_WORKER_LOST',
      `${what}${this.#often}: what was learned can be gone on with by --resume, where the run has a folder`,
      {
        place: { rank: lost.rank },
        cause: lost,
      },
    );
  }

  /** The run can do without this place. */
  #canSpare(seat: Seat): boolean {
    if (this.least === undefined) return false;
    return this.#seats.filter((each) => each !== seat && !each.isRetired).length >= this.least;
  }

  get #often(): string {
    const limit = this.#limit;
    return limit === 0 ? '' : ` (it was replaced ${limit === 1 ? 'once' : `${limit} times`} before)`;
  }
}
