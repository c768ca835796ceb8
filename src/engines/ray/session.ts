import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ArrayTask, ArrayTaskResult } from '../../data/array-tasks.ts';
import { isAddress } from '../../data/source/location.ts';
import { shown } from '../../data/source/shown.ts';
import { assert, type ErrorCode, ParagradError } from '../../errors.ts';
import type { TrainingJob, TrainingOutcome } from '../../strategies/job.ts';
import type { EngineHooks, EngineOptions, Session } from '../engine.ts';
import { GuardedHooks } from '../hooks.ts';
import { inline } from '../inline.ts';
import { findCluster } from './find-cluster.ts';
import { isOver, type JobInfo, jobError } from './job.ts';
import { RayJobs } from './jobs-api.ts';
import { MessageReader } from './lines.ts';
import { FILES, type LauncherPlan, type RayOrder, type RayReport } from './messages.ts';
import { dataPackages, jobPackage, nodePackage, PIECE_BYTES } from './package.ts';
import { ReportReader } from './report-reader.ts';

/** The oldest Node.js that a worker runs on. */
const NODE_VERSION = [20, 19] as const;
/** Beside its rows a worker has code, buffers and sums. */
const WORKER_BYTES = 256 * 1024 * 1024;
const ROOM_SECONDS = 600;
/** How long a job that is stopped has to come to the end of its step and hand back what it learned. */
const STOP_SECONDS = 30;
/** What the log said last, for an error that explains itself. */
const TAIL_LINES = 12;
/** Data that are sent with a job, where nobody says that the cluster sees their folder. */
const SENT_BYTES = 400 * 1024 * 1024;
const LAUNCHER_CODES: readonly string[] = ['PARAGRAD_RAY_NODE', 'PARAGRAD_RAY_ROOM', 'PARAGRAD_RAY_PACKAGE'] satisfies ErrorCode[];

/** A run as a job of a Ray cluster: all of it happens there. This side sends a package, follows the log, and gets the model. */
export class RaySession implements Session {
  readonly workers: number;
  readonly #options: EngineOptions;
  #running: { readonly jobs: RayJobs; readonly id: string } | undefined;

  constructor(workers: number, options: EngineOptions = {}) {
    this.workers = workers;
    this.#options = options;
  }

  /** The job that runs, for those who look at it from outside. */
  get job(): string | undefined {
    return this.#running?.id;
  }

  /** In this thread: arrays are in its memory. */
  async run(tasks: readonly ArrayTask[]): Promise<ArrayTaskResult[]> {
    return inline.open(1).run(tasks);
  }

  async train(job: TrainingJob, hooks: EngineHooks): Promise<TrainingOutcome> {
    assert(job.source !== undefined, 'workers on a cluster read their data from a dataset folder');
    const cluster = findCluster(this.#options.ray ?? {});
    const jobs = new RayJobs(cluster.address);
    const { ray } = await jobs.version();
    hooks.signal?.throwIfAborted();
    const attached = this.#options.ray?.attach;
    const id = attached ?? `paragrad-${randomBytes(6).toString('hex')}`;
    if (attached === undefined) {
      const note = (text: string): void => hooks.onNote?.(text);
      note(`Ray ${ray} at ${cluster.address.url}, job ${id}: 'paragrad attach ${id}' comes back to it`);
      this.#options.ray?.onJob?.(id, false);
      await this.#submit(jobs, id, job, cluster.isLocal, note);
    }
    this.#running = { jobs, id };
    const outcome = await this.#follow(jobs, id, hooks);
    this.#running = undefined;
    return outcome;
  }

  async #submit(jobs: RayJobs, id: string, job: TrainingJob, isLocal: boolean, note: (text: string) => void): Promise<void> {
    const { store: _store, source, ...rest } = job;
    assert(source !== undefined, 'a job without data');
    const { remove: _remove, ray: { node = 'system', data = 'auto' } = {}, ...options } = this.#options;
    const { folder, bytes = 0 } = source;
    const isRemote = isAddress(folder);
    if (isRemote && data === 'send')
      throw new ParagradError(
        'PARAGRAD_OPTION',
        `--ray-data send is for folders of this machine: workers read ${shown(folder)} themselves`,
        {
          place: { option: '--ray-data' },
        },
      );
    const sent = !isRemote && (data === 'send' || (data === 'auto' && !isLocal));
    if (sent && bytes > SENT_BYTES)
      throw new ParagradError(
        'PARAGRAD_RAY_PACKAGE',
        `the data are ${mib(bytes)} MiB, too much to send with a job: put the dataset (paragrad prepare) where all nodes of the cluster read it: at an http(s):// address (train on that), or into a folder that they see at the same path (--ray-data shared)`,
        { place: { file: folder } },
      );
    const order: RayOrder = { workers: this.workers, job: rest, source: sent ? { ...source, folder: FILES.data } : source, options };
    const least = job.elastic === undefined ? this.workers : job.elastic.min + this.workers - job.partition.workers;
    const plan: LauncherPlan = {
      workers: this.workers,
      least,
      node,
      nodeVersion: NODE_VERSION,
      cpus: 1,
      memoryBytes: WORKER_BYTES + Math.ceil((2 * bytes) / (job.elastic?.min ?? this.workers)),
      dataPackages: 0,
      roomSeconds: ROOM_SECONDS,
    };
    const modules = node === 'ship' ? [await jobs.putPackage(await nodePackage(), () => note('sending Node.js to the cluster'))] : [];
    const isLarge = sent && bytes > PIECE_BYTES;
    let packages = 0;
    if (isLarge)
      for await (const archive of dataPackages(folder)) {
        modules.push(
          await jobs.putPackage(archive, () => note(`sending data to the cluster: ${mib(archive.length)} of ${mib(bytes)} MiB`)),
        );
        packages += 1;
      }
    const archive = await jobPackage({ ...plan, dataPackages: packages }, order, sent && !isLarge ? folder : undefined);
    const workingDir = await jobs.putPackage(archive, () => note(`sending ${mib(archive.length)} MiB to the cluster`));
    await jobs.submit({
      id,
      entrypoint: `python ${FILES.launcher}`,
      workingDir,
      modules,
      env: { PYTHONUNBUFFERED: '1', RAY_JOB_STOP_WAIT_TIME_S: String(STOP_SECONDS) },
      metadata: {
        tool: 'paragrad',
        workers: least === this.workers ? String(least) : `${least}:${this.workers}`,
        partition: job.partition.kind,
        model: job.model,
      },
    });
  }

  /** Hears what the job tells. @throws what it failed with; PARAGRAD_RAY_JOB where it ended without a word; AbortError */
  async #follow(jobs: RayJobs, id: string, hooks: EngineHooks): Promise<TrainingOutcome> {
    const stop = (): void => {
      void jobs.stop(id).catch((error: unknown) => guarded.onNote(`the job could not be stopped: ${(error as Error).message}`));
    };
    const guarded = new GuardedHooks(hooks, stop);
    const tail: string[] = [];
    const files = new ReportReader(
      jobs,
      (report) => told(report),
      (why) => guarded.onNote(`a checkpoint could not be fetched: ${why}`),
    );
    let last: Extract<RayReport, { kind: 'outcome' | 'failed' }> | undefined;
    const told = (report: RayReport): void => {
      if (report.kind === 'steps') guarded.onSteps(report.steps);
      else if (report.kind === 'checkpoint') guarded.onCheckpoint(report.checkpoint);
      else if (report.kind === 'note') guarded.onNote(report.text);
      else if (report.kind === 'file') files.push(report);
      else last = report;
    };
    const reader = new MessageReader<RayReport>(told, (line) => {
      const said = launcherLine(line);
      if (said === undefined) tail.push(line);
      else if (said.kind === 'note') guarded.onNote(said.text);
      else last = { kind: 'failed', error: said };
      tail.splice(0, tail.length - TAIL_LINES);
    });
    hooks.signal?.addEventListener('abort', stop, { once: true });
    if (hooks.signal?.aborted === true) stop();
    try {
      const info = await jobs.follow(id, reader.push);
      // With a result nobody needs a checkpoint; without one it is what is left.
      if (last?.kind !== 'outcome') await files.settled();
      guarded.rethrow();
      if (last?.kind === 'outcome') return last.outcome;
      this.#options.ray?.onJob?.(id, true);
      hooks.signal?.throwIfAborted();
      throw last === undefined ? ended(id, info, tail) : ParagradError.from(last.error);
    } finally {
      hooks.signal?.removeEventListener('abort', stop);
    }
  }

  /** Ends the job, where it runs, and waits until it is over. */
  async close(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    if (running === undefined) return;
    const { jobs, id } = running;
    try {
      await jobs.stop(id);
      for (let waited = 0; waited < STOP_SECONDS + 5 && !isOver((await jobs.job(id)).status); waited += 0.5) await sleep(500);
    } catch {
      // The cluster cannot be reached: the job is told nothing more, and nothing is left here.
    }
  }
}

const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);

type LauncherLine =
  | { readonly kind: 'note'; readonly text: string }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string; readonly place: object };

/** What the Python launcher says in words of its own. */
function launcherLine(line: string): LauncherLine | undefined {
  const [, kind, text] = /^@paragrad-(note|failed) (\{.*\})$/u.exec(line) ?? [];
  if (text === undefined) return undefined;
  const value = JSON.parse(text) as { text?: string; code?: string; message?: string };
  if (kind === 'note') return { kind, text: value.text ?? '' };
  const code = LAUNCHER_CODES.includes(value.code ?? '') ? (value.code as ErrorCode) : 'PARAGRAD_RAY_JOB';
  return { kind: 'failed', code, message: value.message ?? '', place: {} };
}

function ended(id: string, { status, message }: JobInfo, tail: readonly string[]): ParagradError {
  const how = status === 'STOPPED' ? 'was stopped before it had a result' : `ended (${status}) without a result`;
  const said = tail.filter((line) => line.trim() !== '').join('\n');
  return jobError(`job ${id} ${how}: ${message}${said === '' ? '' : `\n${said}`}`);
}
