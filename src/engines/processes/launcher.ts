import type { Address } from '../../communicate/streams/address.ts';
import type { StreamChannel } from '../../communicate/streams/channel.ts';
import type { Hello, Welcome } from '../../communicate/streams/greeting.ts';
import type { Key } from '../../communicate/streams/key.ts';
import type { Invitation } from '../worker/orders.ts';

/**
 * How urgent a start is. `needed`: the run waits for it, as long as the launcher thinks fit. `spare`: the run may have fewer workers,
 * and goes on meanwhile, so that there is no deadline.
 */
export type Patience = 'needed' | 'spare';

/**
 * How workers get started, and where they are met. The session says when; it does not care whether a worker is a child of this
 * process, an actor of a cluster, or a process that the user starts by hand on another machine.
 */
export interface Launcher {
  readonly name: string;
  /** Prepares the places where coordinator and ranks are met; once for a session. */
  open(): Promise<Premises>;
  /**
   * Starts the worker of an invitation. It must call `serve(invitation, key, file)` (worker/process.ts), for instance by running
   * the bundle with the environment of `environmentOf`. A start that fails is `gone`; an error that is thrown ends the run: where
   * nobody is there to start it, in time. A spare start resolves when the worker has a place, and rejects when the signal is aborted.
   */
  start(invitation: Invitation, key: Key | undefined, signal: AbortSignal | undefined, patience: Patience): Launched | Promise<Launched>;
  /** Why nobody came for a place within a time, and what to do about it. */
  nobody?(rank: number | undefined, waitMs: number): Error;
}

/** Who else comes to the coordinator's port than workers that were invited. */
export interface Guests {
  /** The port is open, for a run of so many workers: at least, at most. */
  opened(control: Address, workers: readonly [least: number, most: number], note: (text: string) => void): void;
  wants(hello: Hello): boolean;
  admit(hello: Hello): Omit<Welcome, 'numericsVersion'>;
  arrive(channel: StreamChannel, hello: Hello): void;
  /** Somebody was not let in. */
  refused(error: Error): void;
}

export interface Premises {
  /** Where the coordinator listens. */
  readonly control: Address;
  /** Of the run; needed where addresses are TCP. */
  readonly key: Key | undefined;
  /** Workers are on other machines, where they cannot watch this process. */
  readonly isRemote?: boolean;
  /** Folders of this machine that are removed at the end, whoever does it. */
  readonly folders: readonly string[];
  readonly guests?: Guests | undefined;
  /** Where a rank shall be met by others. */
  addressOf(rank: number, attempt: number): Address;
  close(): Promise<void>;
}

/** A worker that was started, or is waited for. */
export interface Launched {
  /** On this machine. */
  readonly pid: number | undefined;
  /** Resolves to what happened, in words, when the worker has ended; never, where nobody can tell. */
  readonly gone: Promise<string>;
  /** Resolves, to what happened, in words, when its place wants to be without it: a run that can do so goes on with those that are left. */
  readonly leaving?: Promise<string> | undefined;
  /** Ends it at once, also one that is stopped; where that cannot be done, its connections are closed anyway. */
  kill(): void;
}
