import type { Engine } from '../engine.ts';
import { Machines } from '../machines/launcher.ts';
import { local } from './local.ts';
import { ProcessSession } from './session.ts';

/**
 * One Node.js process per rank, on this machine or on others, that share no memory: each reads its own cells from a dataset folder, and they exchange sums by
 * messages. A worker that is lost is replaced, and the others go on from the last step.
 */
export const processes = {
  name: 'processes',
  kind: 'resident',
  open: (workers, options) =>
    new ProcessSession(workers, options?.machines === undefined ? local : new Machines(options.machines), options),
} satisfies Engine;
