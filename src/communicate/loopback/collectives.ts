import type { Collective } from '../collective.ts';
import { createMessageCollective, type MessageOptions } from '../messages/collective.ts';
import { createLoopbackChannels } from './channel.ts';

/** A group of `size` ranks in one thread: one collective per rank, all usable at the same time. */
export function createLoopbackCollectives(size: number, options: MessageOptions = {}): Collective[] {
  return createLoopbackChannels(size).map((channels, rank) => createMessageCollective(rank, channels, options));
}
