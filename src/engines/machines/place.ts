import { hostname } from 'node:os';
import type { Address } from '../../communicate/streams/address.ts';
import type { StreamChannel } from '../../communicate/streams/channel.ts';
import type { Key } from '../../communicate/streams/key.ts';
import { ParagradError } from '../../errors.ts';
import { local } from '../processes/local.ts';
import type { Invitation } from '../worker/orders.ts';
import { ALIVE, heard, type ToMachine, tell } from './messages.ts';

/** What is said of a worker that did all that it was told: nothing that a log needs. */
const DONE = 'ended with exit code 0';
/** How long a run that can go on without a worker may take to come to the end of its step. */
const LEAVE_MS = 30_000;

/** How a machine offers places. */
export interface PlaceOptions {
  readonly key: Key;
  /** Workers at a time. */
  readonly places: number;
  /** Where its workers are met by others; default: this machine's end of the connection to the coordinator, any free port. */
  readonly advertise?: { readonly host: string; readonly port: number } | undefined;
  readonly log: (text: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Offers one place for a worker to a coordinator, starts and ends workers there as that says. Nothing runs any more when it is
 * done, whatever the reason.
 *
 * @param control where the coordinator is, where this machine knows it better than that itself
 * @returns `over`: the coordinator says that the run is; `gone`: it went away without a word
 * @throws PARAGRAD_HELLO when the coordinator refuses this machine; the signal's reason
 */
export async function offerPlace(
  channel: StreamChannel,
  index: number,
  control: Address | undefined,
  options: PlaceOptions,
): Promise<'over' | 'gone'> {
  const { key, log, signal } = options;
  const ends: Promise<void>[] = [];
  let kill: (() => void) | undefined;
  let isMissed = false;
  const start = (invitation: Invitation, mayLeave: boolean): void => {
    const launched = local.start(placed(invitation, channel, index, control, options), key);
    let killed = false;
    isMissed = mayLeave;
    kill = () => {
      killed = true;
      launched.kill();
    };
    log(`worker ${invitation.rank} started (process ${launched.pid})`);
    const end = async (): Promise<void> => {
      const how = await launched.gone;
      isMissed = false;
      if (!killed && !signal.aborted && how !== DONE) log(`worker ${invitation.rank} ${how}`);
      await tell(channel, { kind: 'ended', how }).catch(() => undefined);
    };
    ends.push(end());
  };
  let timer: NodeJS.Timeout | undefined;
  const leave = (): void => {
    if (!isMissed) return void channel.close();
    log('leaving the run at the end of its step');
    timer = setTimeout(() => void channel.close(), LEAVE_MS);
    void tell(channel, { kind: 'leave' }).catch(() => undefined);
    void Promise.all(ends).then(() => channel.close());
  };
  signal.addEventListener('abort', leave);
  try {
    signal.throwIfAborted();
    await tell(channel, { kind: 'offer', host: hostname(), node: process.versions.node });
    for (;;) {
      const order = heard<ToMachine>(await channel.receive(ALIVE.believedMs));
      if (order.kind === 'over') return 'over';
      if (order.kind === 'refused') throw new ParagradError('PARAGRAD_HELLO', `the coordinator refuses this machine: ${order.message}`);
      if (order.kind === 'start') start(order.invitation, order.mayLeave);
      else if (order.kind === 'kill') kill?.();
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ParagradError && error.code !== 'PARAGRAD_HELLO') return 'gone';
    throw error;
  } finally {
    signal.removeEventListener('abort', leave);
    clearTimeout(timer);
    kill?.();
    await channel.close();
    await Promise.all(ends);
  }
}

/** An invitation with what only the machine knows. */
function placed(
  invitation: Invitation,
  channel: StreamChannel,
  index: number,
  control: Address | undefined,
  options: PlaceOptions,
): Invitation {
  const { advertise } = options;
  const host = advertise?.host ?? channel.ends.own ?? '127.0.0.1';
  const port = advertise === undefined || advertise.port === 0 ? 0 : advertise.port + index;
  return {
    ...invitation,
    control: control ?? invitation.control,
    // Where a name is told, the interface behind it may be another one, or another machine's.
    own: { kind: 'tls', host: advertise === undefined ? host : anyHost(host), port },
    advertise: host,
    parent: undefined,
    mayFetch: true,
  };
}

function anyHost(host: string): string {
  return host.includes(':') ? '::' : '0.0.0.0';
}
