import type { Readable, Writable } from 'node:stream';
import { type Key, keyText, newKey } from '../../../communicate/streams/key.ts';
import type { Launched, Launcher, Premises } from '../../processes/launcher.ts';
import type { Invitation } from '../../worker/orders.ts';

/** What the launcher says, a line each: a worker has ended. When it says nothing more, nobody is there for whom to work. */
interface Gone {
  readonly rank: number;
  readonly attempt: number;
  readonly how: string;
}

const nameOf = (rank: number | undefined, attempt: number): string => `${rank} ${attempt}`;

/**
 * Workers that are started by actors of Ray: this process asks the Python launcher, by a line on its output, and is told of ends
 * by lines on its input. The key of the run is made here, on the cluster.
 */
export class ActorLauncher implements Launcher {
  readonly name = 'ray';
  readonly #host: string;
  readonly #out: Writable;
  readonly #gone = new Map<string, (how: string) => void>();

  constructor(host: string, input: Readable, output: Writable) {
    this.#host = host;
    this.#out = output;
    let rest = '';
    input.setEncoding('utf8');
    input.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() as string;
      for (const line of lines) this.#hear(JSON.parse(line) as Gone);
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

  start(invitation: Invitation, key: Key | undefined): Launched {
    const { rank, attempt } = invitation;
    const name = nameOf(rank, attempt);
    const gone = new Promise<string>((resolve) => {
      this.#gone.set(name, resolve);
    });
    this.#ask('start', { rank, attempt, invitation, key: key === undefined ? '' : keyText(key) });
    return { pid: undefined, gone, kill: () => this.#ask('kill', { rank, attempt }) };
  }

  #ask(what: 'start' | 'kill', value: object): void {
    this.#out.write(`@${what} ${JSON.stringify(value)}\n`);
  }

  #hear({ rank, attempt, how }: Gone): void {
    const name = nameOf(rank, attempt);
    this.#gone.get(name)?.(how);
    this.#gone.delete(name);
  }
}
