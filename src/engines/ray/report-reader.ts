import { createHash } from 'node:crypto';
import { ParagradError } from '../../errors.ts';
import { decodePlain } from '../worker/plain.ts';
import type { RayJobs } from './jobs-api.ts';
import type { RayReport } from './messages.ts';

type FileReport = Extract<RayReport, { kind: 'file' }>;

/** Fetches messages that lie in files of the cluster, one at a time. Of several that wait the newest is fetched alone. */
export class ReportReader {
  readonly #jobs: RayJobs;
  readonly #onReport: (report: RayReport) => void;
  readonly #onLost: (why: string) => void;
  #next: FileReport | undefined;
  #work: Promise<void> | undefined;

  constructor(jobs: RayJobs, onReport: (report: RayReport) => void, onLost: (why: string) => void) {
    this.#jobs = jobs;
    this.#onReport = onReport;
    this.#onLost = onLost;
  }

  push(file: FileReport): void {
    this.#next = file;
    this.#work ??= this.#fetchAll().finally(() => {
      this.#work = undefined;
    });
  }

  /** Resolves when all that was told of is here, or lost. */
  async settled(): Promise<void> {
    await this.#work;
  }

  async #fetchAll(): Promise<void> {
    for (let file = this.#next; file !== undefined; file = this.#next) {
      this.#next = undefined;
      try {
        const { node, name, bytes, sha256 } = file;
        const body = await this.#jobs.file(node, name, bytes);
        const found = createHash('sha256').update(body).digest('hex');
        if (found !== sha256) throw new ParagradError('PARAGRAD_RAY_JOB', `${name} came as other ${body.length} bytes than were written`);
        this.#onReport(decodePlain<RayReport>({ body: new Uint8Array(body) }));
      } catch (error) {
        // One that is gone was replaced by a newer one, which has been told of.
        if (this.#next === undefined) this.#onLost((error as Error).message);
      }
    }
  }
}
