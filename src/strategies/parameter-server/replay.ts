import { ParagradError } from '../../errors.ts';
import type { Taken } from './order.ts';
import type { Push } from './push.ts';
import type { ParameterServer, Reply } from './server.ts';

/**
 * Does again what a server did: every gradient is computed from the weights of the version that it had then, and applied in its
 * turn, whatever the order in which messages come. The run ends where the record ends.
 */
export class Replay {
  readonly #server: ParameterServer;
  readonly #order: readonly Taken[];
  readonly #pushes = new Map<number, Push>();
  /** By version: the grants of it that the record shows, and that are still to be given. */
  readonly #grants = new Map<number, Taken[]>();
  #next = 0;

  constructor(server: ParameterServer, order: readonly Taken[]) {
    this.#server = server;
    this.#order = order.filter(({ dropped }) => dropped !== true);
    for (const taken of order) this.#grants.set(taken.version, [...(this.#grants.get(taken.version) ?? []), taken]);
  }

  join(worker: number): void {
    this.#server.join(worker);
  }

  push(push: Push): void {
    if (this.#server.ended || push.sequence <= this.#server.lastOf(push.worker)) this.#server.push(push);
    else this.#pushes.set(push.worker, push);
  }

  leave(worker: number): void {
    this.#server.leave(worker);
  }

  /**
   * Goes on in the record as far as what came allows.
   *
   * @throws PARAGRAD_REPLAY when it cannot go on, whatever may still come: the record is of another run, or a rank was lost
   */
  settle(): Reply[] {
    const replies: Reply[] = [];
    if (this.#server.ended) return this.#endAll();
    for (;;) {
      replies.push(...this.#giveGrants());
      const group = this.#group();
      if (group.length === 0) break;
      const pushes = group.flatMap(({ worker, sequence, version }) => {
        const push = this.#pushes.get(worker);
        return push?.sequence === sequence && push.version === version ? [push] : [];
      });
      const refused = group[0].refused;
      // An update ends the version: all that were granted of it come first.
      const owing = !refused && (this.#grants.get(this.#server.version)?.length ?? 0) > 0;
      if (pushes.length < group.length || owing) {
        // Every worker waits for this server's word, so that none can say anything more.
        if (replies.length === 0 && this.#server.allWait((worker) => this.#pushes.has(worker))) throw otherRun();
        return replies;
      }
      for (const { worker } of pushes) this.#pushes.delete(worker);
      this.#server.takeTogether(pushes, refused);
      this.#next += group.length;
      if (this.#server.ended && this.#next < this.#order.length) throw otherRun();
    }
    this.#server.end();
    return [...replies, ...this.#endAll()];
  }

  /** Ends every worker that asked what comes next: those whose gradients wait for their turn asked with them. */
  #endAll(): Reply[] {
    for (const push of this.#pushes.values()) this.#server.push(push);
    this.#pushes.clear();
    return this.#server.settle();
  }

  #giveGrants(): Reply[] {
    const owing = this.#grants.get(this.#server.version) ?? [];
    const replies: Reply[] = [];
    const left = owing.filter(({ worker, sequence }) => {
      if (this.#server.lastOf(worker) + 1 !== sequence || !this.#server.isWaiting(worker)) return true;
      replies.push(this.#server.grant(worker));
      return false;
    });
    this.#grants.set(this.#server.version, left);
    return replies;
  }

  /** What was applied together: with clocks, all of a clock. */
  #group(): readonly Taken[] {
    const first = this.#order[this.#next];
    if (first === undefined) return [];
    let end = this.#next + 1;
    if (this.#server.clocked) while (this.#order[end]?.sequence === first.sequence) end += 1;
    return this.#order.slice(this.#next, end);
  }
}

function otherRun(): ParagradError {
  return new ParagradError(
    'PARAGRAD_REPLAY',
    'the recorded order does not go with this run: give the data and options of then, and replay without losses',
    { place: { option: '--replay' } },
  );
}
