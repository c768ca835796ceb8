import { assert } from '../../errors.ts';
import type { StrategyChoice } from '../choice.ts';

/** Who waits for whom at a parameter server: a small object that the server asks. */
export interface Consistency {
  readonly name: 'asynchronous' | 'stale-synchronous' | 'bulk-synchronous';
  /** Pushes are gathered by clock, and those of a clock applied together, clocks in order; else each on arrival. */
  readonly clocked: boolean;
  /** Most updates that may come between a pull and the application of what was computed from it; Infinity: no bound. */
  readonly bound: number;
  /** Whether a worker may start `clock` when `applied` clocks are applied. */
  mayStart(clock: number, applied: number): boolean;
}

/** Pushes are applied on arrival; nobody waits for anybody. */
export const asynchronous: Consistency = {
  name: 'asynchronous',
  clocked: false,
  bound: Number.POSITIVE_INFINITY,
  mayStart: () => true,
};

/**
 * Stale-synchronous parallel (Ho et al., NIPS 2013): a worker starts clock c once clock c − 1 − s is applied, so a gradient is at
 * most s updates old. s = 0 is bulk-synchronous.
 */
export function staleSynchronous(s: number): Consistency {
  assert(Number.isSafeInteger(s) && s >= 0, 'staleness out of range');
  return {
    name: s === 0 ? 'bulk-synchronous' : 'stale-synchronous',
    clocked: true,
    bound: s,
    mayStart: (clock, applied) => clock - s <= applied,
  };
}

export const bulkSynchronous: Consistency = staleSynchronous(0);

/** The one that a user chose. */
export function consistencyOf({ staleness }: Pick<StrategyChoice, 'staleness'>): Consistency {
  return staleness === 'asynchronous' ? asynchronous : staleSynchronous(staleness);
}
