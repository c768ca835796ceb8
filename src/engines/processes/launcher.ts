import type { Address } from '../../communicate/streams/address.ts';
import type { Key } from '../../communicate/streams/key.ts';
import type { Invitation } from '../worker/orders.ts';

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
   * the bundle with the environment of `environmentOf`. Nothing is thrown: a start that fails is `gone`.
   */
  start(invitation: Invitation, key: Key | undefined): Launched;
}

export interface Premises {
  /** Where the coordinator listens. */
  readonly control: Address;
  /** Of the run; needed where addresses are TCP. */
  readonly key: Key | undefined;
  /** Folders of this machine that are removed at the end, whoever does it. */
  readonly folders: readonly string[];
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
  /** Ends it at once, also one that is stopped; where that cannot be done, its connections are closed anyway. */
  kill(): void;
}
