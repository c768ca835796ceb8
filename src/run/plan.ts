import type { SendCosts } from '../communicate/messages/costs.ts';
import { usableCores } from '../data/limits.ts';
import { type EngineName, WITH_PROCESSES } from '../engines/engine.ts';
import { ParagradError } from '../errors.ts';
import { bytesPerValue, columnOfBlock, type Layout } from '../partition/layout.ts';
import { bytesOfShare, nodesOfShare, type Partition, type PartitionKind, partitionOf } from '../partition/plan.ts';
import { coverOf } from '../partition/tree.ts';
import { type Exchanged, stepTraffic } from './step-traffic.ts';
import { clientCount, strategyPartition, takesBatches } from './strategy-options.ts';
import type { TrainOptions } from './train-options.ts';
import type { PlanSummary } from './types.ts';
import { workersOf } from './workers.ts';

/** Below this many bytes of x a pass takes less than the start of a thread saves. */
const SMALL_BYTES = 16 * 1024 * 1024;

/** So many workers may be there, though some of them have nothing to do: small examples show how work is split. */
const SHOWN_IDLE = 16;

export interface Plan {
  readonly engine: EngineName;
  /** Of the most workers. */
  readonly partition: Partition;
  /** They may come and go, down to so many. */
  readonly leastWorkers?: number | undefined;
  /** Where ranks share no memory. */
  readonly exchange?: Exchanged | undefined;
}

type PlanOptions = Pick<
  TrainOptions,
  'engine' | 'workers' | 'partition' | 'strategy' | 'clients' | 'communicate' | 'reducers' | 'backup' | 'compress'
>;

/** Fills in what the user left to us: engine, split and number of workers, from the shape of the data and this machine. */
export function planOf(layout: Layout, options: PlanOptions): Plan {
  const counts = workersOf(options);
  const kind: PartitionKind = options.partition === undefined || options.partition === 'auto' ? 'rows' : options.partition;
  const engine = engineFor(layout, { ...options, workers: counts?.most }, kind);
  const units =
    options.strategy === 'local-sgd'
      ? clientCount(layout, options)
      : kind === 'rows'
        ? layout.chunks
        : kind === 'columns'
          ? layout.blocks
          : layout.chunks * layout.blocks;
  const count = counts?.most ?? (engine === 'inline' ? 1 : Math.max(1, Math.min(usableCores(), units)));
  if (count > Math.max(units, SHOWN_IDLE)) throw tooMany(count, units, layout);
  const { communicate = 'peer-to-peer', reducers = 1 } = options;
  // Strategies with messages of their own, and gradients that are made smaller, send what only the run can tell.
  const isPlain =
    WITH_PROCESSES.includes(engine) && !takesBatches(options) && options.compress === undefined && options.backup === undefined;
  return {
    engine,
    partition: strategyPartition(layout, options, count) ?? partitionOf(layout, kind, count),
    leastWorkers: counts !== undefined && counts.least < counts.most ? counts.least : undefined,
    exchange: isPlain ? { communicate, reducers } : undefined,
  };
}

function tooMany(workers: number, units: number, { chunks, chunkRows }: Layout): ParagradError {
  return new ParagradError(
    'PARAGRAD_PARTITION',
    `--workers ${workers}: no more than ${units} would have something to do, since these data have ${chunks} chunks of ${chunkRows} rows: use --workers ${units}, or a smaller --chunk-rows`,
    { place: { option: '--workers' } },
  );
}

function engineFor(
  layout: Layout,
  { engine, workers, strategy }: Pick<TrainOptions, 'engine' | 'strategy'> & { readonly workers: number | undefined },
  kind: PartitionKind,
): EngineName {
  // Processes have to be asked for: on one machine threads do the same without copies.
  if (engine !== undefined && engine !== 'auto') return engine;
  // Other strategies are about workers at the same time.
  if (takesBatches({ strategy })) return 'threads';
  if (workers !== undefined) return workers > 1 ? 'threads' : 'inline';
  if (kind !== 'rows') return 'threads';
  return layout.rows * layout.columns * bytesPerValue(layout.dtype) < SMALL_BYTES ? 'inline' : 'threads';
}

/** The plan in words and numbers: who owns which rows and columns, bytes held, bytes moved per gradient (of so many outputs). */
export function describePlan(layout: Layout, { engine, partition, leastWorkers, exchange }: Plan, outputs = 1): PlanSummary {
  const traffic = exchange === undefined ? undefined : stepTraffic(layout, partition, exchange, outputs);
  return {
    engine,
    partition: partition.kind,
    workers: partition.workers,
    ...(leastWorkers === undefined ? {} : { leastWorkers }),
    dtype: layout.dtype,
    rows: layout.rows,
    columns: layout.columns,
    chunkRows: layout.chunkRows,
    chunks: layout.chunks,
    blockColumns: layout.blockColumns,
    blocks: layout.blocks,
    ...(exchange === undefined ? {} : { communicate: exchange.communicate }),
    shares: partition.shares.map((share) => {
      const columnBegin = columnOfBlock(layout, share.blockBegin);
      const columnEnd = columnOfBlock(layout, share.blockEnd);
      const rowBegin = Math.min(share.chunkBegin * layout.chunkRows, layout.rows);
      const rowEnd = Math.min(share.chunkEnd * layout.chunkRows, layout.rows);
      const nodes = nodesOfShare(layout, share);
      const scalars = share.blockBegin === 0 ? 1 + outputs : 0;
      const split = partition.grid.columns > 1;
      const blockNodes = coverOf(share.blockBegin, share.blockEnd, layout.blocks).length;
      return {
        rank: share.rank,
        ...(traffic === undefined ? {} : { sent: traffic[share.rank] as SendCosts }),
        rowBegin,
        rowEnd,
        columnBegin,
        columnEnd,
        bytes: bytesOfShare(layout, share),
        nodes,
        gradientBytes: partition.workers === 1 ? 0 : nodes * (scalars + outputs * (columnEnd - columnBegin)) * 8,
        dotBytes: split ? outputs * blockNodes * (rowEnd - rowBegin) * bytesPerValue(layout.dtype) : 0,
      };
    }),
  };
}
