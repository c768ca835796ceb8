import type { Channel } from '../../communicate/channel.ts';
import { CONTROL } from '../../communicate/collective.ts';
import type { CostMeter } from '../../monitor/costs.ts';
import { coordinatesOf, decayOf } from '../../update/coordinates.ts';
import type { BatchSetup } from '../batch-setup.ts';
import type { StepRecord } from '../job.ts';
import type { OwnBatches } from '../own-batches.ts';
import type { RankHost } from '../strategy.ts';
import { KIND, tellJoin, tellLeave, tellPush, told } from './messages.ts';
import type { Segment } from './segments.ts';

export interface WorkOptions {
  readonly setup: BatchSetup;
  readonly host: RankHost;
  readonly batches: OwnBatches;
  /** Channel to each server. */
  readonly servers: readonly Channel[];
  readonly segments: readonly Segment[];
  readonly meter: CostMeter;
  readonly began: number;
}

/** Deadline of a wait for a server. A worker may have to wait for the slowest of all. */
const WAIT_MS = 600_000;

/** A worker's loop: what the servers grant is computed and pushed, until one of them says that it is the end. */
export class Working {
  readonly #options: WorkOptions;
  readonly #weights: Float64Array;
  /** Last version of each server that came. */
  readonly #versions: number[];
  #told = 0;
  /** Gradients of this worker before it was here: those of a run that was resumed, or of one that was lost. */
  #before: number | undefined;

  constructor(options: WorkOptions) {
    this.#options = options;
    this.#weights = coordinatesOf(options.setup.problem.start);
    this.#versions = options.servers.map(() => 0);
  }

  get versions(): readonly number[] {
    return this.#versions;
  }

  async run(): Promise<void> {
    const { servers, host, meter, batches, setup } = this.#options;
    const generation = host.world.generation;
    host.onActivity?.('communicating', 0);
    for (const server of servers) meter.sent(await tellJoin(server, generation));
    for (;;) {
      const sequence = await this.#granted();
      if (sequence === undefined) return;
      if (this.#before === undefined) {
        this.#before = sequence;
        meter.steps = sequence;
        meter.rows = batches.rowsUntil(sequence);
      }
      meter.enter('computing');
      host.onActivity?.('computing', meter.steps - this.#before);
      const { sums, rows, loss } = batches.gradient(sequence, this.#weights, setup.problem.intercept);
      if (servers.length > 1) this.#precondition(sums, rows);
      meter.steps += 1;
      meter.rows += rows;
      host.onActivity?.('communicating', meter.steps - this.#before);
      meter.enter('communicating');
      const control = host.rank === 0 ? host.decide() : CONTROL.go;
      for (const [i, server] of servers.entries()) {
        const { begin, end } = this.#options.segments[i];
        const push = { sequence, version: this.#versions[i], rows, sums: sums.subarray(begin, end) };
        meter.sent(await tellPush(server, generation, push, loss, control));
      }
      await host.pause?.();
    }
  }

  /** Waits for every server's word. The next sequence number: the smallest of them, since one that was restored may be behind. */
  async #granted(): Promise<number | undefined> {
    const { servers, segments, meter, host } = this.#options;
    meter.enter('waiting');
    host.onActivity?.('waiting', meter.steps - (this.#before ?? 0));
    let sequence = Number.POSITIVE_INFINITY;
    const ended = new Set<number>();
    for (const [i, server] of servers.entries()) {
      const { kind, head, values } = told(await server.receive(WAIT_MS));
      if (kind === KIND.end) {
        ended.add(i);
        continue;
      }
      sequence = Math.min(sequence, head[0]);
      this.#versions[i] = head[1];
      this.#weights.set(values, segments[i].begin);
      if (i === 0) this.#tell(head[1], head[2], head[3]);
    }
    if (ended.size === 0) return sequence;
    for (const [i, server] of servers.entries()) if (!ended.has(i)) meter.sent(await tellLeave(server, host.world.generation));
    return undefined;
  }

  /** Rank 0 tells of progress: the mean loss of late batches, since nobody knows the objective before the end. */
  #tell(updates: number, rows: number, loss: number): void {
    const { host, setup, meter, began } = this.#options;
    if (host.rank !== 0 || updates === this.#told || meter.steps % 16 !== 0 || Number.isNaN(loss)) return;
    this.#told = updates;
    const { problem, nullLoss } = setup;
    const objective = (loss * problem.layout.rows) / problem.weightSum;
    const passes = rows / problem.layout.rows;
    const step: StepRecord = {
      iteration: updates,
      passes,
      objective,
      nullLoss,
      gap: Number.NaN,
      gradientNorm: Number.NaN,
      atMs: host.now() - began,
    };
    host.onStep(step);
  }

  /** M⁻¹ of the sums with their part of the penalty: the servers, which have segments only, cannot do that. */
  #precondition(sums: Float64Array, rows: number): void {
    const { setup } = this.#options;
    const { problem, preconditioner } = setup;
    if (preconditioner.kind === 'none') return;
    const divisor = (problem.weightSum * rows) / problem.layout.rows;
    const decay = decayOf(problem);
    for (let j = 0; j < sums.length; j += 1) sums[j] += divisor * decay[j] * this.#weights[j];
    preconditioner.apply(sums);
  }
}
