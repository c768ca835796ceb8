import { sendCosts } from '../communicate/messages/costs.ts';
import { algorithmFor } from '../engines/processes/algorithms.ts';
import { type Layout, rowsOfChunk } from '../partition/layout.ts';
import { coverOf } from '../partition/tree.ts';
import { DEFAULT_EPOCHS } from '../strategies/batch-setup.ts';
import type { StrategyChoice } from '../strategies/choice.ts';
import { clientsOf, hostedBy } from '../strategies/clients.ts';
import { HEAD_BYTES } from '../strategies/parameter-server/messages.ts';
import { segmentsOf } from '../strategies/parameter-server/segments.ts';
import type { Plan } from './plan.ts';
import type { TrainOptions } from './train-options.ts';
import type { StrategyPlan, StrategySend } from './types.ts';

const F64 = 8;

/**
 * What a strategy of mini-batches does and sends, beside the passes over all rows before its first step and after its last.
 *
 * @param outputs of the model: 1, or its classes
 */
export function strategyPlan(
  layout: Layout,
  { partition, engine }: Plan,
  choice: StrategyChoice,
  options: Pick<TrainOptions, 'epochs' | 'communicate' | 'reducers'>,
  outputs: number,
): StrategyPlan {
  const { name, batchSize, syncEvery } = choice;
  const { workers } = partition;
  const rows = partition.shares.map(({ chunkBegin, chunkEnd }) => rowsOf(layout, chunkBegin, chunkEnd));
  const coordinates = outputs * (layout.columns + 1);
  const common = { name, batchRows: batchSize, epochs: options.epochs ?? DEFAULT_EPOCHS, weights: coordinates };
  const batches = rows.reduce((sum, own) => sum + Math.ceil(own / batchSize), 0);
  /** Of workers that all take as many steps. */
  const steps = Math.ceil(layout.rows / (workers * batchSize));
  switch (name) {
    case 'parameter-server': {
      const clocked = choice.staleness !== 'asynchronous';
      const unit = clocked ? ({ unit: 'clock', unitsPerEpoch: steps } as const) : ({ unit: 'push', unitsPerEpoch: batches } as const);
      return { ...common, ...unit, sends: serverSends(workers, coordinates, choice.servers, clocked), waits: waitsOf(choice) };
    }
    case 'local-sgd': {
      const clients = clientsOf(layout, choice.clients).filter((client) => client.rows > 0);
      const taking = Math.min(clients.length, Math.max(1, Math.ceil(choice.participation * clients.length)));
      const unitsPerEpoch = Math.ceil(layout.rows / (taking * syncEvery * batchSize));
      const sends = averageSends(choice, workers, coordinates, engine === 'threads' || engine === 'inline' ? undefined : options);
      const waits = `all, after ${syncEvery} steps of each of ${taking} of ${clients.length} clients`;
      return { ...common, unit: 'round', unitsPerEpoch, sends, waits };
    }
    case 'gossip': {
      const sends = partition.shares.map(({ rank }): StrategySend => {
        return { rank, role: 'worker', messages: workers > 1 ? 1 : 0, bytes: workers > 1 ? coordinates * F64 : 0 };
      });
      const waits = `each for one partner of a ${choice.topology === 'complete' ? 'complete graph' : choice.topology}, every ${syncEvery === 1 ? 'step' : `${syncEvery} steps`}`;
      return { ...common, unit: 'meeting', unitsPerEpoch: Math.ceil(steps / syncEvery), sends, waits };
    }
    default: {
      const sends = partition.shares.map(({ rank }): StrategySend => ({ rank, role: 'worker', messages: 0, bytes: 0 }));
      return { ...common, unit: 'step', unitsPerEpoch: batches, sends, waits: 'nobody: all write the same memory' };
    }
  }
}

function rowsOf(layout: Layout, begin: number, end: number): number {
  let rows = 0;
  for (let chunk = begin; chunk < end; chunk += 1) rows += rowsOfChunk(layout, chunk);
  return rows;
}

function waitsOf({ staleness }: StrategyChoice): string {
  if (staleness === 'asynchronous') return 'nobody';
  return staleness === 0 ? 'all, at every clock' : `whoever is more than ${staleness} clocks ahead`;
}

/** A push goes to every server, and each grants its segment; with clocks all workers push. */
function serverSends(workers: number, coordinates: number, servers: number, clocked: boolean): StrategySend[] {
  const segments = segmentsOf(coordinates, servers);
  const pushed = { messages: servers, bytes: servers * HEAD_BYTES + coordinates * F64 };
  return [
    ...Array.from({ length: workers }, (_, rank): StrategySend => ({ rank, role: 'worker', ...pushed })),
    ...segments.map(({ begin, end }, server): StrategySend => {
      const grants = clocked ? workers : 1;
      const bytes = grants * (HEAD_BYTES + (end - begin) * F64);
      return { rank: workers + server, role: 'server', messages: grants, bytes, weights: { begin, end } };
    }),
  ];
}

/** The mean of the clients' weights, and how many rows they read: an all-reduce. `how` undefined: by memory in common. */
function averageSends(
  { clients }: StrategyChoice,
  workers: number,
  coordinates: number,
  how: Pick<TrainOptions, 'communicate' | 'reducers'> | undefined,
): StrategySend[] {
  const length = coordinates + 1;
  const nodes = Array.from({ length: workers }, (_, rank) => {
    const { begin, end } = hostedBy(rank, workers, clients);
    return coverOf(begin, end, clients).map((node) => ({ node, begin: 0, end: length }));
  });
  const { communicate = 'peer-to-peer', reducers = 1 } = how ?? {};
  const costs = sendCosts(algorithmFor(communicate, workers), Math.min(reducers, workers), { length, leaves: clients }, 8, nodes);
  return nodes.map((own, rank): StrategySend => {
    // Others read the nodes where they stand.
    const shared = { messages: 0, bytes: workers === 1 ? 0 : own.length * length * F64 };
    return { rank, role: 'worker', ...(how === undefined ? shared : (costs[rank] as { messages: number; bytes: number })) };
  });
}
