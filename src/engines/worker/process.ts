import { Backups } from '../../communicate/backups.ts';
import type { Channel } from '../../communicate/channel.ts';
import { CONTROL, type Collective } from '../../communicate/collective.ts';
import { compressedCollective } from '../../communicate/compressed.ts';
import { Link } from '../../communicate/link.ts';
import { createMessageCollective, neighboursOf } from '../../communicate/messages/collective.ts';
import type { StreamChannel } from '../../communicate/streams/channel.ts';
import { connect } from '../../communicate/streams/connect.ts';
import type { Key } from '../../communicate/streams/key.ts';
import { createMesh, type MeshPort, openPort } from '../../communicate/streams/mesh.ts';
import type { CellFacts } from '../../data/dataset/cells.ts';
import { loadParts, NO_PART, partsOf } from '../../data/dataset/part.ts';
import { type Dataset, openDataset } from '../../data/dataset/read.ts';
import type { DataStore } from '../../data/store.ts';
import { assert, ParagradError } from '../../errors.ts';
import type { Activity } from '../../monitor/costs.ts';
import { NUMERICS_VERSION } from '../../partition/version.ts';
import type { Checkpoint, TrainingOutcome } from '../../strategies/job.ts';
import { strategyOf } from '../../strategies/registry.ts';
import { adder, kernelsFor } from '../kernels.ts';
import { algorithmFor } from '../processes/algorithms.ts';
import { StepBatcher } from '../step-batcher.ts';
import { turns } from '../turns.ts';
import { type CellSource, fetchParts } from './cells.ts';
import { collector } from './garbage.ts';
import { GROUP, type Invitation, type Order, type Phase, type Report } from './orders.ts';
import { decodePlain, encodePlain } from './plain.ts';
import { plainError } from './plain-error.ts';
import { endAsOrphan, Pulse } from './pulse.ts';
import { Tracker } from './tracker.ts';

type RunOrder = Extract<Order, { kind: 'run' }>;
type LoadOrder = Extract<Order, { kind: 'load' }>;

const EVERYBODY = (_a: number, _b: number): boolean => true;

/** Longest wait of a timer. */
const FOREVER_MS = 2 ** 31 - 1;

/**
 * A worker process: it goes to its coordinator, does what it is told, and ends when it is told so, or when the coordinator is gone
 * (then by SIGKILL, in the middle of whatever it does).
 *
 * @param key of the run, where the connection is by TCP
 * @param file the worker's bundle
 * @throws what `connect` does, when the coordinator cannot be reached or refuses
 */
export async function serve(invitation: Invitation, key: Key | undefined, file: string): Promise<void> {
  const { control, rank, attempt, own, pulseMs, parent } = invitation;
  const hello = { group: GROUP.control, numericsVersion: NUMERICS_VERSION, generation: attempt, ...(rank === undefined ? {} : { rank }) };
  const { channel, welcome } = await connect({ address: control, key, hello });
  const pulse = new Pulse(file, { control, key, rank: welcome.you, attempt: welcome.generation, pulseMs, parent });
  const port = await openPort({ address: own, key, numericsVersion: NUMERICS_VERSION });
  const cells = invitation.mayFetch === true ? { control, key, rank: welcome.you, attempt: welcome.generation } : undefined;
  const worker = new WorkerProcess(channel, port, new Tracker(pulse), cells);
  const { address } = port;
  await pulse.isFelt;
  const host = address.kind === 'tls' ? (invitation.advertise ?? address.host) : '';
  worker.report({ kind: 'ready', pid: process.pid, address: address.kind === 'tls' ? { ...address, host } : address });
  try {
    await worker.obey();
  } catch {
    // Nobody is there any more to be told of it.
    endAsOrphan(parent);
  }
  process.exit(0);
}

/** The part of a generation that runs. */
interface Running {
  readonly generation: number;
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

class WorkerProcess {
  readonly #control: StreamChannel;
  readonly #port: MeshPort;
  readonly #tracker: Tracker;
  readonly #cells: CellSource | undefined;
  #data: { readonly order: LoadOrder; readonly key: string; readonly store: DataStore } | undefined;
  #running: Running | undefined;
  #aborted = false;
  #take: (() => Checkpoint) | undefined;

  /** `cells`: where to ask for them, where there is no folder with them. */
  constructor(control: StreamChannel, port: MeshPort, tracker: Tracker, cells: CellSource | undefined) {
    this.#control = control;
    this.#port = port;
    this.#tracker = tracker;
    this.#cells = cells;
  }

  report(report: Report): void {
    // A connection that is gone shows where orders are waited for.
    this.#control.send({ kind: 0, generation: 0, step: 0 }, encodePlain(report)).catch(() => undefined);
  }

  /** Until it is told to end. @throws when the coordinator is gone */
  async obey(): Promise<void> {
    for (;;) {
      const order = decodePlain<Order>(await this.#control.receive(FOREVER_MS));
      if (order.kind === 'end') return;
      if (order.kind === 'welcome') this.#tracker.arm(order.faults, order.slow);
      else if (order.kind === 'load') await this.#load(order);
      else if (order.kind === 'run') this.#start(order);
      else if (order.kind === 'abort') this.#aborted = true;
      else if (order.kind === 'stop') void this.#stop(order.generation);
      else this.report({ kind: 'state', checkpoint: this.#take?.(), count: this.#tracker.count });
    }
  }

  async #load(order: LoadOrder): Promise<void> {
    const key = JSON.stringify(order);
    try {
      if (this.#data?.key !== key) {
        this.#data = undefined;
        this.#data = { order, key, store: await this.#read(order) };
      }
      this.report({ kind: 'loaded' });
      this.#tracker.enter('idle');
    } catch (error) {
      this.report({ kind: 'failed', generation: -1, error: plainError(error) });
    }
  }

  async #read({ data, partition, rank }: LoadOrder, onChunk = () => this.#tracker.enter('loading')): Promise<DataStore> {
    onChunk();
    const share = partition.shares[rank];
    const nothing = { training: NO_PART, validation: NO_PART };
    const own = ({ layouts }: CellFacts): typeof nothing => (share === undefined ? nothing : partsOf(layouts, partition, share));
    const options = { factors: data.factors, onChunk };
    const dataset = await this.#open(data);
    if (dataset === undefined) return fetchParts(this.#cells as CellSource, data.id, own, options);
    return loadParts(dataset, own(dataset.manifest), options);
  }

  /** Undefined: it is not here, but may be asked for. */
  async #open({ folder, id }: LoadOrder['data']): Promise<Dataset | undefined> {
    const mayFetch = this.#cells !== undefined;
    let dataset: Dataset;
    try {
      dataset = await openDataset(folder, NUMERICS_VERSION);
    } catch (error) {
      if (mayFetch) return undefined;
      throw error;
    }
    if (dataset.manifest.id === id) return dataset;
    if (mayFetch) return undefined;
    throw new ParagradError('PARAGRAD_DATASET_MIXED', `${folder} is not the dataset that the coordinator has: it has another id`, {
      place: { file: folder },
    });
  }

  #start(order: RunOrder): void {
    const { generation } = order;
    const stop = new AbortController();
    this.#aborted = false;
    this.#take = undefined;
    this.#tracker.count = order.count;
    const run = async (): Promise<void> => {
      try {
        const outcome = await this.#run(order, stop.signal);
        this.report({ kind: 'outcome', generation, outcome: order.rank === 0 ? outcome : undefined });
      } catch (error) {
        this.report({ kind: 'failed', generation, error: plainError(error) });
      }
    };
    this.#running = { generation, stop, done: run() };
  }

  /** What a strategy with messages of its own does, after `count` steps. */
  #show(activity: Activity, count: number): void {
    if (activity === 'computing') this.#tracker.count = count;
    this.#tracker.enter(activity === 'computing' ? 'map' : 'shuffle');
  }

  async #stop(generation: number): Promise<void> {
    const running = this.#running;
    running?.stop.abort(new ParagradError('PARAGRAD_CLOSED', `generation ${generation} was ended by the coordinator`));
    await running?.done;
    this.#tracker.enter('idle');
    this.report({ kind: 'stopped', generation, count: this.#tracker.count });
  }

  async #run(order: RunOrder, stop: AbortSignal): Promise<TrainingOutcome> {
    const { job, generation, rank, exchange } = order;
    const { workers, grid } = job.partition;
    assert(this.#data !== undefined, 'a job came before its data');
    const { store, order: loaded } = this.#data;
    const tracker = this.#tracker;
    const open: Channel[] = [];
    stop.addEventListener('abort', () => {
      for (const channel of open) void channel.close();
    });
    tracker.enter('map');
    // One for all groups, as a machine has one connection to its network.
    const link = exchange.link === undefined ? undefined : new Link(exchange.link);
    const meet = async (group: string, ranks: readonly number[], areNeighbours = EVERYBODY): Promise<(Channel | undefined)[]> => {
      const addresses = ranks.map((other) => order.addresses[other] as RunOrder['addresses'][number]);
      const place = { rank: ranks.indexOf(rank), size: ranks.length, areNeighbours, addresses };
      const channels = await createMesh({ port: this.#port, ...place, generation, group, timeoutMs: exchange.meetMs, signal: stop });
      open.push(...channels.filter((channel) => channel !== undefined));
      stop.throwIfAborted();
      return link === undefined ? channels : channels.map((channel) => channel && link.wrap(channel));
    };
    const collective = async (
      group: string,
      ranks: readonly number[],
      onPhase?: (phase: Phase) => void,
      known?: Backups,
    ): Promise<Collective> => {
      const algorithm = algorithmFor(exchange.communicate, ranks.length);
      const reducers = Math.min(exchange.reducers, ranks.length);
      const channels = await meet(group, ranks, neighboursOf(ranks.length, { algorithm, reducers }));
      return createMessageCollective(ranks.indexOf(rank), channels, {
        generation,
        timeoutMs: exchange.timeoutMs,
        algorithm,
        reducers,
        backups: known,
        adder: adder(),
        ...(onPhase === undefined ? {} : { onPhase }),
      });
    };
    const backups = exchange.backup === 0 ? undefined : new Backups(workers, exchange.backup);
    const everyone = Array.from({ length: order.size }, (_, each) => each);
    const firstOfRow = rank - (rank % grid.columns);
    const rowRanks = rank < workers ? everyone.slice(firstOfRow, firstOfRow + grid.columns) : [rank];
    const whole = await collective('world', everyone, (phase) => tracker.enter(phase === 'idle' ? 'map' : phase), backups);
    const world = exchange.compress === undefined ? whole : compressedCollective(whole, exchange.compress);
    const row = await collective(rank < workers ? `row ${firstOfRow}` : `rank ${rank}`, rowRanks);
    const batcher = new StepBatcher((steps) => this.report({ kind: 'steps', steps }));
    const turn = turns();
    const collect = collector();
    let meshes = 0;
    try {
      const outcome = await strategyOf(job).run(
        { ...job, store },
        {
          rank,
          world,
          row,
          kernels: kernelsFor(job.kernels, store.training.layout.dtype),
          now: () => performance.now(),
          decide: () => {
            if (rank !== 0) return CONTROL.go;
            if (this.#aborted) return CONTROL.abort;
            return Date.now() >= job.endAtMs ? CONTROL.timeLimit : CONTROL.go;
          },
          onStep: rank === 0 ? (step) => batcher.add(step) : () => undefined,
          onCheckpoint: (checkpoint) => this.report({ kind: 'checkpoint', checkpoint, count: tracker.count }),
          keep: (checkpoint) => this.report({ kind: 'keep', checkpoint, count: tracker.count }),
          // A strategy of exchanges alone is told by its collective (`onPhase`) what it does.
          ...(strategyOf(job).channels !== true ? {} : { onActivity: (activity, steps) => this.#show(activity, order.count + steps) }),
          onState: (take) => {
            this.#take = take;
            tracker.count += 1;
          },
          ...(backups === undefined
            ? {}
            : { backups: { known: backups, load: (worker: number) => this.#read({ ...loaded, rank: worker }, () => undefined) } }),
          openChannels: () => {
            meshes += 1;
            return meet(`channels ${meshes}`, everyone);
          },
          pause: () => {
            stop.throwIfAborted();
            collect();
            return turn();
          },
        },
      );
      return backups === undefined ? outcome : { ...outcome, speculated: backups.speculated };
    } finally {
      batcher.flush();
      await row.close();
      await world.close();
    }
  }
}
