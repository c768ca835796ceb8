import { assert } from '../../errors.ts';
import type { Reply, ServerOptions, ServerSnapshot } from './contract.ts';
import { type Member, Members } from './members.ts';
import { OrderLog } from './order.ts';
import { addPushes, type Push } from './push.ts';
import { SegmentWeights } from './segment-weights.ts';
import { Shares } from './shares.ts';
import { Staleness } from './staleness.ts';

export type { Reply, ServerOptions, ServerSnapshot, Updater } from './contract.ts';

/**
 * One server of a parameter server: a segment of the weights, and who may do what when. A pure state machine: no clock, no
 * input or output; its host brings messages in and carries replies out. A worker pushes the gradient of some rows of its own
 * range as raw sums, with a sequence number; a push is applied once, however often it is sent. What is applied together is
 * added in the tree over ranks, whatever the order of arrival, and divided together (docs/numerics.md §5); the server adds l2·w.
 */
export class ParameterServer {
  readonly #options: ServerOptions;
  readonly staleness = new Staleness();
  readonly order = new OrderLog();
  readonly #members: Members;
  readonly #segment: SegmentWeights;
  readonly #shares: Shares;
  /** Workers whose last push came after the end. */
  readonly #dropped = new Set<number>();
  /** Clocked: pushes that wait for those of others, by clock. */
  readonly #gathered = new Map<number, Map<number, Push>>();
  #lost = 0;
  #refused = 0;
  #ended = false;
  #restored = false;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#members = new Members(options.workers);
    this.#segment = new SegmentWeights(options);
    this.#shares = new Shares(options.workers);
  }

  /** Of its segment: they change in place. */
  get weights(): Float64Array {
    return this.#segment.values;
  }

  /** Updates applied; with clocks, clocks applied. */
  get version(): number {
    return this.#segment.version;
  }

  /** Rows whose gradients were applied. */
  get rows(): number {
    return this.#segment.rows;
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
    return this.#members.active;
  }

  /** Every worker that is there asked what comes next and has no answer yet, or did so as far as the caller knows. */
  allWait(known: (worker: number) => boolean): boolean {
    return this.#members.allWait(known);
  }

  /** A worker comes, for the first time or again: what it had pushed before its end counts, what it had not is computed anew. */
  join(worker: number): void {
    const known = this.#members.get(worker);
    // A new worker of a clocked run takes part from the clock that is applied next.
    const last = known?.last ?? (this.#options.consistency.clocked ? this.version - 1 : -1);
    const back = known !== undefined && !known.active && this.#options.consistency.clocked;
    this.#members.set(worker, { last: back ? Math.max(last, this.version - 1) : last, active: true, waiting: true, granted: undefined });
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
    if (push.sequence < next) return;
    if (this.#ended) {
      this.#drop(push);
      return;
    }
    if (push.sequence > next && !this.#overtaken(push, next)) return;
    member.last = push.sequence;
    if (this.#options.consistency.clocked) {
      const gathered = this.#gathered.get(push.sequence) ?? new Map<number, Push>();
      this.#gathered.set(push.sequence, gathered.set(push.worker, push));
      this.#applyClocks();
    } else this.#applyTogether([push]);
  }

  /** What comes too late for any update is noted: to do the run again, its worker must be given these weights. */
  #drop({ worker, sequence, version }: Push): void {
    if (this.#dropped.has(worker)) return;
    this.#dropped.add(worker);
    this.order.add({ worker, sequence, version, refused: false, dropped: true });
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
    for (const worker of this.#members.workers()) {
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
    return this.#ended || this.#options.consistency.mayStart(member.last + 1, this.version);
  }

  grant(worker: number): Reply {
    const member = this.#members.get(worker) as Member;
    member.waiting = false;
    if (this.#ended) return { kind: 'end', worker };
    const sequence = member.last + 1;
    if (member.granted?.sequence === sequence) return member.granted;
    const reply: Reply = { kind: 'grant', worker, sequence, version: this.version, weights: this.weights.slice() };
    if (this.#options.late.compensates) member.granted = reply;
    return reply;
  }

  /** Workers had seen `version` of the server that was here before: what is missing up to it is lost. */
  loseTo(version: number): void {
    if (version <= this.version) return;
    this.#lost += version - this.version;
    this.order.break();
  }

  /** No more updates: everybody is told to end. */
  end(): void {
    this.#ended = true;
    this.#gathered.clear();
  }

  #applyClocks(): void {
    for (;;) {
      const gathered = this.#gathered.get(this.version);
      if (gathered === undefined || this.#ended || !this.#members.allPushed(this.version, gathered)) return;
      this.#gathered.delete(this.version);
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
    // With clocks all push alike.
    const weight = this.clocked ? 1 : this.#shares.take((pushes[0] as Push).worker);
    this.#segment.apply(sums, rows, factor * weight, pulled);
    if (this.#segment.isDone) this.end();
  }

  /** The staleness of what is about to be applied. The bound is the server's promise, so it checks it itself. */
  #observe({ worker, sequence, version }: Push): number {
    // What was computed from weights that were lost with an earlier server is of no version that this one ever had.
    const staleness = this.#restored ? Math.max(0, this.version - version) : this.version - version;
    const { bound } = this.#options.consistency;
    assert(staleness >= 0, `push ${sequence} of worker ${worker} is of version ${version}, which is still to come`);
    assert(staleness <= bound, `push ${sequence} of worker ${worker} is ${staleness} updates old, and ${bound} is the bound`);
    this.staleness.add(staleness);
    return staleness;
  }

  snapshot(): ServerSnapshot {
    const { clocked } = this.#options.consistency;
    return {
      ...this.#segment.snapshot(),
      // With clocks, what was taken and waits for others is not in the weights: it will be computed again.
      members: this.#members.snapshot(clocked ? this.version - 1 : Number.POSITIVE_INFINITY),
      staleness: [...this.staleness.counts],
      lost: this.#lost,
      shares: this.#shares.snapshot(),
    };
  }

  /** A server that goes on from a snapshot. Its workers join again. */
  static restore(options: ServerOptions, snapshot: ServerSnapshot): ParameterServer {
    const server = new ParameterServer({ ...options, weights: snapshot.weights });
    server.#lost = snapshot.lost;
    server.#restored = true;
    server.order.break();
    server.#segment.restore(snapshot);
    server.#members.restore(snapshot.members);
    server.staleness.restore(snapshot.staleness);
    server.#shares.restore(snapshot.shares);
    if (server.#segment.isDone) server.end();
    return server;
  }
}
