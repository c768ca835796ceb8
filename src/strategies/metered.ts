import type { Collective, ControlWord, Elements, Part, ReduceShape, Traffic } from '../communicate/collective.ts';
import type { CostMeter, RankCosts } from '../monitor/costs.ts';
import { gatherJson } from './gather.ts';
import type { RankHost } from './strategy.ts';

/** A collective whose time is counted: what a rank does between its operations is computing. */
export class MeteredCollective implements Collective {
  readonly #inner: Collective;
  readonly #meter: CostMeter;
  readonly #onActivity: RankHost['onActivity'];
  readonly #before: Traffic;

  constructor(inner: Collective, meter: CostMeter, onActivity: RankHost['onActivity']) {
    this.#inner = inner;
    this.#meter = meter;
    this.#onActivity = onActivity;
    this.#before = inner.traffic();
  }

  get rank(): number {
    return this.#inner.rank;
  }

  get size(): number {
    return this.#inner.size;
  }

  get generation(): number {
    return this.#inner.generation;
  }

  get step(): number {
    return this.#inner.step;
  }

  allReduce<E extends Elements>(shape: ReduceShape, parts: readonly Part<E>[], into: E, control?: ControlWord): Promise<ControlWord> {
    return this.#metered(this.#enter() ?? this.#inner.allReduce(shape, parts, into, control));
  }

  allGather(bytes: Uint8Array): Promise<Uint8Array[]> {
    return this.#metered(this.#enter() ?? this.#inner.allGather(bytes));
  }

  broadcast(bytes: Uint8Array | undefined, root: number): Promise<Uint8Array> {
    return this.#metered(this.#enter() ?? this.#inner.broadcast(bytes, root));
  }

  barrier(): Promise<void> {
    return this.#metered(this.#enter() ?? this.#inner.barrier());
  }

  #enter(): undefined {
    this.#onActivity?.('communicating', this.#meter.steps);
    this.#meter.enter('communicating');
    return undefined;
  }

  #metered<T>(operation: Promise<T>): Promise<T> {
    return operation.then((result) => {
      this.#meter.enter('computing');
      this.#onActivity?.('computing', this.#meter.steps);
      return result;
    });
  }

  traffic(): Traffic {
    return this.#inner.traffic();
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  /** Costs of all ranks, by rank, on every rank: since this was made. `own`: what this rank is. */
  async gather({ role, of }: Pick<RankCosts, 'role' | 'of'>): Promise<RankCosts[]> {
    const { bytesSent, messagesSent, waitMs } = this.#inner.traffic();
    this.#meter.move(waitMs - this.#before.waitMs, 'communicating', 'waiting');
    const own = {
      ...this.#meter.costs(this.rank, role),
      ...(of === undefined ? {} : { of }),
      bytesSent: bytesSent - this.#before.bytesSent,
      messagesSent: messagesSent - this.#before.messagesSent,
    };
    return gatherJson(this.#inner, own);
  }
}
