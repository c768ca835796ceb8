import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { reasonOf } from '../../data/source/reasons.ts';
import { ParagradError } from '../../errors.ts';
import type { RayAddress } from './address.ts';

/** One exchange with the dashboard. */
export interface RayRequest {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** Starts with a slash. */
  readonly path: string;
  readonly body?: Uint8Array | undefined;
  readonly contentType?: string;
  /** For the whole exchange. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface RayAnswer {
  readonly status: number;
  readonly body: Buffer;
  /** The body, read as UTF-8. */
  readonly text: string;
}

const TIMEOUT_MS = 30_000;
/** Logs and answers beyond are no answers. */
const MOST_BYTES = 512 * 1024 * 1024;

/**
 * Sends a request and reads the whole answer. By node:http, since Ray refuses `fetch` as a browser's (405). A cluster that is
 * starting answers 5xx at times; that is the caller's to know.
 *
 * @throws PARAGRAD_RAY_ADDRESS when nothing answers, or what answers speaks no HTTP; PARAGRAD_RAY_TOKEN (401, 403); the
 * signal's reason
 */
export async function exchange(address: RayAddress, request: RayRequest): Promise<RayAnswer> {
  const { signal } = request;
  signal?.throwIfAborted();
  const answer = await new Promise<RayAnswer>((resolve, reject) => send(address, request, resolve, reject)).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw error instanceof ParagradError ? error : unreachable(address, error as NodeJS.ErrnoException);
  });
  if (answer.status === 401 || answer.status === 403) throw refused(address, answer.status);
  return answer;
}

/** What a status of 401 or 403 means. Whoever wants a token says it in its own words. */
export function refused({ url, token }: RayAddress, status: number): ParagradError {
  const text =
    token === undefined
      ? `${url} asks for a token (${status}): set RAY_AUTH_TOKEN, or give the file that holds it (--ray-token-file)`
      : `${url} does not accept this token (${status}): RAY_AUTH_TOKEN, --ray-token-file or ~/.ray/auth_token must hold the cluster’s own`;
  return new ParagradError('PARAGRAD_RAY_TOKEN', text);
}

function send(address: RayAddress, what: RayRequest, resolve: (answer: RayAnswer) => void, reject: (error: unknown) => void): void {
  const { method, path, body, contentType = 'application/json', timeoutMs = TIMEOUT_MS, signal } = what;
  const url = new URL(address.url + path);
  const headers = {
    ...authorization(address),
    ...(body === undefined ? {} : { 'content-type': contentType, 'content-length': String(body.length) }),
  };
  const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, { method, headers, agent: false, signal }, (response) =>
    read(response).then(finish, fail),
  );
  const timer = setTimeout(() => request.destroy(late(address, timeoutMs)), timeoutMs);
  const finish = (answer: RayAnswer): void => {
    clearTimeout(timer);
    resolve(answer);
  };
  const fail = (error: unknown): void => {
    clearTimeout(timer);
    request.destroy();
    reject(error);
  };
  request.on('error', fail);
  request.end(body);
}

export function authorization({ token }: RayAddress): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

async function read(response: IncomingMessage): Promise<RayAnswer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > MOST_BYTES) throw new Error('the answer is too long');
    pieces.push(piece);
  }
  const body = Buffer.concat(pieces);
  return {
    status: response.statusCode ?? 0,
    body,
    get text() {
      return body.toString('utf8');
    },
  };
}

function late({ url }: RayAddress, timeoutMs: number): ParagradError {
  return new ParagradError('PARAGRAD_RAY_ADDRESS', `${url} did not answer within ${timeoutMs / 1000} s`, {
    place: { option: '--ray-address' },
  });
}

/** The cluster cannot be reached. @param error of the connection */
export function unreachable({ url }: RayAddress, error: NodeJS.ErrnoException): ParagradError {
  return new ParagradError('PARAGRAD_RAY_ADDRESS', `${url} cannot be reached: ${reasonOf(error)}`, {
    place: { option: '--ray-address' },
    cause: error,
  });
}
