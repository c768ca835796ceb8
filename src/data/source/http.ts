import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { get, type HttpLimits, Interrupted, LIMITS, remote } from './http-get.ts';
import type { Source, Storage, Stream } from './source.ts';

/** Read at once when a source is opened: the head of a shard is in it. */
const FIRST_BYTES = 16 * 1024;

/** What is at an address, as it was when it was opened. */
interface Version {
  readonly size: number;
  /** The server's name of this content; undefined where it has none. */
  readonly tag: string | undefined;
}

/** What servers of HTTP hold. `limits` are for tests. */
export function httpStorage(limits: HttpLimits = LIMITS): Storage {
  return {
    async open(location) {
      const first = new Uint8Array(FIRST_BYTES);
      const reader = new RangeReader(location, limits);
      const filled = await reader.first(first);
      return reader.source(first.subarray(0, filled));
    },
    async stream(location, signal) {
      return streamFrom(location, limits, signal);
    },
  };
}

export const http: Storage = httpStorage();

/** Reads ranges of one address, and notices when it is not the same thing any more. */
class RangeReader {
  readonly #location: string;
  readonly #limits: HttpLimits;
  #version: Version | undefined;

  constructor(location: string, limits: HttpLimits) {
    this.#location = location;
    this.#limits = limits;
  }

  /** Fills `into` from byte 0 on as far as there is something. @returns how far */
  async first(into: Uint8Array): Promise<number> {
    const { size } = await this.#read(into, 0);
    return Math.min(size, into.length);
  }

  source(first: Uint8Array): Source {
    const { size } = this.#version as Version;
    return {
      size,
      read: async (into, at) => {
        if (at + into.length > size) throw new Error('it ends before');
        if (at + into.length <= first.length) into.set(first.subarray(at, at + into.length));
        else await this.#read(into, at);
      },
      close: async () => undefined,
    };
  }

  async #read(into: Uint8Array, at: number): Promise<Version> {
    let done = 0;
    return retried(this.#location, this.#limits, into.length, undefined, async (progress) => {
      const response = await get(this.#location, this.#limits, { begin: at + done, end: at + into.length });
      const version = this.#check(response, at + done);
      const wanted = Math.min(into.length, version.size - at);
      for await (const piece of piecesOf(this.#location, response)) {
        if (done + piece.length > wanted) throw remote(this.#location, 'sends more than was asked for');
        into.set(piece, done);
        done += piece.length;
        progress();
      }
      if (done < wanted) throw new Interrupted(this.#location, 'the connection ended in the middle');
      return version;
    });
  }

  /** @throws PARAGRAD_REMOTE when the answer is no range, or of another content than before */
  #check(response: IncomingMessage, begin: number): Version {
    const refuse = (why: string): never => {
      response.destroy();
      throw remote(this.#location, why);
    };
    if (response.statusCode === 200)
      refuse(
        'sends the whole file where a part of it is asked for: workers read their own parts alone, so take a server that knows ranges',
      );
    const [, from, size] = /^bytes (\d+)-\d+\/(\d+)$/u.exec(response.headers['content-range'] ?? '') ?? [];
    // Nothing of an empty file can be asked for.
    const isEmpty = response.statusCode === 416 && response.headers['content-range'] === 'bytes */0';
    if (!isEmpty && (response.statusCode !== 206 || from === undefined || Number(from) !== begin))
      refuse(`answers another range than was asked for (${response.statusCode}, ${response.headers['content-range'] ?? 'no range'})`);
    const version = { size: isEmpty ? 0 : Number(size), tag: tagOf(response) };
    this.#version ??= version;
    if (version.size !== this.#version.size || version.tag !== this.#version.tag)
      refuse('changed while it was read: run the command again');
    if (isEmpty) response.resume();
    return version;
  }
}

/** A strong ETag, or the time of the last change. */
function tagOf({ headers: { etag, 'last-modified': modified } }: IncomingMessage): string | undefined {
  return etag === undefined || etag.startsWith('W/') ? modified : etag;
}

/** The whole from its first byte on; after a cut the rest, where the server knows ranges, else all again is an error. */
async function streamFrom(location: string, limits: HttpLimits, signal: AbortSignal | undefined): Promise<Stream> {
  const response = await retried(location, limits, 0, signal, () => get(location, limits, undefined, signal));
  const length = response.headers['content-length'];
  const size = length === undefined ? undefined : Number(length);
  const tag = tagOf(response);
  return { size, pieces: resumed() };

  async function* resumed(): AsyncGenerator<Uint8Array> {
    let done = 0;
    let current: IncomingMessage | undefined = response;
    for (let failures = 0; ; ) {
      try {
        current ??= await rest(done);
        for await (const piece of piecesOf(location, current)) {
          failures = 0;
          done += piece.length;
          yield piece;
        }
        if (size === undefined || done === size) return;
        if (done > size) throw remote(location, `sends more than the ${size} bytes that it announced`);
        throw new Interrupted(location, `the connection ended after ${done} of ${size} bytes`);
      } catch (error) {
        current?.destroy();
        current = undefined;
        failures += 1;
        signal?.throwIfAborted();
        if (!(error instanceof Interrupted)) throw error;
        if (size === undefined || tag === undefined || failures >= limits.attempts) throw error.final();
        await sleep(limits.pauseMs * 2 ** (failures - 1), undefined, { signal });
      }
    }
  }

  async function rest(begin: number): Promise<IncomingMessage> {
    const next = await get(location, limits, { begin, end: size as number }, signal);
    const isRest = next.statusCode === 206 && next.headers['content-range']?.startsWith(`bytes ${begin}-`) === true;
    if (isRest && tagOf(next) === tag) return next;
    next.destroy();
    throw remote(
      location,
      isRest ? 'changed while it was read: run the command again' : `was cut after ${begin} of ${size} bytes, and the server sends no rest`,
    );
  }
}

/** What a response brings. @throws Interrupted when it is cut, or pauses for too long */
async function* piecesOf(location: string, response: IncomingMessage): AsyncGenerator<Uint8Array> {
  try {
    yield* response as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw error instanceof Interrupted ? error : new Interrupted(location, `the connection was cut: ${(error as Error).message}`);
  }
}

/**
 * Does what may be done again, until it is done: after `attempts` failures without progress in between, or when the time for
 * `bytes` is over, the last failure is told.
 */
async function retried<T>(
  location: string,
  limits: HttpLimits,
  bytes: number,
  signal: AbortSignal | undefined,
  work: (progress: () => void) => Promise<T>,
): Promise<T> {
  const timeMs = limits.deadlineMs + (1000 * bytes) / limits.slowestBytesPerSecond;
  const endMs = performance.now() + timeMs;
  for (let failures = 0; ; ) {
    try {
      return await work(() => {
        failures = 0;
        if (performance.now() > endMs)
          throw remote(location, `is too slow: ${bytes} bytes did not come within ${Math.round(timeMs / 1000)} s`);
      });
    } catch (error) {
      signal?.throwIfAborted();
      failures += 1;
      if (!(error instanceof Interrupted)) throw error;
      if (failures >= limits.attempts || performance.now() > endMs) throw error.final();
      await sleep(limits.pauseMs * 2 ** (failures - 1), undefined, { signal });
    }
  }
}
