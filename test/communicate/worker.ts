import { type MessagePort, parentPort } from 'node:worker_threads';
import { joinSharedCollective } from '../../src/communicate/shared/collective.ts';
import type { SharedHandle } from '../../src/communicate/shared/memory.ts';
import { type Call, play } from './script.ts';

/** A worker that plays scripts, one per message. */
export interface Job {
  readonly calls: readonly Call[];
  /** By group: the handle and this worker's rank in it. */
  readonly memberships: readonly ({ readonly handle: SharedHandle; readonly rank: number } | undefined)[];
}

const port = parentPort as MessagePort;
port.on('message', (job: Job) => {
  const collectives = job.memberships.map((m) => (m === undefined ? undefined : joinSharedCollective(m.handle, m.rank)));
  play(job.calls, collectives).then(
    (outcomes) => port.postMessage({ outcomes }),
    (error: unknown) => port.postMessage({ crash: String(error) }),
  );
});
