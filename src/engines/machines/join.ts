import { type Address, addressText } from '../../communicate/streams/address.ts';
import { connect } from '../../communicate/streams/connect.ts';
import { ParagradError } from '../../errors.ts';
import { NUMERICS_VERSION } from '../../partition/version.ts';
import { CALL } from './messages.ts';
import { offerPlace, type PlaceOptions } from './place.ts';

export interface JoinOptions extends PlaceOptions {
  /** Where the coordinator waits (`train --bind`). */
  readonly address: Address;
  /** How long to try while nobody is there yet. */
  readonly waitMs: number;
}

/**
 * Joins the run of a coordinator with one or more workers, until it is over.
 *
 * @throws PARAGRAD_CONNECT when nobody is there in time, PARAGRAD_KEY, PARAGRAD_HELLO when this machine does not fit,
 * PARAGRAD_PEER_LOST when the coordinator went away without a word; the signal's reason
 */
export async function joinRun(options: JoinOptions): Promise<void> {
  const { address, key, places, waitMs, log } = options;
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  const text = addressText(address);
  const place = async (index: number): Promise<void> => {
    const hello = { group: CALL.join, numericsVersion: NUMERICS_VERSION, generation: 0 };
    const { channel } = await connect({ address, key, hello, timeoutMs: waitMs, signal });
    if (index === 0) log(`joined ${text}${places === 1 ? '' : ` with ${places} places`}: waiting for work`);
    const end = await offerPlace(channel, index, address, { ...options, signal });
    if (end === 'gone')
      throw new ParagradError(
        'PARAGRAD_PEER_LOST',
        `the coordinator at ${text} is gone, and did not say that the run is over: see what it said last`,
      );
  };
  const all = Array.from({ length: places }, (_, index) =>
    place(index).catch((error: unknown) => {
      failed.abort(error);
      throw error;
    }),
  );
  await Promise.allSettled(all);
  options.signal.throwIfAborted();
  if (failed.signal.aborted) throw failed.signal.reason;
  log('the run is over');
}
