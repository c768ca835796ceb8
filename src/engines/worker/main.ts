import { fileURLToPath } from 'node:url';
import { isMainThread, workerData } from 'node:worker_threads';
import { parseKey } from '../../communicate/streams/key.ts';
import type { Invitation } from './orders.ts';
import { serve } from './process.ts';
import { endAsOrphan, isPulse, servePulse } from './pulse.ts';
import { serveThread } from './thread.ts';

/** How often a worker looks whether its coordinator's process is there. */
const PARENT_MS = 200;

/**
 * What a worker runs, bundled into one file without dependencies: as a thread, as a process with an invitation in its
 * environment, or as the thread of such a process that shows that it is alive.
 */
if (!isMainThread) {
  if (isPulse(workerData)) servePulse(workerData);
  else serveThread();
} else {
  const { PARAGRAD_INVITATION, PARAGRAD_KEY, ...rest } = process.env;
  // Neither is for whatever is started from here.
  process.env = rest;
  // Ctrl-C is the coordinator's to understand.
  process.on('SIGINT', () => undefined);
  if (PARAGRAD_INVITATION === undefined) {
    console.error('This is a worker of paragrad: paragrad starts it.');
    process.exitCode = 2;
  } else {
    const invitation = JSON.parse(PARAGRAD_INVITATION) as Invitation;
    const { parent } = invitation;
    // A coordinator that is killed before anybody is connected to it is seen by nothing else.
    if (parent !== undefined) setInterval(() => process.ppid !== parent.pid && endAsOrphan(parent), PARENT_MS).unref();
    await serve(invitation, PARAGRAD_KEY === undefined ? undefined : parseKey(PARAGRAD_KEY), fileURLToPath(import.meta.url));
  }
}
