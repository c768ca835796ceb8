import { ParagradError } from '../../errors.ts';
import { LocalRay } from '../ray/local.ts';
import type { ClusterName, LocalCluster } from './local-cluster.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** All kinds of local clusters by name. A new one is a class and a line here. */
const CLUSTERS: Readonly<Record<ClusterName, (env: Env) => LocalCluster>> = { ray: (env) => new LocalRay(env) };

/** @throws PARAGRAD_OPTION for an unknown name */
export function clusterOf(name: string, env: Env): LocalCluster {
  if (Object.hasOwn(CLUSTERS, name)) return CLUSTERS[name as ClusterName](env);
  throw new ParagradError('PARAGRAD_OPTION', `the cluster must be one of ${Object.keys(CLUSTERS).join(', ')}, not '${name}'`);
}
