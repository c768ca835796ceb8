import type { Channel } from '../../communicate/channel.ts';
import { CONTROL, type ControlWord } from '../../communicate/collective.ts';
import { timedOut } from '../../communicate/failures.ts';
import { type Inbox, inboxOf } from '../../communicate/inbox.ts';
import type { CostMeter } from '../../monitor/costs.ts';
import { snapshotDue } from '../batch-finish.ts';
import type { RankHost } from '../strategy.ts';
import { KIND, pushOf, type Told, tellReply, told } from './messages.ts';
import type { Replay } from './replay.ts';
import type { ParameterServer } from './server.ts';

/** Weights of a server's segment at a moment. */
export interface SegmentSnapshot {
  readonly atMs: number;
  readonly rows: number;
  readonly updates: number;
  readonly weights: Float64Array;
}

export interface ServeOptions {
  readonly server: ParameterServer;
  readonly replay: Replay | undefined;
  /** By rank: the workers' are there. */
  readonly channels: readonly (Channel | undefined)[];
  readonly workers: number;
  readonly generation: number;
  readonly trainingRows: number;
  readonly meter: CostMeter;
  readonly now: () => number;
  /** When training began, by `now`. */
  readonly began: number;
  /** Points of the curve that were made before this server. */
  readonly early: number;
  /** Called every `keepEvery` updates, so that no more of them can be lost. */
  readonly keep: () => void;
  readonly keepEvery: number;
  /** The user wants a checkpoint. */
  readonly isDue: () => boolean;
  readonly pause: (() => Promise<void> | undefined) | undefined;
  readonly onActivity: RankHost['onActivity'];
}

/** After so long without a word from any worker the run has failed. */
const SILENCE_MS = 120_000;
/** How often a server that hears nothing looks whether it is to end. */
const LOOK_MS = 200;
/** Share of the last pushes in the mean loss that is told. */
const RECENT = 0.02;

/** Carries messages to and from a server until every worker was told to end, or left. */
export class Serving {
  readonly #options: ServeOptions;
  readonly #inbox: Inbox;
  readonly #left = new Set<number>();
  readonly snapshots: SegmentSnapshot[] = [];
  #kept: number;
  /** Rank 0's word that ended the run. */
  control: ControlWord = CONTROL.go;
  #loss = Number.NaN;

  constructor(options: ServeOptions) {
    this.#options = options;
    const channels = options.channels.slice(0, options.workers).filter((channel) => channel !== undefined);
    this.#inbox = inboxOf(channels);
    this.#kept = options.server.version;
  }

  async run(): Promise<void> {
    const { server, replay, workers, meter, pause, now, onActivity } = this.#options;
    meter.enter('waiting');
    let silent = now();
    while (this.#left.size < workers) {
      await pause?.();
      const mail = await this.#inbox.next(LOOK_MS);
      if (mail === undefined) {
        if (now() - silent > SILENCE_MS) throw timedOut(this.#missing(), server.version, SILENCE_MS);
        continue;
      }
      meter.enter('computing');
      onActivity?.('computing', server.version);
      this.#hear(mail.peer, told(mail.message));
      this.#record();
      meter.enter('communicating');
      onActivity?.('communicating', server.version);
      for (const reply of (replay ?? server).settle()) {
        if (reply.kind === 'end') this.#left.add(reply.worker);
        const channel = this.#options.channels[reply.worker] as Channel;
        meter.sent(await tellReply(channel, this.#options.generation, reply, server.rows, this.#loss));
      }
      meter.enter('waiting');
      silent = now();
    }
  }

  #missing(): number[] {
    return Array.from({ length: this.#options.workers }, (_, rank) => rank).filter((rank) => !this.#left.has(rank));
  }

  #hear(worker: number, message: Told): void {
    const { server, replay, meter } = this.#options;
    const target = replay ?? server;
    if (message.kind === KIND.join) target.join(worker);
    else if (message.kind === KIND.leave) {
      target.leave(worker);
      this.#left.add(worker);
    } else {
      const { push, loss, control } = pushOf(worker, message);
      const mean = loss / push.rows;
      this.#loss = Number.isNaN(this.#loss) ? mean : (1 - RECENT) * this.#loss + RECENT * mean;
      target.push(push);
      meter.steps = server.version;
      meter.rows = server.rows;
      if (control !== CONTROL.go && this.control === CONTROL.go) {
        this.control = control as ControlWord;
        server.end();
      }
    }
  }

  /** Snapshots of the curve, and of the state that a server after this one would begin with. */
  #record(): void {
    const { server, trainingRows, now, began, early, keep, keepEvery, isDue } = this.#options;
    const since = server.version - this.#kept;
    if (since >= keepEvery || (since > 0 && isDue())) {
      this.#kept = server.version;
      keep();
    }
    if (server.rows < snapshotDue(early + this.snapshots.length) * trainingRows) return;
    this.snapshots.push({ atMs: now() - began, rows: server.rows, updates: server.version, weights: server.weights.slice() });
  }
}
