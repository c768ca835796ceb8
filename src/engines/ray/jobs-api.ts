import { createHash } from 'node:crypto';
import { ParagradError } from '../../errors.ts';
import type { RayAddress } from './address.ts';
import { exchange, type RayAnswer, type RayRequest } from './http.ts';
import { type JobInfo, type JobStatus, jobError, jobPath } from './job.ts';

/**
 * The Jobs REST API of Ray's dashboard, all that is needed of a cluster: nothing of Ray is installed here.
 * https://docs.ray.io/en/latest/cluster/running-applications/job-submission/rest.html
 */

export interface RayVersion {
  /** Such as 2.60.0. */
  readonly ray: string;
  readonly session: string;
}

/** What is started on the cluster. */
export interface JobRequest {
  readonly id: string;
  /** A command line: no text of a user belongs in it. */
  readonly entrypoint: string;
  /** `gcs://…` of `putPackage`: the folder in which the entrypoint runs. */
  readonly workingDir: string;
  /** Further packages, unpacked and put on Python's path. */
  readonly modules?: readonly string[];
  /** Shown on the dashboard: no secrets. */
  readonly env?: Readonly<Record<string, string>>;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** The first Ray with token authentication, and the oldest that is tried. */
const OLDEST_RAY = [2, 52] as const;
/** What Ray's dashboard takes as one body (DASHBOARD_CLIENT_MAX_SIZE). */
export const PACKAGE_LIMIT_BYTES = 100 * 1024 * 1024;
/** An upload over a slow line. */
const UPLOAD_TIMEOUT_MS = 15 * 60_000;
const FILE_TIMEOUT_MS = 10 * 60_000;

export class RayJobs {
  readonly address: RayAddress;
  readonly #signal: AbortSignal | undefined;

  /** `signal` ends whatever waits for an answer. */
  constructor(address: RayAddress, signal?: AbortSignal) {
    this.address = address;
    this.#signal = signal;
  }

  /**
   * Who answers: the first thing to ask, since it tells a wrong address from a wrong token from an old Ray.
   *
   * @throws PARAGRAD_RAY_ADDRESS, PARAGRAD_RAY_TOKEN, PARAGRAD_RAY_VERSION
   */
  async version(): Promise<RayVersion> {
    const answer = await this.#send({ method: 'GET', path: '/api/version', timeoutMs: 10_000 });
    const found = object(answer.text);
    if (answer.status !== 200 || typeof found?.ray_version !== 'string') throw notRay(this.address.url, answer);
    const [major = 0, minor = 0] = found.ray_version.split('.').map(Number);
    if (major < OLDEST_RAY[0] || (major === OLDEST_RAY[0] && minor < OLDEST_RAY[1]))
      throw new ParagradError(
        'PARAGRAD_RAY_VERSION',
        `${this.address.url} runs Ray ${found.ray_version}: ${OLDEST_RAY.join('.')} or later is needed`,
      );
    return { ray: found.ray_version, session: String(found.session_name ?? '') };
  }

  /**
   * Hands an archive to the cluster, where it is not there already. The name is its digest.
   *
   * @returns `gcs://…`
   * @throws PARAGRAD_RAY_PACKAGE when it is too large, or the cluster does not take it
   */
  async putPackage(archive: Uint8Array, onUpload: () => void = () => undefined): Promise<string> {
    if (archive.length > PACKAGE_LIMIT_BYTES)
      throw new ParagradError(
        'PARAGRAD_RAY_PACKAGE',
        `the data for the cluster are ${(archive.length / 2 ** 20).toFixed(0)} MiB, more than the ${PACKAGE_LIMIT_BYTES / 2 ** 20} MiB that Ray takes with a job`,
      );
    const name = `_ray_pkg_${createHash('sha256').update(archive).digest('hex').slice(0, 32)}.zip`;
    const path = `/api/packages/gcs/${name}`;
    // To ask also holds it for some minutes, so that it is not thrown away before the job uses it.
    const there = await this.#send({ method: 'GET', path });
    if (there.status === 200) return `gcs://${name}`;
    if (there.status !== 404) throw unexpected('asked for a package', there);
    onUpload();
    const body = { body: archive, contentType: 'application/octet-stream', timeoutMs: UPLOAD_TIMEOUT_MS };
    const put = await this.#send({ method: 'PUT', path, ...body });
    if (put.status !== 200)
      throw new ParagradError('PARAGRAD_RAY_PACKAGE', `the cluster did not take the package: ${lastLine(put.text)} (${put.status})`);
    return `gcs://${name}`;
  }

  /** Starts a job. @throws PARAGRAD_RAY_JOB */
  async submit({ id, entrypoint, workingDir, modules = [], env = {}, metadata = {} }: JobRequest): Promise<void> {
    const runtimeEnv = { working_dir: workingDir, ...(modules.length === 0 ? {} : { py_modules: modules }), env_vars: env };
    const body = new TextEncoder().encode(JSON.stringify({ entrypoint, submission_id: id, runtime_env: runtimeEnv, metadata }));
    // The slash at the end matters: without it Ray redirects, and loses the body.
    const answer = await this.#send({ method: 'POST', path: '/api/jobs/', body, timeoutMs: 60_000 });
    if (answer.status !== 200) throw jobError(`the cluster did not start the job: ${lastLine(answer.text)} (${answer.status})`);
  }

  /** @throws PARAGRAD_RAY_JOB when the cluster knows no such job */
  async job(id: string): Promise<JobInfo> {
    const answer = await this.#send({ method: 'GET', path: jobPath(id) });
    if (answer.status === 404) throw unknown(id, this.address.url);
    const found = object(answer.text);
    if (answer.status !== 200 || typeof found?.status !== 'string') throw unexpected('asked for a job', answer);
    return {
      status: found.status as JobStatus,
      message: String(found.message ?? ''),
      metadata: (found.metadata ?? {}) as Record<string, string>,
    };
  }

  /** All that a job has written so far. */
  async logs(id: string): Promise<string> {
    const answer = await this.#send({ method: 'GET', path: `${jobPath(id)}/logs`, timeoutMs: 120_000 });
    const logs = object(answer.text)?.logs;
    if (answer.status === 404) throw unknown(id, this.address.url);
    if (answer.status !== 200) throw unexpected('asked for the logs of a job', answer);
    return typeof logs === 'string' ? logs : '';
  }

  /** A file beside the logs of a node, of so many bytes. @throws PARAGRAD_RAY_JOB when it is not there any more */
  async file(node: string, name: string, bytes: number): Promise<Uint8Array> {
    const query = new URLSearchParams({ node_id: node, filename: name, lines: '-1', timeout: String(FILE_TIMEOUT_MS / 1000) });
    const { status, body } = await this.#send({ method: 'GET', path: `/api/v0/logs/file?${query}`, timeoutMs: FILE_TIMEOUT_MS });
    if (status !== 200 || body.length !== bytes) throw jobError(`${name} cannot be had from the cluster (${status}, ${body.length} bytes)`);
    return body;
  }

  /**
   * Hears every line of a job from its first to its last, live, and across lost connections. Resolves when the job is over.
   *
   * @throws PARAGRAD_RAY_ADDRESS when the cluster is away for two minutes; the signal's reason
   */
  async follow(id: string, onLine: (line: string) => void): Promise<JobInfo> {
    // Not before it is needed: it loads a package.
    const { followLogs } = await import('./logs.ts');
    return followLogs(this, id, onLine, this.#signal);
  }

  /** Ends a job, also one that waits; one that is over stays as it is. Does not wait for its end. */
  async stop(id: string): Promise<void> {
    const answer = await this.#send({ method: 'POST', path: `${jobPath(id)}/stop` });
    if (answer.status === 404) throw unknown(id, this.address.url);
    if (answer.status !== 200) throw unexpected('asked to stop a job', answer);
  }

  /** Forgets a job that is over, with its logs on the head's list. */
  async forget(id: string): Promise<void> {
    await this.#send({ method: 'DELETE', path: jobPath(id) });
  }

  #send(request: RayRequest): Promise<RayAnswer> {
    return exchange(this.address, { signal: this.#signal, ...request });
  }
}

function object(text: string): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** The last line that says something: a traceback's reason. */
function lastLine(text: string): string {
  const line = text.trim().split('\n').at(-1)?.trim() ?? '';
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}

function notRay(url: string, { status }: RayAnswer): ParagradError {
  return new ParagradError(
    'PARAGRAD_RAY_ADDRESS',
    `${url} answers (${status}), but not as a Ray dashboard: give its address, mostly port 8265`,
    {
      place: { option: '--ray-address' },
    },
  );
}

function unknown(id: string, url: string): ParagradError {
  return jobError(`${url} knows no job ${id}`);
}

function unexpected(what: string, { status, text }: RayAnswer): ParagradError {
  return jobError(`the cluster answered ${status} when ${what}: ${lastLine(text)}`);
}
