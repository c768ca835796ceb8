import { asynchronous, type Consistency } from '../../../src/strategies/parameter-server/consistency.ts';
import { LATE_RULES, type LateRuleName } from '../../../src/strategies/parameter-server/late.ts';
import { takenOf } from '../../../src/strategies/parameter-server/order.ts';
import type { Push } from '../../../src/strategies/parameter-server/push.ts';
import { Replay } from '../../../src/strategies/parameter-server/replay.ts';
import { ParameterServer, type Reply, type ServerOptions, type Updater } from '../../../src/strategies/parameter-server/server.ts';
import { generator } from '../../support/problems.ts';

/** A server and its workers without threads, clocks or sockets: a list of numbers decides what happens next. */

export const LENGTH = 3;
export const ROWS = 4;

/** Plain descent with a momentum, so that the order of updates shows in every bit. */
export class Descent implements Updater {
  #velocity = new Float64Array(LENGTH);
  /** Gradients applied. */
  updates = 0;

  update(weights: Float64Array, gradient: Float64Array, factor: number): void {
    this.updates += 1;
    for (let j = 0; j < weights.length; j += 1) {
      this.#velocity[j] = 0.5 * this.#velocity[j] - 0.05 * factor * gradient[j];
      weights[j] += this.#velocity[j];
    }
  }

  state(): unknown {
    return this.#velocity.slice();
  }

  restore(state: unknown): void {
    this.#velocity = (state as Float64Array).slice();
  }
}

export function optionsOf(
  consistency: Consistency,
  late: LateRuleName,
  maxRows: number,
  workers = 1,
): ServerOptions & { readonly updater: Descent } {
  return {
    consistency,
    late: LATE_RULES[late],
    weights: Float64Array.of(1, -2, 3),
    penalised: 2,
    l2: 0.01,
    weightSum: 100,
    trainingRows: 100,
    updater: new Descent(),
    maxRows,
    workers,
  };
}

/** What a worker pushes for a sequence number: a gradient of its own rows at the weights that it pulled. */
export function gradientOf(worker: number, sequence: number, weights: Float64Array): Float64Array {
  const random = generator(worker * 1000 + sequence + 1);
  return weights.map((w) => ROWS * (w - random()));
}

/** One worker: at most one push is under way; everything may be delivered twice, or late. */
class SimulatedWorker {
  readonly worker: number;
  #last: Push | undefined;
  /** Of the server that it last heard of. */
  #incarnation = 0;

  constructor(worker: number) {
    this.worker = worker;
  }

  /** A push, 'ended', or nothing: the grant came twice. */
  take(reply: Granted): Push | 'ended' | undefined {
    if (reply.kind === 'end') return 'ended';
    if (reply.sequence <= (this.#last?.sequence ?? -1) && reply.incarnation === this.#incarnation) return undefined;
    this.#incarnation = reply.incarnation;
    this.#last = {
      worker: this.worker,
      sequence: reply.sequence,
      version: reply.version,
      rows: ROWS,
      sums: gradientOf(this.worker, reply.sequence, reply.weights),
    };
    return this.#last;
  }

  get last(): Push | undefined {
    return this.#last;
  }
}

export interface SimulationOptions {
  readonly consistency?: Consistency;
  readonly late?: LateRuleName;
  readonly workers: number;
  /** Numbers that decide what is delivered next, and what is sent again. */
  readonly choices: readonly number[];
  readonly maxRows?: number;
  readonly replay?: Int32Array;
  /** Of all deliveries, this share is done once more, later. */
  readonly duplicates?: boolean;
  /** The server ends at these deliveries, and one restored from the snapshot of `snapshotEvery` deliveries takes its place. */
  readonly crashesAt?: readonly number[];
  readonly snapshotEvery?: number;
  /** Worker `worker` is replaced by a new one at a delivery. */
  readonly replaceAt?: readonly { readonly delivery: number; readonly worker: number }[];
}

export interface SimulationResult {
  readonly server: ParameterServer;
  readonly deliveries: number;
  readonly updates: number;
}

type Granted = Reply & { readonly incarnation: number };

type Delivery =
  | { readonly to: 'server'; readonly push: Push | undefined; readonly worker: number; readonly again?: boolean }
  | { readonly to: 'worker'; readonly worker: number; readonly reply: Granted };

/** Runs until every worker was told to end. */
export function simulate(options: SimulationOptions): SimulationResult {
  const { choices, workers, maxRows = 40 * ROWS } = options;
  const serverOptions = optionsOf(options.consistency ?? asynchronous, options.late ?? 'apply', maxRows, workers);
  let server = new ParameterServer(serverOptions);
  let replay = options.replay === undefined ? undefined : new Replay(server, takenOf(options.replay, workers));
  let snapshot = server.snapshot();
  const crew = Array.from({ length: workers }, (_, worker) => new SimulatedWorker(worker));
  const ended = new Set<number>();
  const queue: Delivery[] = crew.map(({ worker }) => ({ to: 'server', push: undefined, worker }));
  let deliveries = 0;
  let incarnation = 0;
  while (ended.size < workers) {
    if (queue.length === 0) throw new Error(`nobody has anything to do after ${deliveries} deliveries`);
    if (deliveries > 20_000) throw new Error('no end');
    const choice = choices[deliveries % choices.length];
    const [item] = queue.splice(choice % queue.length, 1);
    deliveries += 1;
    if (options.duplicates === true && choice % 5 === 0 && item.to === 'server' && item.push !== undefined && item.again !== true)
      queue.push({ ...item, again: true });
    if (item.to === 'worker') {
      const push = crew[item.worker].take(item.reply);
      if (push === 'ended') ended.add(item.worker);
      else if (push !== undefined) queue.push({ to: 'server', push, worker: item.worker });
    } else {
      const target = replay ?? server;
      if (item.push === undefined) target.join(item.worker);
      else target.push(item.push);
      for (const reply of target.settle()) queue.push({ to: 'worker', worker: reply.worker, reply: { ...reply, incarnation } });
    }
    if (deliveries % (options.snapshotEvery ?? Number.POSITIVE_INFINITY) === 0) snapshot = server.snapshot();
    if (options.crashesAt?.includes(deliveries) === true && !server.ended) {
      server = ParameterServer.restore(serverOptions, snapshot);
      replay = undefined;
      incarnation += 1;
      // Who waited for the old server sends its last push again; what the old one had not answered yet is answered no more.
      queue.splice(0, queue.length);
      for (const { worker, last } of crew) queue.push({ to: 'server', push: last, worker });
    }
    for (const { delivery, worker } of options.replaceAt ?? []) {
      if (delivery !== deliveries || ended.has(worker)) continue;
      crew[worker] = new SimulatedWorker(worker);
      for (let i = queue.length - 1; i >= 0; i -= 1) if (queue[i].worker === worker) queue.splice(i, 1);
      queue.push({ to: 'server', push: undefined, worker });
    }
  }
  return { server, deliveries, updates: serverOptions.updater.updates };
}
