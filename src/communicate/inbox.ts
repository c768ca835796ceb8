import { ParagradError } from '../errors.ts';
import type { Channel, Message } from './channel.ts';

/** A message, and who it is from. */
export interface Mail {
  readonly peer: number;
  readonly message: Message;
}

/** Messages of several channels, in the order of their arrival. */
export interface Inbox {
  /**
   * The next message of any channel; undefined when none came within `timeoutMs`. One call at a time.
   *
   * @throws what a channel threw, once all messages before it are taken
   */
  next(timeoutMs: number): Promise<Mail | undefined>;
}

/** A channel that can be asked without waiting, of a rank whose channels ring one bell. */
export interface PolledChannel extends Channel {
  poll(): Message | undefined;
  /** Returns when something may have come for this rank, on any of its channels, or after `timeoutMs`. */
  waitForAny(timeoutMs: number): void;
}

function isPolled(channel: Channel): channel is PolledChannel {
  return 'poll' in channel && 'waitForAny' in channel;
}

/** Longest wait of a timer. */
const FOREVER_MS = 2 ** 31 - 1;

/** An inbox over these channels. From now on nobody else receives from them. */
export function inboxOf(channels: readonly Channel[]): Inbox {
  const polled = channels.filter(isPolled);
  return polled.length === channels.length && polled.length > 0 ? new PolledInbox(polled) : new GatheredInbox(channels);
}

/** Looks at each channel in turn, beginning behind the one that was heard last: nobody is overheard for long. */
class PolledInbox implements Inbox {
  readonly #channels: readonly PolledChannel[];
  #first = 0;

  constructor(channels: readonly PolledChannel[]) {
    this.#channels = channels;
  }

  async next(timeoutMs: number): Promise<Mail | undefined> {
    return this.#look() ?? this.#lookAfter(timeoutMs);
  }

  #lookAfter(timeoutMs: number): Mail | undefined {
    this.#channels[0].waitForAny(timeoutMs);
    return this.#look();
  }

  #look(): Mail | undefined {
    const count = this.#channels.length;
    for (let i = 0; i < count; i += 1) {
      const at = (this.#first + i) % count;
      const message = this.#channels[at].poll();
      if (message === undefined) continue;
      this.#first = (at + 1) % count;
      return { peer: this.#channels[at].peer, message };
    }
    return undefined;
  }
}

/** Receives from all channels at once. */
class GatheredInbox implements Inbox {
  readonly #arrived: (Mail | { readonly error: unknown })[] = [];
  #wake: (() => void) | undefined;

  constructor(channels: readonly Channel[]) {
    for (const channel of channels) void this.#gather(channel);
  }

  async #gather(channel: Channel): Promise<void> {
    try {
      for (;;) {
        const message = await channel.receive(FOREVER_MS);
        this.#arrived.push({ peer: channel.peer, message });
        this.#wake?.();
      }
    } catch (error) {
      // A channel that this rank closed itself is no news.
      if (error instanceof ParagradError && error.code === 'PARAGRAD_CLOSED') return;
      this.#arrived.push({ error });
      this.#wake?.();
    }
  }

  async next(timeoutMs: number): Promise<Mail | undefined> {
    if (this.#arrived.length === 0) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        timer = setTimeout(resolve, timeoutMs);
      });
      clearTimeout(timer);
      this.#wake = undefined;
    }
    const first = this.#arrived.shift();
    if (first !== undefined && 'error' in first) throw first.error;
    return first;
  }
}
