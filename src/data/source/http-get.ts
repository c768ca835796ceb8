import type { IncomingMessage, RequestOptions } from 'node:http';
import { ParagradError } from '../../errors.ts';
import { isLasting, reasonOf } from './reasons.ts';
import { shown } from './shown.ts';

export interface HttpLimits {
  /** A connection that brings nothing for so long is given up. */
  readonly idleMs: number;
  /** For a read, beside the time that its bytes take at the slowest rate. */
  readonly deadlineMs: number;
  readonly slowestBytesPerSecond: number;
  /** Failures in a row, without a byte in between. */
  readonly attempts: number;
  /** Before the second attempt; twice as long before the next. */
  readonly pauseMs: number;
}

export const LIMITS: HttpLimits = { idleMs: 30_000, deadlineMs: 120_000, slowestBytesPerSecond: 32 * 1024, attempts: 5, pauseMs: 250 };

const MOST_REDIRECTS = 5;
const MISSING: readonly number[] = [404, 410];
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
/** Of what may be better a moment later, beside 5xx. */
const PASSING: readonly number[] = [408, 425, 429];

export function remote(location: string, why: string, cause?: unknown): ParagradError {
  return new ParagradError('PARAGRAD_REMOTE', `${shown(location)} ${why}`, { place: { file: shown(location) }, cause });
}

/** A failure that may be gone when it is tried again. */
export class Interrupted extends Error {
  readonly #location: string;

  constructor(location: string, why: string, cause?: unknown) {
    super(why, { cause });
    this.#location = location;
  }

  /** For the user, when it was tried often enough. */
  final(): ParagradError {
    return remote(this.#location, `cannot be read: ${this.message}`, this.cause);
  }
}

/** Bytes [begin, end). */
interface Range {
  readonly begin: number;
  readonly end: number;
}

/**
 * Asks for a whole, or a range of it, and follows where it is sent. The answer has status 200, 206 or 416.
 *
 * @throws PARAGRAD_FILE when there is no such thing; PARAGRAD_REMOTE; Interrupted; the signal's reason
 */
export async function get(location: string, limits: HttpLimits, range?: Range, signal?: AbortSignal): Promise<IncomingMessage> {
  let url = new URL(location);
  if (url.username !== '' || url.password !== '')
    throw remote(
      `${url.protocol}//${url.host}${url.pathname}`,
      'was given with a password: it would be written to logs and into the run; give the address without',
    );
  for (let redirects = 0; ; redirects += 1) {
    const response = await ask(url, location, limits, range, signal);
    const { statusCode: status = 0, headers } = response;
    if (status === 200 || status === 206 || status === 416) return response;
    response.destroy();
    if (!REDIRECTS.includes(status) || headers.location === undefined) throw refusal(location, status);
    const next = URL.canParse(headers.location, url.href) ? new URL(headers.location, url.href) : url;
    if (redirects === MOST_REDIRECTS) throw remote(location, 'leads from one address to the next, and to no data');
    if (!/^https?:$/u.test(next.protocol) || (url.protocol === 'https:' && next.protocol === 'http:'))
      throw remote(location, `leads to ${next.protocol}//${next.host}, which is not https`);
    url = next;
  }
}

function refusal(location: string, status: number): Error {
  if (MISSING.includes(status))
    return new ParagradError('PARAGRAD_FILE', `${shown(location)} does not exist (the server answers ${status})`, {
      place: { file: shown(location) },
    });
  if (status >= 500 || PASSING.includes(status)) return new Interrupted(location, `the server answers ${status}`);
  if (status === 401 || status === 403) return remote(location, `may not be read: the server answers ${status}`);
  return remote(location, `cannot be read: the server answers ${status}`);
}

async function ask(
  url: URL,
  location: string,
  limits: HttpLimits,
  range: Range | undefined,
  signal?: AbortSignal,
): Promise<IncomingMessage> {
  // Not before it is needed: a worker whose data are files starts sooner.
  const { request } = url.protocol === 'https:' ? await import('node:https') : await import('node:http');
  const options: RequestOptions = {
    headers: {
      'accept-encoding': 'identity',
      'user-agent': 'paragrad',
      ...(range === undefined ? {} : { range: `bytes=${range.begin}-${Math.max(range.begin, range.end - 1)}` }),
    },
    timeout: limits.idleMs,
    ...(signal === undefined ? {} : { signal }),
  };
  return new Promise((resolve, reject) => {
    let response: IncomingMessage | undefined;
    const sent = request(url, options, (answer) => {
      response = answer;
      resolve(answer);
    });
    sent.on('timeout', () => {
      const late = new Interrupted(location, `the server sends nothing for ${limits.idleMs / 1000} s`);
      (response ?? sent).destroy(late);
    });
    sent.on('error', (error: NodeJS.ErrnoException) => {
      if (signal?.aborted === true) reject(signal.reason);
      else if (error instanceof Interrupted) reject(error);
      else if (isLasting(error)) reject(remote(location, `cannot be reached: ${reasonOf(error)}`, error));
      else reject(new Interrupted(location, reasonOf(error), error));
    });
    sent.end();
  });
}
