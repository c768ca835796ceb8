import { ClusterHome } from '../engines/cluster/home.ts';

/** Runs that live on a cluster, and can be come back to: a file each, with the options that they were begun with. */
export const jobFile = (job: string): string => `job-${job}.json`;

/** Notes a run before it begins. @param config text of `config.json` */
export function rememberJob(job: string, config: string): void {
  const home = new ClusterHome('ray', process.env);
  home.make();
  home.writeSecret(jobFile(job), config);
}

/** Its result is here. */
export function forgetJob(job: string): void {
  new ClusterHome('ray', process.env).remove(jobFile(job));
}
