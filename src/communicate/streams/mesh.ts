import { assert, ParagradError } from '../../errors.ts';
import type { Channel } from '../channel.ts';
import type { Address } from './address.ts';
import type { ChannelOptions, StreamChannel } from './channel.ts';
import { connect } from './connect.ts';
import { type Hello, refused, type Welcome } from './greeting.ts';
import { checkKey, type Key } from './key.ts';
import { type Listener, listen } from './listen.ts';

export interface PortOptions extends ChannelOptions {
  readonly address: Address;
  /** The run's; needed for TLS, and only there. */
  readonly key?: Key | undefined;
  readonly numericsVersion: number;
  readonly onRefused?: ((error: ParagradError) => void) | undefined;
  readonly helloTimeoutMs?: number;
}

export interface MeshOptions {
  readonly port: MeshPort;
  readonly rank: number;
  readonly size: number;
  /** Restarts of the group so far. Once a port has been part of a generation, older ones are refused. */
  readonly generation?: number;
  /** Name of the group, where ranks are in several, such as the rows and columns of a grid. */
  readonly group?: string;
  /** Of every rank's port, by rank. */
  readonly addresses: readonly Address[];
  /** Which ranks are to be connected, the same either way round; default: all with all. */
  readonly areNeighbours?: ((a: number, b: number) => boolean) | undefined;
  /** For the whole. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

const TIMEOUT_MS = 30_000;

type Answer = Omit<Welcome, 'numericsVersion'>;

/** Those who wait for each other to be a group. */
interface Meeting {
  readonly rank: number;
  readonly size: number;
  readonly isNeighbour: (peer: number) => boolean;
  readonly generation: number;
  readonly admitted: Set<number>;
  readonly arrived: (channel: StreamChannel) => void;
}

interface Early {
  readonly hello: Hello;
  readonly decide: (meeting: Meeting) => void;
  readonly refuse: (error: ParagradError) => void;
}

function isOld(hello: Hello, generation: number): ParagradError {
  return new ParagradError(
    'PARAGRAD_GENERATION',
    `group ${hello.group}: rank ${hello.rank} is of generation ${hello.generation}, this side of ${generation}`,
  );
}

function place({ rank, size, isNeighbour, generation, admitted }: Meeting, hello: Hello): Answer {
  const from = hello.rank;
  if (from === undefined || hello.size !== size || from >= size || from <= rank || !isNeighbour(from))
    throw refused(`group ${hello.group}: rank ${from} of ${hello.size} does not fit to rank ${rank} of ${size}`, from);
  if (admitted.has(from)) throw refused(`group ${hello.group}: rank ${from} is already there`, from);
  admitted.add(from);
  return { rank, you: from, size, generation };
}

/** Where a process can be met by the other ranks of its groups. */
export class MeshPort {
  readonly options: PortOptions;
  #listener: Listener | undefined;
  /** By group: the one that is meeting, or the last that did. */
  readonly #meetings = new Map<string, Meeting>();
  readonly #early = new Set<Early>();

  constructor(options: PortOptions) {
    this.options = options;
  }

  get address(): Address {
    assert(this.#listener !== undefined, 'a port was used before it was open');
    return this.#listener.address;
  }

  async open(): Promise<this> {
    this.#listener = await listen({
      ...this.options,
      admit: (hello, gone) => this.#admit(hello, gone),
      onChannel: (channel, hello) => {
        const meeting = this.#meetings.get(hello.group);
        if (meeting?.generation === hello.generation) meeting.arrived(channel);
        else void channel.close();
      },
    });
    return this;
  }

  /** A rank may come before this one is ready for the group; it is answered then. */
  #admit(hello: Hello, gone: AbortSignal): Answer | Promise<Answer> {
    const meeting = this.#meetings.get(hello.group);
    if (meeting !== undefined && hello.generation < meeting.generation) throw isOld(hello, meeting.generation);
    if (meeting !== undefined && hello.generation === meeting.generation) return place(meeting, hello);
    return new Promise((resolve, reject) => {
      const early: Early = {
        hello,
        decide: (met) => {
          this.#early.delete(early);
          try {
            resolve(place(met, hello));
          } catch (error) {
            reject(error);
          }
        },
        refuse: (error) => {
          this.#early.delete(early);
          reject(error);
        },
      };
      this.#early.add(early);
      gone.addEventListener('abort', () => early.refuse(refused(`group ${hello.group}: rank ${hello.rank} went away`, hello.rank)));
    });
  }

  /** Waits for nobody: `arrived` is called for every rank above `rank` of the group. */
  meet(group: string, meeting: Meeting): void {
    const before = this.#meetings.get(group);
    if (before !== undefined && meeting.generation <= before.generation)
      throw new ParagradError('PARAGRAD_GENERATION', `group ${group}: generation ${meeting.generation} cannot follow ${before.generation}`);
    this.#meetings.set(group, meeting);
    for (const early of this.#early) {
      if (early.hello.group !== group) continue;
      if (early.hello.generation === meeting.generation) early.decide(meeting);
      else if (early.hello.generation < meeting.generation) early.refuse(isOld(early.hello, meeting.generation));
    }
  }

  /** Nobody is met any more. Channels stay. */
  close(): void {
    for (const early of this.#early) early.refuse(refused(`group ${early.hello.group}: this side has ended`));
    this.#listener?.close();
  }
}

/**
 * Listens for the other ranks of this process's groups.
 *
 * @throws PARAGRAD_ADDRESS, PARAGRAD_KEY
 */
export function openPort(options: PortOptions): Promise<MeshPort> {
  if (options.address.kind === 'tls') checkKey(options.key);
  return new MeshPort(options).open();
}

/**
 * Connects a rank with all others of its group (with `areNeighbours`: with its neighbours), for `createMessageCollective`. All
 * ranks call it; each connects to the ranks below it, and is met by those above.
 *
 * @returns channels by rank; undefined for the own one, and those that are no neighbours
 * @throws PARAGRAD_CONNECT naming the ranks that did not come in time; what a rank below refuses with (PARAGRAD_HELLO,
 * PARAGRAD_GENERATION, PARAGRAD_KEY, PARAGRAD_FRAME); the signal's reason. Nothing stays open then.
 */
export async function createMesh(options: MeshOptions): Promise<(Channel | undefined)[]> {
  const { port, rank, size, generation = 0, group = 'all', addresses, timeoutMs = TIMEOUT_MS, signal } = options;
  assert(Number.isInteger(rank) && rank >= 0 && rank < size && addresses.length === size, 'rank or addresses of a mesh out of range');
  const isNeighbour = (peer: number): boolean => peer !== rank && (options.areNeighbours?.(rank, peer) ?? true);
  signal?.throwIfAborted();
  const channels: (StreamChannel | undefined)[] = new Array<undefined>(size).fill(undefined);
  const failed = new AbortController();
  const stop = signal === undefined ? failed.signal : AbortSignal.any([failed.signal, signal]);
  const { key, numericsVersion, ...rest } = port.options;
  let over = false;
  const above = new Promise<void>((resolve, reject) => {
    const missing = (): number[] => [...channels.keys()].filter((peer) => peer > rank && isNeighbour(peer) && channels[peer] === undefined);
    const timer = setTimeout(() => {
      const text = `group ${group}: rank ${missing().join(', ')} did not come to rank ${rank} within ${timeoutMs} ms`;
      reject(new ParagradError('PARAGRAD_CONNECT', text, { place: { rank: missing()[0] as number } }));
    }, timeoutMs);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    stop.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(stop.reason);
    });
    const arrived = (channel: StreamChannel): void => {
      if (over) void channel.close();
      else channels[channel.peer] = channel;
      if (missing().length === 0) done();
    };
    port.meet(group, { rank, size, isNeighbour, generation, admitted: new Set(), arrived });
    if (missing().length === 0) done();
  });
  const lower = [...channels.keys()].filter((peer) => peer < rank && isNeighbour(peer));
  const below = lower.map(async (peer) => {
    const hello = { group, numericsVersion, rank, size, generation };
    const { channel } = await connect({ ...rest, address: addresses[peer] as Address, key, hello, timeoutMs, signal: stop });
    channels[peer] = channel;
    if (over || channel.peer !== peer) {
      await channel.close();
      throw refused(`group ${group}: rank ${channel.peer} answered at the address of rank ${peer}`, peer);
    }
  });
  try {
    await Promise.all([above, ...below]);
    return channels;
  } catch (error) {
    over = true;
    failed.abort(error);
    await Promise.allSettled([above, ...below]);
    await Promise.all(channels.map((channel) => channel?.close()));
    throw error;
  }
}
