import { setTimeout as sleep } from 'node:timers/promises';
import { ParagradError } from '../../errors.ts';
import { authorization, refused, unreachable } from './http.ts';
import { isOver, type JobInfo, jobPath } from './job.ts';
import type { RayJobs } from './jobs-api.ts';

/** A cluster that cannot be reached for this long is gone. */
const GIVE_UP_MS = 120_000;
const RETRY_MS = 500;
const HANDSHAKE_MS = 20_000;
/** A line without an end is no line. */
const MOST_LINE = 1024 * 1024;

/** Cuts text that comes in pieces into lines, and knows how much of the whole it has seen. */
export class LineCutter {
  readonly #onLine: (line: string) => void;
  #rest = '';
  /** Characters of the whole text so far. */
  seen = 0;

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(text: string): void {
    this.seen += text.length;
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() as string;
    if (this.#rest.length > MOST_LINE) this.#rest = '';
    for (const line of lines) this.#onLine(line);
  }

  /** The last line may have no end. */
  end(): void {
    if (this.#rest !== '') this.#onLine(this.#rest);
    this.#rest = '';
  }
}

/** See `RayJobs.follow`. The tail starts at the first character every time it is opened: what was seen is passed over. */
export async function followLogs(
  jobs: RayJobs,
  id: string,
  onLine: (line: string) => void,
  signal: AbortSignal | undefined,
): Promise<JobInfo> {
  const cutter = new LineCutter(onLine);
  let lastContactMs = performance.now();
  for (;;) {
    signal?.throwIfAborted();
    try {
      await tail(jobs, id, cutter, signal);
      const info = await jobs.job(id);
      lastContactMs = performance.now();
      if (isOver(info.status)) {
        // What was written in the last moment may have missed the tail.
        cutter.push((await jobs.logs(id)).slice(cutter.seen));
        cutter.end();
        return info;
      }
    } catch (error) {
      const isAway = error instanceof ParagradError && error.code === 'PARAGRAD_RAY_ADDRESS';
      if (!isAway || performance.now() - lastContactMs > GIVE_UP_MS) throw error;
    }
    await sleep(RETRY_MS, undefined, { signal });
  }
}

/** One connection: resolves when the other side ends it. */
async function tail(jobs: RayJobs, id: string, cutter: LineCutter, signal: AbortSignal | undefined): Promise<void> {
  const { address } = jobs;
  // Only who follows a job needs it.
  const { WebSocket } = await import('ws');
  const url = `${address.url.replace(/^http/u, 'ws')}${jobPath(id)}/logs/tail`;
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { headers: authorization(address), handshakeTimeout: HANDSHAKE_MS, perMessageDeflate: false });
    let toSkip = cutter.seen;
    const abort = (): void => socket.terminate();
    signal?.addEventListener('abort', abort, { once: true });
    const done = (error?: unknown): void => {
      signal?.removeEventListener('abort', abort);
      if (error === undefined) resolve();
      else reject(error);
    };
    socket.on('message', (data, isBinary) => {
      if (isBinary) return;
      const text = String(data);
      const skipped = Math.min(toSkip, text.length);
      toSkip -= skipped;
      try {
        cutter.push(text.slice(skipped));
      } catch (error) {
        socket.terminate();
        done(error);
      }
    });
    socket.on('unexpected-response', (_request, { statusCode = 0 }) => {
      socket.terminate();
      done(statusCode === 401 || statusCode === 403 ? refused(address, statusCode) : undefined);
    });
    socket.on('error', (error) => done(signal?.aborted === true ? signal.reason : unreachable(address, error)));
    socket.on('close', () => done(signal?.aborted === true ? signal.reason : undefined));
  });
}
