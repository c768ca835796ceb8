import { type ErrorCode, ParagradError } from '../errors.ts';

/** The errors of communication, made in one place so that every implementation says the same (docs/errors.md). */

function ranksText(ranks: readonly number[]): string {
  return `${ranks.length === 1 ? 'rank' : 'ranks'} ${ranks.join(', ')}`;
}

function failure(code: ErrorCode, message: string, ranks: readonly number[]): ParagradError {
  return new ParagradError(code, message, { place: ranks[0] === undefined ? {} : { rank: ranks[0] } });
}

/** `late` did not arrive in time; `place.rank` is the first of them. */
export function timedOut(late: readonly number[], step: number, timeoutMs: number): ParagradError {
  const text = `${ranksText(late)} did not arrive at step ${step} within ${timeoutMs} ms: the worker may be stuck or overloaded; if it is only slow, raise the timeout`;
  return failure('PARAGRAD_TIMEOUT', text, late);
}

/** `lost` ended, crashed or closed its end. */
export function peerLost(lost: readonly number[], step: number): ParagradError {
  return failure('PARAGRAD_PEER_LOST', `${ranksText(lost)} ended before step ${step} was done: look for the error of that worker`, lost);
}

/** Where a rank stands: its restart count, its operation's number and name. */
export interface Standing {
  readonly generation: number;
  readonly step: number;
  readonly operation: string;
}

/** A peer is in another generation, at another step, or in another operation of the same step. */
export function outOfStep(peer: number, theirs: Standing, own: Standing): ParagradError {
  const say = (s: Standing): string => `generation ${s.generation}, step ${s.step} (${s.operation})`;
  const text = `rank ${peer} is at ${say(theirs)}, this rank at ${say(own)}: all ranks of a group must call the same operations in the same order`;
  return failure('PARAGRAD_GENERATION', text, [peer]);
}

/** A contribution that is no part of the tree, or not what its own description says. */
export function wrongTree(rank: number, what: string): ParagradError {
  return failure('PARAGRAD_TREE', `all-reduce: ${what} (from rank ${rank})`, [rank]);
}

/** A message that was lost, doubled or malformed on its way. */
export function brokenChannel(peer: number, what: string): ParagradError {
  return failure('PARAGRAD_CHANNEL', `channel from rank ${peer}: ${what}`, [peer]);
}

/** An error that leaves all ranks at the same step: the group can go on after it. */
export function isSurvivable(error: unknown): boolean {
  return error instanceof ParagradError && error.code === 'PARAGRAD_TREE';
}
