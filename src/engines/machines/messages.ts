import type { Message } from '../../communicate/channel.ts';
import type { StreamChannel } from '../../communicate/streams/channel.ts';
import type { Invitation } from '../worker/orders.ts';
import { decodePlain, encodePlain } from '../worker/plain.ts';

/**
 * What a machine that offers places for workers and a coordinator say to each other, on one connection for each place. Either may
 * have called the other; the machine speaks first.
 */
export type FromMachine =
  | { readonly kind: 'offer'; readonly host: string /** Version of Node.js. */; readonly node: string }
  /** It is wanted back here: the run shall go on without the worker of this place. */
  | { readonly kind: 'leave' }
  /** All of its places are taken. */
  | { readonly kind: 'full'; readonly places: number }
  /** The worker of this place has ended: how, in words. */
  | { readonly kind: 'ended'; readonly how: string };

export type ToMachine =
  /** `mayLeave`: the run can go on without this worker, and wants to be told before. */
  | { readonly kind: 'start'; readonly invitation: Invitation; readonly mayLeave: boolean }
  | { readonly kind: 'kill' }
  /** It is still there. */
  | { readonly kind: 'alive' }
  | { readonly kind: 'refused'; readonly message: string }
  /** The run is over. */
  | { readonly kind: 'over' };

/** Names of the groups: a machine calls a coordinator to join its run; a coordinator calls a machine that listens. */
export const CALL = { join: 'join', hire: 'hire' } as const;

/** How often a coordinator says that it is still there, and how long a machine believes it without a word. */
export const ALIVE = { everyMs: 5000, believedMs: 120_000 } as const;

/** Longest wait of a timer. */
export const FOREVER_MS = 2 ** 31 - 1;

export function tell(channel: StreamChannel, message: FromMachine | ToMachine): Promise<void> {
  return channel.send({ kind: 0, generation: 0, step: 0 }, encodePlain(message));
}

export function heard<T extends FromMachine | ToMachine>(message: Message): T {
  return decodePlain<T>(message);
}
