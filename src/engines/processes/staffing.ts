import type { Key } from '../../communicate/streams/key.ts';
import { ParagradError } from '../../errors.ts';
import type { TrainingJob } from '../../strategies/job.ts';
import type { Invitation } from '../worker/orders.ts';
import type { Launched, Launcher } from './launcher.ts';
import { errorOf, type Losses } from './losses.ts';
import type { Reception } from './reception.ts';
import type { RunState } from './run-state.ts';
import { Lost, type Seat } from './seat.ts';

/** How places are filled: a worker is started where none is, and reads its data. */

/** How long a worker may take to come, and the ranks to meet. */
export const START_MS = 60_000;

/** Fills the seats of a session, as often as they are empty. */
export class Staffing {
  readonly #seats: readonly Seat[];
  readonly #launcher: Launcher;
  readonly #reception: Reception;
  readonly #state: RunState;
  readonly #losses: Losses;
  readonly #remove: readonly string[];

  /** `remove`: folders that workers remove when the coordinator's process ended without doing it. */
  constructor(
    launcher: Launcher,
    { seats, reception, state, losses }: { seats: readonly Seat[]; reception: Reception; state: RunState; losses: Losses },
    remove: readonly string[] = [],
  ) {
    this.#seats = seats;
    this.#launcher = launcher;
    this.#reception = reception;
    this.#state = state;
    this.#losses = losses;
    this.#remove = remove;
  }

  /** A worker with its data in every place. @throws PARAGRAD_WORKER_LOST after too many starts; why a worker cannot read its data */
  async fill(job: TrainingJob): Promise<void> {
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
            this.#losses.record(error);
          }
        }
        // A worker that was lost after it had loaded shows when it is asked to run.
      }),
    );
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  /** Starts a worker for a place, and waits until it is there. @throws Lost */
  async #start(seat: Seat): Promise<void> {
    const { key, folders, addressOf, isRemote = false } = this.#reception.premises;
    seat.attempt += 1;
    const { rank, attempt } = seat;
    const invitation = {
      control: this.#reception.address,
      rank,
      attempt,
      own: addressOf(rank, attempt),
      pulseMs: this.#reception.pulseMs,
      ...(isRemote ? {} : { parent: { pid: process.pid, remove: [...folders, ...this.#remove] } }),
    };
    const came = this.#reception.arrival(rank);
    seat.begin(await this.#launch(invitation, key));
    const ready = seat.expect(['ready'], { timeoutMs: START_MS });
    void came.then(() => seat.send({ kind: 'welcome', faults: seat.faults, slow: seat.slow }));
    seat.address = (await ready).address;
  }

  /** @throws what the launcher does: nobody can take the place. What was learned until then is handed out before. */
  async #launch(invitation: Invitation, key: Key | undefined): Promise<Launched> {
    try {
      return await this.#launcher.start(invitation, key, this.#state.signal, 'needed');
    } catch (error) {
      if (this.#state.generation < 0) throw error;
      this.#state.handOut();
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
}
