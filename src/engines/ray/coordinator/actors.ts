import type { Readable, Writable } from 'node:stream';
import { type Key, keyText, newKey } from '../../../communicate/streams/key.ts';
import { type ErrorCode, ParagradError } from '../../../errors.ts';
import type { Launched, Launcher, Patience, Premises } from '../../processes/launcher.ts';
import type { Invitation } from '../../worker/orders.ts';

/**
 * What the launcher says, a line each: an actor has a node for a worker that may wait for one; a worker has ended, or none can run
 * there (`code`). When it says nothing more, nobody is there for whom to work.
 */
type Said = { readonly rank: number; readonly attempt: number } & (
  | { readonly what: 'placed' }
  | { readonly what: 'gone'; readonly how: string; readonly code?: ErrorCode }
);

/** A worker that was asked for. */
interface Asked {
  placed(): void;
  gone(how: string, code: ErrorCode | undefined): void;
}

const nameOf = (rank: number | undefined, attempt: number): string => `${rank} ${attempt}`;

/**
 * Workers that are started by actors of Ray: this process asks the Python launcher, by a line on its output, and is told of places
 * and ends by lines on its input. The key of the run is made here, on the cluster.
 */
export class ActorLauncher implements Launcher {
  readonly name = 'ray';
  readonly #host: string;
  readonly #out: Writable;
  readonly #asked = new Map<string, Asked>();

  constructor(host: string, input: Readable, output: Writable) {
    this.#host = host;
    this.#out = output;
    let rest = '';
    input.setEncoding('utf8');
    input.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() as string;
      for (const line of lines) this.#hear(JSON.parse(line) as Said);
    });
    // A coordinator without its launcher would run for nobody.
    input.on('end', () => process.exit(1));
  }

  async open(): Promise<Premises> {
    const here = { kind: 'tls', host: this.#host, port: 0 } as const;
    // The actor puts the address of its own node into the place of the host.
    const own = { ...here, host: '0.0.0.0' };
    return { control: here, key: newKey(), isRemote: true, folders: [], addressOf: () => own, close: async () => undefined };
  }

  /** A spare worker waits for an actor with a node, as long as that takes. */
  start(invitation: Invitation, key: Key | undefined, signal: AbortSignal | undefined, patience: Patience): Launched | Promise<Launched> {
    const { rank, attempt } = invitation;
    const name = nameOf(rank, attempt);
    const isSpare = patience === 'spare';
    let placed = (): void => undefined;
    let refused = (_: Error): void => undefined;
    const isPlaced = new Promise<void>((resolve, reject) => {
      placed = resolve;
      refused = reject;
    });
    isPlaced.catch(() => undefined);
    const gone = new Promise<string>((resolve) => {
      this.#asked.set(name, {
        placed,
        gone: (how, code) => {
          // Of one that never had a place.
          refused(new ParagradError(code ?? 'PARAGRAD_WORKER_LOST', how, { place: rank === undefined ? {} : { rank } }));
          resolve(how);
        },
      });
    });
    const launched: Launched = { pid: undefined, gone, kill: () => this.#ask('kill', { rank, attempt }) };
    this.#ask('start', { rank, attempt, invitation, key: key === undefined ? '' : keyText(key), spare: isSpare });
    if (!isSpare) return launched;
    const cancel = (): void => {
      this.#asked.delete(name);
      this.#ask('cancel', { rank });
      refused(signal?.reason as Error);
    };
    if (signal?.aborted === true) cancel();
    signal?.addEventListener('abort', cancel, { once: true });
    return isPlaced.then(() => launched).finally(() => signal?.removeEventListener('abort', cancel));
  }

  nobody(rank: number | undefined, waitMs: number): Error {
    return new ParagradError('PARAGRAD_RAY_ROOM', `the cluster had no room for worker ${rank} within ${waitMs / 1000} s`, {
      place: rank === undefined ? {} : { rank },
    });
  }

  #ask(what: 'start' | 'kill' | 'cancel', value: object): void {
    this.#out.write(`@${what} ${JSON.stringify(value)}\n`);
  }

  #hear(said: Said): void {
    const name = nameOf(said.rank, said.attempt);
    const asked = this.#asked.get(name);
    if (said.what === 'placed') asked?.placed();
    else {
      this.#asked.delete(name);
      asked?.gone(said.how, said.code);
    }
  }
}
