import type { TableSource } from '../data/source-files.ts';
import { ClusterHome } from '../engines/cluster/home.ts';
import { ParagradError } from '../errors.ts';
import { datasetAt, withoutEncoding } from './dataset.ts';
import { forgetJob, jobFile } from './jobs.ts';
import { runTraining, type TrainedRun } from './train.ts';
import type { TrainOptions } from './train-options.ts';
import { NUMERICS_VERSION } from './version.ts';

/**
 * Comes back to a run that was left on a cluster: follows it to its end, and writes the model where the run was to write it. One
 * that has ended in between has its result for as long as the cluster remembers the job.
 *
 * @param job its name, as `train` told it.
 * @throws PARAGRAD_RAY_JOB when this machine or the cluster knows no such job; what `train` throws.
 */
export async function attach(job: string, options: Pick<TrainOptions, 'signal' | 'onEvent'> = {}): Promise<TrainedRun> {
  const { source, options: begun } = readJob(job);
  const isDataset = (await datasetAt(source)) !== undefined;
  const run = await runTraining(source, { ...(isDataset ? withoutEncoding(begun) : begun), force: true, ...options }, { job });
  forgetJob(job);
  return run;
}

function readJob(job: string): { source: TableSource; options: TrainOptions } {
  const text = /^[\w.-]+$/u.test(job) ? new ClusterHome('ray', process.env).read(jobFile(job)) : undefined;
  if (text === undefined)
    throw new ParagradError('PARAGRAD_RAY_JOB', `no run of the job '${job}' was begun on this machine, or its result was fetched before`);
  const { numericsVersion, source, ...options } = JSON.parse(text) as {
    numericsVersion: number;
    source: TableSource | null;
  } & TrainOptions;
  if (numericsVersion !== NUMERICS_VERSION || source === null)
    throw new ParagradError(
      'PARAGRAD_RAY_JOB',
      `the run of the job '${job}' was begun on arrays, or by another version: it cannot be followed`,
    );
  return { source, options };
}
