import { hostname } from 'node:os';
import { type Address, addressText } from '../../communicate/streams/address.ts';
import type { StreamChannel } from '../../communicate/streams/channel.ts';
import { connect } from '../../communicate/streams/connect.ts';
import type { Hello, Welcome } from '../../communicate/streams/greeting.ts';
import type { Key } from '../../communicate/streams/key.ts';
import { ParagradError } from '../../errors.ts';
import { NUMERICS_VERSION } from '../../partition/version.ts';
import type { MachineOptions } from '../engine.ts';
import type { Guests, Launched, Launcher, Patience, Premises } from '../processes/launcher.ts';
import type { Invitation } from '../worker/orders.ts';
import { Machine, Taken } from './machine.ts';
import { ALIVE, CALL, FOREVER_MS } from './messages.ts';
import { Refusals } from './refusals.ts';

const WAIT_MS = 300_000;
/** How long to try to reach a machine that listens, before the next one is tried. */
const CALL_MS = 3000;
/** Before all of them are tried again: where the run waits for one, and where it goes on meanwhile. */
const AGAIN_MS = { needed: 500, spare: 2000 } as const;
/** Where anybody on any interface can come. */
const ANYWHERE: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/** A machine that listens, and how many of its places this run has. */
interface Host {
  readonly address: Address;
  taken: number;
}

/**
 * Workers on machines that the user started by hand: those that come and join, and those that listen and are called. All speak to
 * this process at one port, by TLS with the key of the run.
 */
export class Machines implements Launcher, Guests {
  readonly name = 'machines';
  readonly #options: MachineOptions;
  readonly #hosts: readonly Host[];
  readonly #machines = new Set<Machine>();
  /** Those who wait for a machine are woken when something changed. */
  readonly #waiting = new Set<() => void>();
  readonly #refusals = new Refusals((text) => this.#note?.(text));
  #note: ((text: string) => void) | undefined;
  #control: Address | undefined;
  #workers = 0;
  #least = 0;
  /** What those who listen, and could not be had, said last. */
  readonly #troubles = new Map<Host, string>();
  /** Workers so far, and those that came in the place of others. */
  #begun = 0;
  #count = 0;
  #alive: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: MachineOptions) {
    this.#options = options;
    this.#hosts = options.hosts.map((address) => ({ address, taken: 0 }));
  }

  async open(): Promise<Premises> {
    const anywhere: Address = { kind: 'tls', host: '0.0.0.0', port: 0 };
    this.#alive = setInterval(() => {
      for (const machine of this.#machines) machine.encourage();
    }, ALIVE.everyMs);
    return {
      control: this.#options.bind ?? anywhere,
      key: this.#options.key,
      isRemote: true,
      folders: [],
      guests: this,
      // A machine knows better where it is.
      addressOf: () => anywhere,
      close: () => this.#close(),
    };
  }

  opened(control: Address, [least, workers]: readonly [number, number], note: (text: string) => void): void {
    this.#control = control;
    this.#workers = workers;
    this.#least = least;
    this.#note = note;
    if (this.#options.bind === undefined) return;
    const many = workers === 1 ? 'one worker' : least === workers ? `${workers} workers` : `${least} to ${workers} workers`;
    note(
      `waiting at ${addressText(control)} for ${many}: on every machine run paragrad worker --join ${this.#invitingText} with the same key`,
    );
  }

  /** How the coordinator's address is likely to be called elsewhere. */
  get #invitingText(): string {
    const control = this.#control ?? this.#options.bind;
    if (control?.kind !== 'tls') return 'HOST:PORT';
    return addressText(ANYWHERE.has(control.host) ? { ...control, host: hostname() } : control);
  }

  wants({ group }: Hello): boolean {
    return group === CALL.join;
  }

  admit(): Omit<Welcome, 'numericsVersion'> {
    this.#count += 1;
    return { rank: 0, you: this.#count, size: this.#count + 1, generation: 0 };
  }

  arrive(channel: StreamChannel): void {
    void this.#meet(channel, undefined).catch((error: unknown) => this.refused(error as Error));
  }

  refused(error: Error): void {
    this.#refusals.tell(error.message);
  }

  /** Takes in a machine that has been greeted. @throws why it does not fit */
  async #meet(channel: StreamChannel, host: Host | undefined): Promise<Machine> {
    const machine = await Machine.meet(channel, (changed) => {
      if (changed.isGone && this.#machines.delete(changed) && host !== undefined) host.taken -= 1;
      this.#wake();
    });
    if (machine.isGone) throw new ParagradError('PARAGRAD_CONNECT', `${machine.text} went away`);
    if (this.#isClosed) {
      await machine.release();
      throw new ParagradError('PARAGRAD_CLOSED', 'the run is over');
    }
    this.#machines.add(machine);
    if (host !== undefined) host.taken += 1;
    this.#wake();
    return machine;
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }

  async start(invitation: Invitation, _key: Key | undefined, signal: AbortSignal | undefined, patience: Patience): Promise<Launched> {
    const waitMs = patience === 'spare' ? Number.POSITIVE_INFINITY : (this.#options.waitMs ?? WAIT_MS);
    const deadline = performance.now() + waitMs;
    this.#troubles.clear();
    for (;;) {
      signal?.throwIfAborted();
      if (this.#isClosed) throw new ParagradError('PARAGRAD_CLOSED', 'the run ended while a worker was waited for');
      const machine = this.#free ?? (await this.#call());
      signal?.throwIfAborted();
      if (machine !== undefined && machine.isFree) return this.#begin(machine, invitation, patience);
      // One that came meanwhile woke nobody.
      if (this.#free !== undefined) continue;
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) throw this.nobody(invitation.rank, waitMs);
      await this.#change(Math.min(leftMs, this.#hosts.length === 0 ? FOREVER_MS : AGAIN_MS[patience]), signal);
    }
  }

  get #free(): Machine | undefined {
    return [...this.#machines].find(({ isFree }) => isFree);
  }

  #begin(machine: Machine, invitation: Invitation, patience: Patience): Launched {
    const { bind } = this.#options;
    const port = this.#control?.kind === 'tls' ? this.#control.port : 0;
    // Where nobody said how it is called, it is called what the machine's end of the line sees.
    const host = bind?.kind === 'tls' && !ANYWHERE.has(bind.host) ? bind.host : (machine.ownHost ?? '127.0.0.1');
    const launched = machine.start({ ...invitation, control: { kind: 'tls', host, port } }, patience === 'spare');
    this.#begun += 1;
    const count = this.#begun > this.#workers || this.#least < this.#workers ? '' : `: ${this.#begun} of ${this.#workers}`;
    this.#note?.(`worker ${invitation.rank} is on ${machine.text}${count}`);
    return launched;
  }

  /** Calls the machines that listen, those with the fewest workers first, until one has a place. */
  async #call(): Promise<Machine | undefined> {
    const order = [...this.#hosts].sort((a, b) => a.taken - b.taken);
    for (const host of order) {
      const hello = { group: CALL.hire, numericsVersion: NUMERICS_VERSION, generation: 0 };
      // Who is called at the same time goes to another one.
      host.taken += 1;
      try {
        const { channel } = await connect({ address: host.address, key: this.#options.key, hello, timeoutMs: CALL_MS });
        return await this.#meet(channel, host);
      } catch (error) {
        if (!(error instanceof ParagradError) || error.code === 'PARAGRAD_KEY' || error.code === 'PARAGRAD_HELLO') throw error;
        const text = `${addressText(host.address)}: ${error.message}`;
        if (!(error instanceof Taken)) this.#refusals.tell(`${text}; it is tried again`);
        this.#troubles.set(host, text);
      } finally {
        host.taken -= 1;
      }
    }
    return undefined;
  }

  /** Resolves when a machine came or went, or after a time. */
  async #change(ms: number, signal: AbortSignal | undefined): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    let wake: (() => void) | undefined;
    try {
      await new Promise<void>((resolve) => {
        wake = resolve;
        timer = setTimeout(resolve, ms);
        signal?.addEventListener('abort', resolve as () => void, { once: true });
        this.#waiting.add(resolve);
      });
    } finally {
      clearTimeout(timer);
      if (wake !== undefined) {
        this.#waiting.delete(wake);
        signal?.removeEventListener('abort', wake);
      }
    }
  }

  nobody(rank: number | undefined, waitMs: number): ParagradError {
    const troubles = [...this.#troubles.values()];
    const how = this.#options.bind === undefined ? '' : `: start one with paragrad worker --join ${this.#invitingText}, and the same key`;
    const why = troubles.length === 0 ? '' : ` (${troubles.join('; ')})`;
    return new ParagradError(
      'PARAGRAD_CONNECT',
      `no machine came for worker ${rank} within ${waitMs / 1000} s${how}${why}; --join-timeout gives more time`,
      rank === undefined ? {} : { place: { rank } },
    );
  }

  async #close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#alive);
    this.#note = undefined;
    this.#wake();
    await Promise.all([...this.#machines].map((machine) => machine.release()));
  }
}
