import type { Engine } from '../engine.ts';
import { local } from './local.ts';
import { ProcessSession } from './session.ts';

/**
 * One Node.js process per rank, that share no memory: each reads its own cells from a dataset folder, and they exchange sums by
 * messages. A worker that is lost is replaced, and the others go on from the last step.
 */
export const processes = {
  name: 'processes',
  kind: 'resident',
  open: (workers, options) => new ProcessSession(workers, local, options),
} satisfies Engine;
