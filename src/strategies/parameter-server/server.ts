import { assert } from '../../errors.ts';
import type { Consistency } from './consistency.ts';
import { compensate, type LateRule } from './late.ts';
import { OrderLog } from './order.ts';
import { addPushes, type Push } from './push.ts';
import { Staleness } from './staleness.ts';

/** How a server changes its segment of the weights: an update rule with its schedule, bound to the segment. */
export interface Updater {
  /** Changes `weights` in place by the rule; `factor` multiplies the learning rate of this update. */
  update(weights: Float64Array, gradient: Float64Array, factor: number): void;
  /** Plain data: everything that a copy needs to go on with the same bits. */
  state(): unknown;
  restore(state: unknown): void;
}

export interface ServerOptions {
  readonly consistency: Consistency;
  readonly late: LateRule;
  /** Weights at the start: of this server's segment. Not kept. */
  readonly weights: Float64Array;
  /** How many of them, from the first, carry the penalty l2: all but the intercept. */
  readonly penalised: number;
  readonly l2: number;
  /** V and the number of training rows: pushes over n rows are divided by (V·n)/rows. */
  readonly weightSum: number;
  readonly trainingRows: number;
  readonly updater: Updater;
  /** Gradients of this many rows are applied; then every worker is told to end. */
  readonly maxRows: number;
  /** Workers 0 … workers − 1 are there from the start: with clocks, they are waited for. Others may join. */
  readonly workers: number;
}

/** What the server tells a worker: compute `sequence` from these weights (a copy), or end. */
export type Reply =
  | {
      readonly kind: 'grant';
      readonly worker: number;
      readonly sequence: number;
      readonly version: number;
      readonly weights: Float64Array;
    }
  | { readonly kind: 'end'; readonly worker: number };

interface Member {
  /** Sequence number of the last push that was taken; all up to it are done. */
  last: number;
  active: boolean;
  /** It waits for a grant. */
  waiting: boolean;
  /** Its last grant, where late gradients are compensated: whoever asks again is given the same again. */
  granted: Extract<Reply, { kind: 'grant' }> | undefined;
}

/** Everything that a server needs to go on: weights and the table of what was applied lie in the same snapshot. */
export interface ServerSnapshot {
  readonly version: number;
  readonly rows: number;
  readonly weights: Float64Array;
  readonly mean: Float64Array;
  readonly updater: unknown;
  readonly members: readonly { readonly worker: number; readonly last: number; readonly active: boolean }[];
  readonly staleness: readonly number[];
  readonly lost: number;
}

/**
 * One server of a parameter server: a segment of the weights, and who may do what when. A pure state machine: no clock, no
 * input or output; its host brings messages in and carries replies out. A worker pushes the gradient of some rows of its own
 * range as raw sums, with a sequence number; a push is applied once, however often it is sent. What is applied together is
 * added in the tree over ranks, whatever the order of arrival, and divided together (docs/numerics.md §5); the server adds l2·w.
 */
export class ParameterServer {
  readonly #options: ServerOptions;
  readonly weights: Float64Array;
  readonly staleness = new Staleness();
  readonly order = new OrderLog();
  readonly #members = new Map<number, Member>();
  /** Clocked: pushes that wait for those of others, by clock. */
  readonly #gathered = new Map<number, Map<number, Push>>();
  readonly #mean: Float64Array;
  #version = 0;
  #rows = 0;
  #lost = 0;
  #refused = 0;
  #ended = false;
  #restored = false;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.weights = options.weights.slice();
    this.#mean = new Float64Array(options.late.compensates ? options.weights.length : 0);
    for (let worker = 0; worker < options.workers; worker += 1)
      this.#members.set(worker, { last: -1, active: true, waiting: false, granted: undefined });
  }

  /** Updates applied; with clocks, clocks applied. */
  get version(): number {
    return this.#version;
  }

  /** Rows whose gradients were applied. */
  get rows(): number {
    return this.#rows;
  }

  /** Updates that were lost with an earlier server, as far as its workers have shown. */
  get lost(): number {
    return this.#lost;
  }

  /** Gradients refused because they were late. */
  get refused(): number {
    return this.#refused;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Sequence number of a worker's last push that was taken, −1 before. */
  lastOf(worker: number): number {
    return this.#members.get(worker)?.last ?? -1;
  }

  /** Workers that are there. */
  get active(): number {
    let count = 0;
    for (const { active } of this.#members.values()) if (active) count += 1;
    return count;
  }

  /** Every worker that is there asked what comes next and has no answer yet, or did so as far as the caller knows. */
  allWait(known: (worker: number) => boolean): boolean {
    for (const [worker, { active, waiting }] of this.#members) if (active && !waiting && !known(worker)) return false;
    return true;
  }

  /** A worker comes, for the first time or again: what it had pushed before its end counts, what it had not is computed anew. */
  join(worker: number): void {
    const known = this.#members.get(worker);
    // A new worker of a clocked run takes part from the clock that is applied next.
    const last = known?.last ?? (this.#options.consistency.clocked ? this.#version - 1 : -1);
    const back = known !== undefined && !known.active && this.#options.consistency.clocked;
    this.#members.set(worker, { last: back ? Math.max(last, this.#version - 1) : last, active: true, waiting: true, granted: undefined });
  }

  /** A worker goes: nobody waits for it any more. What it pushed stays. */
  leave(worker: number): void {
    const member = this.#members.get(worker);
    if (member === undefined || !member.active) return;
    member.active = false;
    member.waiting = false;
    this.#applyClocks();
  }

  /** Takes a push, once: one that was sent again only asks again for what comes next. */
  push(push: Push): void {
    // Workers of a server that was restored send their last push again: some of them may be unknown to the snapshot.
    if (this.#members.get(push.worker)?.active !== true) this.join(push.worker);
    const member = this.#members.get(push.worker) as Member;
    member.waiting = true;
    const next = member.last + 1;
    if (push.sequence < next || this.#ended) return;
    if (push.sequence > next && !this.#overtaken(push, next)) return;
    member.last = push.sequence;
    if (this.#options.consistency.clocked) {
      const gathered = this.#gathered.get(push.sequence) ?? new Map<number, Push>();
      this.#gathered.set(push.sequence, gathered.set(push.worker, push));
      this.#applyClocks();
    } else this.#applyTogether([push]);
  }

  /**
   * A worker is ahead of this server, which was restored from a snapshot: the updates between are lost. With clocks they are
   * computed again; else the push is taken, and the run goes on without them.
   */
  #overtaken(push: Push, next: number): boolean {
    const { clocked } = this.#options.consistency;
    const lost = push.sequence - next;
    this.#lost = clocked ? Math.max(this.#lost, lost) : this.#lost + lost;
    return !clocked;
  }

  /** Grants what may be granted now. */
  settle(): Reply[] {
    const replies: Reply[] = [];
    for (const worker of this.#members.keys()) {
      const reply = this.mayGrant(worker) ? this.grant(worker) : undefined;
      if (reply !== undefined) replies.push(reply);
    }
    return replies;
  }

  get clocked(): boolean {
    return this.#options.consistency.clocked;
  }

  /** A worker asked what comes next, and has no answer yet. */
  isWaiting(worker: number): boolean {
    return this.#members.get(worker)?.waiting === true;
  }

  mayGrant(worker: number): boolean {
    const member = this.#members.get(worker);
    if (member === undefined || !member.waiting) return false;
    return this.#ended || this.#options.consistency.mayStart(member.last + 1, this.#version);
  }

  grant(worker: number): Reply {
    const member = this.#members.get(worker) as Member;
    member.waiting = false;
    if (this.#ended) return { kind: 'end', worker };
    const sequence = member.last + 1;
    if (member.granted?.sequence === sequence) return member.granted;
    const reply: Reply = { kind: 'grant', worker, sequence, version: this.#version, weights: this.weights.slice() };
    if (this.#options.late.compensates) member.granted = reply;
    return reply;
  }

  /** Workers had seen `version` of the server that was here before: what is missing up to it is lost. */
  loseTo(version: number): void {
    if (version <= this.#version) return;
    this.#lost += version - this.#version;
    this.order.break();
  }

  /** No more updates: everybody is told to end. */
  end(): void {
    this.#ended = true;
    this.#gathered.clear();
  }

  #applyClocks(): void {
    for (;;) {
      const gathered = this.#gathered.get(this.#version);
      if (gathered === undefined || this.#ended) return;
      for (const [worker, { active, last }] of this.#members) if (active && last < this.#version && !gathered.has(worker)) return;
      this.#gathered.delete(this.#version);
      this.#applyTogether([...gathered.values()]);
    }
  }

  /** Gradients that are applied together, or refused together, as a record says it (`Replay`). */
  takeTogether(pushes: readonly Push[], refused: boolean): void {
    for (const push of pushes) {
      const member = this.#members.get(push.worker) as Member;
      member.last = push.sequence;
      member.waiting = true;
    }
    this.#applyTogether(pushes, refused);
  }

  #applyTogether(pushes: readonly Push[], isRefused?: boolean): void {
    const { late } = this.#options;
    const active = Math.max(this.active, pushes.length);
    const staleness = Math.max(...pushes.map((push) => this.#observe(push)));
    const factor = late.weight(staleness, active);
    const refused = isRefused ?? factor === 0;
    for (const { worker, sequence, version } of pushes) this.order.add({ worker, sequence, version, refused });
    if (refused) {
      this.#refused += pushes.length;
      return;
    }
    const pulled = late.compensates && pushes.length === 1 ? this.#members.get(pushes[0].worker)?.granted?.weights : undefined;
    const { sums, rows } = addPushes(pushes);
    this.#apply(sums, rows, factor, pulled);
  }

  /** The staleness of what is about to be applied. The bound is the server's promise, so it checks it itself. */
  #observe({ worker, sequence, version }: Push): number {
    // What was computed from weights that were lost with an earlier server is of no version that this one ever had.
    const staleness = this.#restored ? Math.max(0, this.#version - version) : this.#version - version;
    const { bound } = this.#options.consistency;
    assert(staleness >= 0, `push ${sequence} of worker ${worker} is of version ${version}, which is still to come`);
    assert(staleness <= bound, `push ${sequence} of worker ${worker} is ${staleness} updates old, and ${bound} is the bound`);
    this.staleness.add(staleness);
    return staleness;
  }

  #apply(sums: Float64Array, rows: number, factor: number, pulled: Float64Array | undefined): void {
    const { weightSum, trainingRows, penalised, l2, updater, maxRows } = this.#options;
    const divisor = (weightSum * rows) / trainingRows;
    const gradient = new Float64Array(sums.length);
    for (let j = 0; j < gradient.length; j += 1) gradient[j] = sums[j] / divisor;
    if (pulled !== undefined) compensate(gradient, this.weights, pulled, this.#mean);
    for (let j = 0; j < penalised; j += 1) gradient[j] = gradient[j] + l2 * this.weights[j];
    updater.update(this.weights, gradient, factor);
    this.#version += 1;
    this.#rows += rows;
    if (this.#rows >= maxRows) this.end();
  }

  snapshot(): ServerSnapshot {
    const { clocked } = this.#options.consistency;
    return {
      version: this.#version,
      rows: this.#rows,
      weights: this.weights.slice(),
      mean: this.#mean.slice(),
      updater: this.#options.updater.state(),
      // With clocks, what was taken and waits for others is not in the weights: it will be computed again.
      members: [...this.#members].map(([worker, { last, active }]) => ({
        worker,
        last: clocked ? Math.min(last, this.#version - 1) : last,
        active,
      })),
      staleness: [...this.staleness.counts],
      lost: this.#lost,
    };
  }

  /** A server that goes on from a snapshot. Its workers join again. */
  static restore(options: ServerOptions, snapshot: ServerSnapshot): ParameterServer {
    const server = new ParameterServer({ ...options, weights: snapshot.weights });
    server.#version = snapshot.version;
    server.#rows = snapshot.rows;
    server.#lost = snapshot.lost;
    server.#restored = true;
    server.order.break();
    server.#mean.set(snapshot.mean);
    for (const { worker, last, active } of snapshot.members)
      server.#members.set(worker, { last, active, waiting: false, granted: undefined });
    server.staleness.restore(snapshot.staleness);
    options.updater.restore(snapshot.updater);
    if (snapshot.rows >= options.maxRows) server.end();
    return server;
  }
}
