import { assert } from '../../errors.ts';
import type { Backups } from '../backups.ts';
import type { Channel } from '../channel.ts';
import type { Collective, ControlWord, Elements, Part, ReduceShape, Traffic } from '../collective.ts';
import { isSurvivable } from '../failures.ts';
import type { Adder } from '../reduce.ts';
import { backedOf } from './backed.ts';
import { directOf } from './direct.ts';
import { groupedOperations } from './grouped.ts';
import { Grouping } from './grouping.ts';
import { hierarchicalOf } from './hierarchical.ts';
import { KIND, Links } from './links.ts';
import type { Group, ReduceCall, ReducePhase } from './reduction.ts';
import { ringOf } from './ring.ts';
import { servedOf } from './served.ts';
import { type Operations, peerOperations, starOperations } from './star.ts';

export interface MessageOptions {
  readonly generation?: number;
  /** Number of the group's first operation. */
  readonly step?: number;
  /** Deadline of every single wait. */
  readonly timeoutMs?: number;
  /** How an all-reduce is done (docs/algorithms.md), the same on all ranks; default: direct. */
  readonly algorithm?: Algorithm;
  /** Client–server: ranks 0 … reducers − 1 add, each a segment; default 1. */
  readonly reducers?: number;
  /** Hierarchical: how many groups; default: about √P (grouping.ts). */
  readonly groups?: number;
  /** Client–server with one reducer: ranks from `backups.workers` on compute the nodes of others. The same numbers on all ranks. */
  readonly backups?: Backups | undefined;
  /** Makes the sums of long vectors faster: the same bits. */
  readonly adder?: Adder | undefined;
  /** Told when a phase of an all-reduce begins, and `idle` at its end, also when it failed: for traces. */
  readonly onPhase?: (phase: ReducePhase, step: number) => void;
}

/** The bits of a sum are the same from all but ring, for every number of ranks. Those of a ring depend on it. */
export type Algorithm = 'direct' | 'hierarchical' | 'client-server' | 'ring';

/** Which ranks of a group of `size` speak to each other: no others need a channel. */
export function neighboursOf(
  size: number,
  { algorithm = 'direct', reducers = 1, groups }: Pick<MessageOptions, 'algorithm' | 'reducers' | 'groups'>,
): (a: number, b: number) => boolean {
  if (algorithm === 'client-server') return (a, b) => a !== b && (a < reducers || b < reducers);
  if (algorithm !== 'hierarchical') return (a, b) => a !== b;
  const grouping = new Grouping(size, groups);
  return (a, b) => grouping.areConnected(a, b);
}

const TIMEOUT_MS = 120_000;

/** Collectives over channels, for P ranks. Of an all-reduce: direct.ts, hierarchical.ts, served.ts, ring.ts. Of the others: star.ts, grouped.ts. */
class MessageCollective implements Collective {
  readonly rank: number;
  readonly size: number;
  readonly generation: number;
  readonly #links: Links;
  readonly #allReduce: (call: ReduceCall) => Promise<ControlWord>;
  readonly #others: Operations;
  #started: number;
  #step: number;
  #last: Promise<unknown> = Promise.resolve();
  #failure: unknown;

  constructor(rank: number, channels: readonly (Channel | undefined)[], options: MessageOptions) {
    this.rank = rank;
    this.size = channels.length;
    this.generation = options.generation ?? 0;
    this.#step = options.step ?? 0;
    this.#started = this.#step;
    const { algorithm = 'direct', reducers = 1, groups, onPhase = () => undefined } = options;
    assert(Number.isInteger(reducers) && reducers >= 1 && reducers <= this.size, 'number of reducers out of range');
    const areNeighbours = neighboursOf(this.size, options);
    this.#links = new Links(rank, channels, this.generation, options.timeoutMs ?? TIMEOUT_MS, (peer) => areNeighbours(rank, peer));
    const group = { rank, size: this.size, links: this.#links, adder: options.adder, enter: onPhase };
    const { backups } = options;
    if (backups !== undefined) {
      assert(algorithm === 'client-server' && reducers === 1, 'backups need client-server with one reducer');
      this.#links.dropsLate = true;
      if (rank !== 0) backups.isReduced = () => this.#links.arrives(0, this.#started, KIND.sums);
    }
    const { others, allReduce } = waysOf(group, algorithm, reducers, groups);
    this.#others = others;
    const run = backups === undefined ? allReduce : backedOf(group, backups);
    this.#allReduce = async (call) => {
      try {
        return await run(call);
      } finally {
        this.#links.settle();
        onPhase('idle', call.step);
      }
    };
  }

  get step(): number {
    return this.#step;
  }

  allReduce<E extends Elements>(shape: ReduceShape, parts: readonly Part<E>[], into: E, control: ControlWord = 0): Promise<ControlWord> {
    return this.#operation((step) => this.#allReduce({ step, shape, parts, into, control }));
  }

  allGather(bytes: Uint8Array): Promise<Uint8Array[]> {
    return this.#operation((step) => this.#others.allGather(step, bytes));
  }

  broadcast(bytes: Uint8Array | undefined, root: number): Promise<Uint8Array> {
    assert(root >= 0 && root < this.size, 'broadcast from a root outside the group');
    assert(this.rank !== root || bytes !== undefined, 'broadcast without bytes');
    return this.#operation((step) => this.#others.broadcast(step, this.rank === root ? bytes : undefined, root));
  }

  barrier(): Promise<void> {
    return this.#operation((step) => this.#others.barrier(step));
  }

  traffic(): Traffic {
    const { bytesSent, messagesSent, waitMs } = this.#links;
    return { bytesSent, messagesSent, waitMs };
  }

  async close(): Promise<void> {
    await this.#links.close();
  }

  /** One operation after the other, in the order of the calls. */
  #operation<R>(run: (step: number) => Promise<R>): Promise<R> {
    const step = this.#started;
    this.#started += 1;
    const done = this.#last.then(async () => {
      if (this.#failure !== undefined) throw this.#failure;
      try {
        return await run(step);
      } catch (error) {
        if (!isSurvivable(error)) {
          this.#failure = error;
          await this.#links.fail(error, step);
        }
        throw error;
      } finally {
        this.#step += 1;
      }
    });
    this.#last = done.catch(() => undefined);
    return done;
  }
}

interface Ways {
  readonly allReduce: (call: ReduceCall) => Promise<ControlWord>;
  readonly others: Operations;
}

function waysOf(group: Group, algorithm: Algorithm, reducers: number, groups: number | undefined): Ways {
  const { rank, size, links } = group;
  switch (algorithm) {
    case 'hierarchical': {
      const grouping = new Grouping(size, groups);
      return { allReduce: hierarchicalOf(group, grouping), others: groupedOperations(rank, size, links, grouping) };
    }
    case 'client-server':
      return { allReduce: servedOf(group, reducers), others: starOperations(rank, size, links) };
    case 'ring':
      return { allReduce: ringOf(group), others: peerOperations(rank, size, links) };
    default:
      return { allReduce: directOf(group), others: peerOperations(rank, size, links) };
  }
}

/**
 * Rank `rank`'s end of a group whose other ranks are reached by `channels`, by rank (undefined for itself, and for ranks that are not
 * its neighbours).
 */
export function createMessageCollective(
  rank: number,
  channels: readonly (Channel | undefined)[],
  options: MessageOptions = {},
): Collective {
  return new MessageCollective(rank, channels, options);
}
