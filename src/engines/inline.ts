import type { Channel } from '../communicate/channel.ts';
import { CONTROL, type Collective, type ControlWord } from '../communicate/collective.ts';
import { createLoopbackChannels } from '../communicate/loopback/channel.ts';
import { createLoopbackCollectives } from '../communicate/loopback/collectives.ts';
import type { ArrayTask, ArrayTaskResult } from '../data/array-tasks.ts';
import { runArrayTaskFast } from '../kernels/array-tasks.ts';
import type { Checkpoint, TrainingJob, TrainingOutcome } from '../strategies/job.ts';
import { ranksOf, sharedBytes, strategyOf } from '../strategies/registry.ts';
import type { Engine, EngineHooks, Session } from './engine.ts';
import { HandOut } from './hand-out.ts';
import { kernelsFor } from './kernels.ts';
import { StepBatcher } from './step-batcher.ts';
import { turns } from './turns.ts';

/**
 * Everything in the calling thread: one rank, or several that speak by loopback (nothing runs at the same time: for study
 * and tests). The event loop gets a turn every few milliseconds.
 */
export const inline: Engine = {
  name: 'inline',
  kind: 'resident',
  open: (workers): Session => ({ workers, run, train, close: () => Promise.resolve() }),
};

async function run(tasks: readonly ArrayTask[]): Promise<ArrayTaskResult[]> {
  const pause = turns();
  const results: ArrayTaskResult[] = [];
  for (const task of tasks) {
    results.push(runArrayTaskFast(task));
    await pause();
  }
  return results;
}

async function train(job: TrainingJob, hooks: EngineHooks): Promise<TrainingOutcome> {
  const { workers, grid } = job.partition;
  const ranks = ranksOf(job);
  const worlds = createLoopbackCollectives(ranks);
  const rows = Array.from({ length: grid.rows }, () => createLoopbackCollectives(grid.columns));
  const alone = worlds.slice(workers).map(() => createLoopbackCollectives(1));
  const rowOf = (rank: number): Collective => {
    const group = rank < workers ? (rows[Math.floor(rank / grid.columns)] as Collective[]) : (alone[rank - workers] as Collective[]);
    return group[rank < workers ? rank % grid.columns : 0] as Collective;
  };
  const sharedWeights = new SharedArrayBuffer(sharedBytes(job));
  const openChannels = channelsOf(ranks);
  const batcher = new StepBatcher(hooks.onSteps);
  const kernels = kernelsFor(job.kernels, job.store.training.layout.dtype);
  const handOut = new HandOut(job, hooks);
  let kept: Checkpoint | undefined;
  const pause = turns();
  const decide = (): ControlWord => {
    if (hooks.signal?.aborted === true) return CONTROL.abort;
    return Date.now() >= job.endAtMs ? CONTROL.timeLimit : CONTROL.go;
  };
  try {
    const outcomes = await Promise.all(
      worlds.map((world, rank) =>
        strategyOf(job).run(job, {
          rank,
          world,
          row: rowOf(rank),
          openChannels: () => openChannels(rank),
          sharedWeights,
          kernels,
          now: () => performance.now(),
          decide: rank === 0 ? decide : () => CONTROL.go,
          onStep: rank === 0 ? (step) => batcher.add(step) : () => undefined,
          onCheckpoint: (checkpoint) => hooks.onCheckpoint?.(structuredClone(checkpoint)),
          keep: (checkpoint) => {
            kept = handOut.keep(kept, checkpoint);
          },
          pause,
        }),
      ),
    );
    const [outcome] = outcomes as [TrainingOutcome];
    handOut.end(kept, outcome);
    return outcome;
  } finally {
    batcher.flush();
    await Promise.all([...worlds, ...rows.flat(), ...alone.flat()].map((collective) => collective.close()));
  }
}

/** Channels between all ranks, as often as all ranks ask for them. */
function channelsOf(ranks: number): (rank: number) => Promise<readonly (Channel | undefined)[]> {
  const meshes: (readonly (Channel | undefined)[])[][] = [];
  const calls = new Int32Array(ranks);
  return async (rank) => {
    const call = calls[rank] as number;
    calls[rank] = call + 1;
    meshes[call] ??= createLoopbackChannels(ranks);
    return (meshes[call] as (readonly (Channel | undefined)[])[])[rank] as readonly (Channel | undefined)[];
  };
}
