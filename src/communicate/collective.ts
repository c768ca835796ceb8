import type { NodeId } from '../partition/tree.ts';

/**
 * The contract of collective communication: all ranks of a group call the same operations in the same order. Values are
 * tree nodes (docs/numerics.md §5), added in tree order whatever the order of arrival, so the result has the same bits for
 * every number of ranks. Knows bytes and tree nodes, nothing of models.
 */

export type Elements = Float32Array | Float64Array;

/**
 * A rank's contribution to an all-reduce: one node of the tree over `leaves` leaves, for the elements [begin, begin +
 * values.length) of the vector; `values` undefined: the node is missing, for the elements [begin, end).
 */
export interface Part<E extends Elements = Float64Array> {
  readonly node: NodeId;
  readonly begin: number;
  readonly end: number;
  readonly values: E | undefined;
}

export interface ReduceShape {
  /** Length of the whole vector, in elements. */
  readonly length: number;
  /** Leaves of the tree. */
  readonly leaves: number;
  /** From this element on the vector is a gradient, which a group that compresses may make smaller; undefined: all must be exact. */
  readonly gradientFrom?: number | undefined;
}

/** A decision of rank 0 that travels with the next all-reduce and takes effect for all ranks at the same step. */
export type ControlWord = 0 | 1 | 2;
export const CONTROL = { go: 0, timeLimit: 1, abort: 2 } as const satisfies Record<string, ControlWord>;

export interface Traffic {
  /** Bytes of values that this rank handed to others (written where others read them), headers not counted. */
  readonly bytesSent: number;
  readonly messagesSent: number;
  /** Milliseconds spent waiting for others. */
  readonly waitMs: number;
}

/**
 * Every operation has a deadline (PARAGRAD_TIMEOUT names the ranks that are late), and fails with PARAGRAD_PEER_LOST when
 * a peer is gone, PARAGRAD_GENERATION when a message of another generation or step arrives, PARAGRAD_TREE when a tree is
 * incomplete, doubled or foreign.
 */
export interface Collective {
  readonly rank: number;
  readonly size: number;
  /** Counts restarts of the group: messages of an older generation are refused. */
  readonly generation: number;
  /** Operations done so far: equal on all ranks. */
  readonly step: number;

  /**
   * Adds all ranks' parts in tree order. The result (zeros where the root is missing) is written to `into` on every rank,
   * in the precision of its elements. Returns rank 0's control word.
   */
  allReduce<E extends Elements>(shape: ReduceShape, parts: readonly Part<E>[], into: E, control?: ControlWord): Promise<ControlWord>;

  /** Every rank's bytes, by rank. Lengths may differ. */
  allGather(bytes: Uint8Array): Promise<Uint8Array[]>;

  /** Root's bytes, on every rank. Only the root's argument is read. */
  broadcast(bytes: Uint8Array | undefined, root: number): Promise<Uint8Array>;

  barrier(): Promise<void>;

  traffic(): Traffic;

  close(): Promise<void>;
}
