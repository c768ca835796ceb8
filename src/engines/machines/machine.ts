import type { StreamChannel } from '../../communicate/streams/channel.ts';
import { refused } from '../../communicate/streams/greeting.ts';
import { ParagradError } from '../../errors.ts';
import type { Launched } from '../processes/launcher.ts';
import type { Invitation } from '../worker/orders.ts';
import { FOREVER_MS, type FromMachine, heard, tell } from './messages.ts';

/** The oldest Node.js that workers run on. */
const NODE = [20, 19] as const;
/** How long a machine may take to say what it offers, and to end a worker. */
const OFFER_MS = 10_000;
const END_MS = 5000;

/** A machine that listens works for others already. */
export class Taken extends ParagradError {
  constructor(places: number) {
    super('PARAGRAD_CONNECT', `its ${places === 1 ? 'place is' : `${places} places are`} taken`);
  }
}

/** One place for a worker on another machine, as its coordinator sees it. */
export class Machine {
  readonly #channel: StreamChannel;
  readonly #onChange: (machine: Machine) => void;
  /** As people call it: its name, where it is, its Node.js. */
  readonly text: string;
  #state: 'free' | 'busy' | 'gone' = 'free';
  #isLeaving = false;
  #ended: ((how: string) => void) | undefined;
  #left: ((how: string) => void) | undefined;

  private constructor(channel: StreamChannel, offer: Extract<FromMachine, { kind: 'offer' }>, onChange: (machine: Machine) => void) {
    this.#channel = channel;
    this.#onChange = onChange;
    const { peer } = channel.ends;
    this.text = `${offer.host} (${peer === undefined ? '' : `${peer}, `}Node.js ${offer.node})`;
    void this.#hear();
  }

  /**
   * Waits for what a machine offers.
   *
   * @param onChange called when it is free again, or gone
   * @throws PARAGRAD_HELLO when it is not fit for this run; PARAGRAD_CONNECT when its places are taken; what ended the connection
   */
  static async meet(channel: StreamChannel, onChange: (machine: Machine) => void): Promise<Machine> {
    try {
      const offer = heard<FromMachine>(await channel.receive(OFFER_MS));
      if (offer.kind === 'full') throw new Taken(offer.places);
      if (offer.kind !== 'offer') throw refused(`a machine said ${offer.kind} where an offer was due`);
      const [major = 0, minor = 0] = offer.node.split('.').map(Number);
      if (!(major > NODE[0] || (major === NODE[0] && minor >= NODE[1]))) {
        const message = `${offer.host} has Node.js ${offer.node}, and workers need ${NODE.join('.')} or later`;
        await tell(channel, { kind: 'refused', message });
        throw refused(message);
      }
      return new Machine(channel, offer, onChange);
    } catch (error) {
      await channel.close();
      throw error;
    }
  }

  get isFree(): boolean {
    return this.#state === 'free' && !this.#isLeaving;
  }

  get isGone(): boolean {
    return this.#state === 'gone';
  }

  /** This process, as that machine sees it. */
  get ownHost(): string | undefined {
    return this.#channel.ends.own;
  }

  async #hear(): Promise<void> {
    try {
      for (;;) {
        const message = heard<FromMachine>(await this.#channel.receive(FOREVER_MS));
        if (message.kind === 'ended') this.#end(message.how, 'free');
        else if (message.kind === 'leave') {
          this.#isLeaving = true;
          this.#left?.(`on ${this.text} leaves`);
        }
      }
    } catch {
      this.#end('is gone with its machine', 'gone');
      await this.#channel.close();
    }
  }

  #end(how: string, state: 'free' | 'gone'): void {
    if (this.#state === 'gone') return;
    this.#state = state;
    this.#ended?.(`on ${this.text} ${how}`);
    this.#ended = undefined;
    this.#onChange(this);
  }

  /** @param mayLeave the run can go on without it, and wants to be told before */
  start(invitation: Invitation, mayLeave: boolean): Launched {
    this.#state = 'busy';
    const gone = new Promise<string>((resolve) => {
      this.#ended = resolve;
    });
    const leaving = new Promise<string>((resolve) => {
      this.#left = resolve;
    });
    void tell(this.#channel, { kind: 'start', invitation, mayLeave }).catch(() => undefined);
    return { pid: undefined, gone, leaving, kill: () => this.#kill(gone) };
  }

  /** A machine that does not end its worker is not used any more; without its connections the worker ends by itself. */
  #kill(gone: Promise<string>): void {
    const timer = setTimeout(() => void this.#channel.close(), END_MS);
    void gone.then(() => clearTimeout(timer));
    void tell(this.#channel, { kind: 'kill' }).catch(() => undefined);
  }

  /** Shows that the coordinator is still there. */
  encourage(): void {
    void tell(this.#channel, { kind: 'alive' }).catch(() => undefined);
  }

  /** The run is over. */
  async release(): Promise<void> {
    await tell(this.#channel, { kind: 'over' }).catch(() => undefined);
    await this.#channel.close();
  }
}
