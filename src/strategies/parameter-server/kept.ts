import { snapshotsUntil } from '../going-on.ts';
import type { Checkpoint, TrainingJob } from '../job.ts';
import type { ServerSnapshot } from './contract.ts';

/** What a rank knows of a server. */
export interface ServersState {
  readonly server: number;
  /** The newest state has most updates. */
  readonly snapshot: ServerSnapshot | undefined;
  /** The last version that a worker had from it, in that generation of the group. */
  readonly seen: { readonly generation: number; readonly version: number } | undefined;
}

/** The states that a run goes on from. */
export function statesOf(checkpoint: Checkpoint | undefined): readonly ServersState[] | undefined {
  return checkpoint?.state as readonly ServersState[] | undefined;
}

/** What a user goes on from: a state of every server, and nothing of the ranks that there were. */
export function wholeOf(kept: Checkpoint, { strategy }: Pick<TrainingJob, 'strategy'>): Checkpoint | undefined {
  const states = kept.state as readonly ServersState[];
  const known = states.filter(({ snapshot }) => snapshot !== undefined).length;
  return known < (strategy?.servers ?? 1) ? undefined : { ...kept, state: states.map((state) => ({ ...state, seen: undefined })) };
}

/** Of every server the newest state. */
export function merge(kept: Checkpoint | undefined, newer: Checkpoint): Checkpoint {
  const states = [...((kept?.state ?? []) as readonly ServersState[])];
  for (const state of newer.state as readonly ServersState[]) {
    const at = states.findIndex(({ server }) => server === state.server);
    if (at < 0) states.push(state);
    else
      states[at] = {
        server: state.server,
        snapshot: newest(states[at].snapshot, state.snapshot),
        seen: latest(states[at].seen, state.seen),
      };
  }
  return { ...newer, state: states };
}

function newest(a: ServerSnapshot | undefined, b: ServerSnapshot | undefined): ServerSnapshot | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return b.version >= a.version ? b : a;
}

function latest(a: ServersState['seen'], b: ServersState['seen']): ServersState['seen'] {
  if (a === undefined || b === undefined) return a ?? b;
  if (a.generation !== b.generation) return a.generation > b.generation ? a : b;
  return b.version > a.version ? b : a;
}

/** Points of the curve that were due before a run went on, by every server alike: the one that is farthest behind decides. */
export function curveBefore({ resume, store }: TrainingJob): number {
  const states = statesOf(resume);
  if (states === undefined) return 0;
  return snapshotsUntil(Math.min(...states.map(({ snapshot }) => snapshot?.rows ?? 0)) / store.training.layout.rows);
}
