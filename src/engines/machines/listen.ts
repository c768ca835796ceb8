import { type Address, addressText } from '../../communicate/streams/address.ts';
import type { StreamChannel } from '../../communicate/streams/channel.ts';
import { refused } from '../../communicate/streams/greeting.ts';
import { listen } from '../../communicate/streams/listen.ts';
import type { ParagradError } from '../../errors.ts';
import { NUMERICS_VERSION } from '../../partition/version.ts';
import { CALL, tell } from './messages.ts';
import { offerPlace, type PlaceOptions } from './place.ts';
import { Refusals } from './refusals.ts';

export interface ListenOptions extends PlaceOptions {
  readonly address: Address;
  /** With the port that was found, where 0 was asked for. */
  readonly onListening?: ((address: Address) => void) | undefined;
}

/**
 * Waits for coordinators (`train --hosts`) and works for them, for several at a time where there are places; ends when the signal
 * is aborted, and with it all workers.
 *
 * @throws PARAGRAD_ADDRESS, PARAGRAD_KEY
 */
export async function listenForRuns(options: ListenOptions): Promise<void> {
  const { address, key, places, log, signal } = options;
  const free = new Set(Array.from({ length: places }, (_, index) => index));
  const serving = new Set<Promise<void>>();
  const refusals = new Refusals(log);
  const serve = async (channel: StreamChannel): Promise<void> => {
    const [index] = free;
    if (index === undefined) {
      await tell(channel, { kind: 'full', places }).catch(() => undefined);
      await channel.close();
      return;
    }
    free.delete(index);
    const from = channel.ends.peer;
    log(`place ${index + 1} of ${places} is taken by ${from}`);
    try {
      const end = await offerPlace(channel, index, undefined, options);
      log(`place ${index + 1} is free again: ${end === 'over' ? 'the run is over' : `the coordinator at ${from} is gone`}`);
    } catch (error) {
      if (!signal.aborted) log(`place ${index + 1} is free again: ${(error as ParagradError).message}`);
    } finally {
      free.add(index);
    }
  };
  const listener = await listen({
    address,
    key,
    numericsVersion: NUMERICS_VERSION,
    admit: ({ group }) => {
      if (group !== CALL.hire) throw refused(`group ${group} is not served here: this is a machine that waits for --hosts`);
      return { rank: 1, you: 0, size: 2, generation: 0 };
    },
    onChannel: (channel) => {
      const served = serve(channel).finally(() => serving.delete(served));
      serving.add(served);
    },
    onRefused: (error) => refusals.tell(error.message),
  });
  try {
    options.onListening?.(listener.address);
    log(`listening at ${addressText(listener.address)} with ${places === 1 ? 'one place' : `${places} places`} for workers`);
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
  } finally {
    listener.close();
    await Promise.all(serving);
  }
}
