import type { Algorithm } from '../../communicate/messages/collective.ts';
import type { Communicate } from '../engine.ts';

/** Up to so many ranks all speak to all: the fewest latencies. More would need too many connections. */
const DIRECT_RANKS = 32;

/** The all-reduce of a way to communicate, in a group of so many ranks (docs/algorithms.md). */
export function algorithmFor(communicate: Communicate, ranks: number): Algorithm {
  if (communicate !== 'peer-to-peer') return communicate;
  return ranks > DIRECT_RANKS ? 'hierarchical' : 'direct';
}
