import type { Engine } from '../engine.ts';
import { findCluster } from './find-cluster.ts';
import { RayJobs } from './jobs-api.ts';
import { RaySession } from './session.ts';

/**
 * A Ray cluster, spoken to by its Jobs REST API alone: actors host the workers of the processes engine, whose coordinator runs
 * there as well. Nothing of Ray is installed on this side.
 */
export const ray = {
  name: 'ray',
  kind: 'resident',
  open: (workers, options) => new RaySession(workers, options),
  reach: async ({ ray: options = {} }) => {
    await new RayJobs(findCluster(options).address).version();
  },
} satisfies Engine;
