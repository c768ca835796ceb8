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
    const results = await Promise.allSettled(
      this.#seats.map(async (seat) => {
        for (;;) {
          try {
            if (!seat.isAlive) await this.start(seat, (invitation, key) => this.#launch(invitation, key));
            await this.load(seat, job, seat.rank);
            // A worker that is lost after it has loaded shows when it is asked to run.
            return;
          } catch (error) {
            if (!(error instanceof Lost)) throw error;
            this.#losses.record(error);
          }
        }
      }),
    );
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  /** Its part of the data for a worker that does not have it already. @throws Lost; why it cannot read them */
  async load(seat: Seat, job: TrainingJob, rank: number): Promise<void> {
    const order = { kind: 'load', data: job.source as NonNullable<TrainingJob['source']>, partition: job.partition, rank } as const;
    const key = JSON.stringify(order);
    if (seat.loaded === key) return;
    // What it had before is dropped first.
    seat.loaded = undefined;
    const answer = seat.expect(['loaded', 'failed']);
    seat.send(order);
    const report = await answer;
    if (report.kind === 'failed') throw errorOf(report, rank);
    seat.loaded = key;
  }

  /** For the next worker of a place. */
  #invitation(seat: Seat): Invitation {
    const { folders, addressOf, isRemote = false } = this.#reception.premises;
    seat.attempt += 1;
    const { rank, attempt } = seat;
    return {
      control: this.#reception.address,
      rank,
      attempt,
      own: addressOf(rank, attempt),
      pulseMs: this.#reception.pulseMs,
      ...(isRemote ? {} : { parent: { pid: process.pid, remove: [...folders, ...this.#remove] } }),
    };
  }

  /** A worker is launched, and takes its place; resolves when it is there. @throws Lost; what `launch` does */
  async start(seat: Seat, launch: (invitation: Invitation, key: Key | undefined) => Launched | Promise<Launched>): Promise<void> {
    const invitation = this.#invitation(seat);
    // It may come before the launcher's word that it does.
    const came = this.#reception.arrival(seat.rank);
    seat.begin();
    try {
      seat.attach(await launch(invitation, this.#reception.premises.key));
    } catch (error) {
      seat.lose('was not started');
      throw error;
    }
    const ready = seat.expect(['ready'], { timeoutMs: START_MS });
    void came.then(() => seat.send({ kind: 'welcome', faults: seat.faults, slow: seat.slow }));
    seat.address = (await ready).address;
    seat.onChange?.();
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
