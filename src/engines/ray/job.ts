import { ParagradError } from '../../errors.ts';

export type JobStatus = 'PENDING' | 'RUNNING' | 'STOPPED' | 'SUCCEEDED' | 'FAILED';

export interface JobInfo {
  readonly status: JobStatus;
  /** What Ray says of the status, such as why a job failed. */
  readonly message: string;
  readonly metadata: Readonly<Record<string, string>>;
}

const TERMINAL: readonly JobStatus[] = ['STOPPED', 'SUCCEEDED', 'FAILED'];

export const isOver = (status: JobStatus): boolean => TERMINAL.includes(status);

/** @throws PARAGRAD_RAY_JOB for what cannot be a job's name, so that it is not part of a path */
export function jobPath(id: string): string {
  if (!/^[\w.-]{1,200}$/u.test(id)) throw jobError(`'${id}' is not the name of a job`);
  return `/api/jobs/${id}`;
}

export function jobError(message: string): ParagradError {
  return new ParagradError('PARAGRAD_RAY_JOB', message);
}
