import { rmSync } from 'node:fs';
import { parentPort, Worker } from 'node:worker_threads';
import type { Address } from '../../communicate/streams/address.ts';
import type { StreamChannel } from '../../communicate/streams/channel.ts';
import { connect } from '../../communicate/streams/connect.ts';
import type { Key } from '../../communicate/streams/key.ts';
import { ParagradError } from '../../errors.ts';
import { NUMERICS_VERSION } from '../../partition/version.ts';
import { GROUP, type Invitation, PHASES, type Phase, PULSE } from './orders.ts';

/**
 * A worker's second connection to its coordinator, in a thread of its own: it shows that the process is alive however long the
 * other thread computes, and it notices that the coordinator is gone: then it ends the process.
 */
interface PulseData {
  readonly kind: 'pulse';
  readonly control: Address;
  readonly key: Key | undefined;
  readonly rank: number;
  readonly attempt: number;
  readonly pulseMs: number;
  readonly parent: Invitation['parent'];
  readonly cells: SharedArrayBuffer;
}

/** Int32 cells that both threads see. */
const CELL = { phase: 0, count: 1, paused: 2, go: 3 } as const;
const CELLS = 4;
/** How long to wait for a parent that has closed its connections to be gone. */
const PARENT_MS = 2000;
/** Longest wait of a timer. */
const FOREVER_MS = 2 ** 31 - 1;

export function isPulse(data: unknown): data is PulseData {
  return typeof data === 'object' && data !== null && 'kind' in data && data.kind === 'pulse';
}

/** Blocks the calling thread. */
export function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/**
 * The coordinator is gone, and so must this process be. Folders of the run are removed where the coordinator's process has ended
 * without doing it.
 */
export function endAsOrphan(parent: Invitation['parent']): never {
  if (parent !== undefined) {
    for (let waited = 0; process.ppid === parent.pid && waited < PARENT_MS; waited += 10) sleep(10);
    if (process.ppid !== parent.pid) for (const path of parent.remove) rmSync(path, { recursive: true, force: true });
  }
  process.kill(process.pid, 'SIGKILL');
  throw new ParagradError('PARAGRAD_CLOSED', 'the coordinator has ended');
}

/** The main thread's side. */
export class Pulse {
  readonly #cells: Int32Array;
  readonly #thread: Worker;
  /** The coordinator is shown signs of life from now on: a worker that it cannot watch must not be given work. */
  readonly isFelt: Promise<void>;

  constructor(file: string, data: Omit<PulseData, 'kind' | 'cells'>) {
    const cells = new SharedArrayBuffer(CELLS * 4);
    this.#cells = new Int32Array(cells);
    const workerData: PulseData = { kind: 'pulse', cells, ...data };
    this.#thread = new Worker(file, {
      workerData,
      name: 'pulse',
      resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
    });
    this.isFelt = new Promise((resolve) => {
      this.#thread.once('message', () => resolve());
    });
    this.#thread.unref();
  }

  show(phase: Phase, count: number): void {
    this.#cells[CELL.phase] = PHASES.indexOf(phase);
    this.#cells[CELL.count] = count;
  }

  /** Tells the coordinator that a fault is about to be done, and waits until it knows. */
  confess(phase: Phase): void {
    this.#thread.postMessage(PHASES.indexOf(phase));
    Atomics.wait(this.#cells, CELL.go, 0);
    this.#cells[CELL.go] = 0;
  }

  /** Looks dead from outside, as a stopped process does. */
  pause(ms: number): void {
    Atomics.store(this.#cells, CELL.paused, 1);
    sleep(ms);
    Atomics.store(this.#cells, CELL.paused, 0);
  }
}

const HEAD = { generation: 0, step: 0 };

/** What the thread runs. */
export function servePulse(data: PulseData): void {
  const { control, key, rank, attempt, pulseMs, parent } = data;
  const cells = new Int32Array(data.cells);
  const run = async (): Promise<void> => {
    const hello = { group: GROUP.pulse, numericsVersion: NUMERICS_VERSION, generation: attempt, rank };
    const { channel } = await connect({ address: control, key, hello });
    const lost = (): void => endAsOrphan(parent);
    const beat = (): void => {
      if (Atomics.load(cells, CELL.paused) !== 0) return;
      channel.send({ kind: PULSE.beat, ...HEAD }, [bytesOf([cells[CELL.phase] as number, cells[CELL.count] as number])]).catch(lost);
    };
    setInterval(beat, pulseMs);
    beat();
    parentPort?.postMessage('felt');
    parentPort?.on('message', (phase: number) => void channel.send({ kind: PULSE.fault, ...HEAD }, [bytesOf([phase])]).catch(lost));
    await hear(channel, cells);
  };
  run().catch(() => endAsOrphan(parent));
}

async function hear(channel: StreamChannel, cells: Int32Array): Promise<void> {
  for (;;) {
    const { kind } = await channel.receive(FOREVER_MS);
    if (kind !== PULSE.go) continue;
    Atomics.store(cells, CELL.go, 1);
    Atomics.notify(cells, CELL.go);
  }
}

function bytesOf(numbers: readonly number[]): Uint8Array {
  return new Uint8Array(Float64Array.from(numbers).buffer);
}
