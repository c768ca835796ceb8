import { closeSync, existsSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { ParagradError } from '../errors.ts';
import { makeTempFolder } from './folders.ts';
import { streamOf } from './source/location.ts';
import { shown } from './source/shown.ts';

/** What has come of an address. */
export interface Download {
  readonly source: string;
  readonly bytes: number;
  /** Undefined where the server does not say. */
  readonly total: number | undefined;
}

export interface DownloadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onDownload?: ((download: Download) => void) | undefined;
}

/** A stream as a file that can be read again and again. */
export interface Spooled {
  readonly path: string;
  /** Removes it. A second call does nothing. */
  release(): void;
}

/** How a spooled stream is called, and what cannot be done with it. */
type Fail = (why: string, cause?: unknown) => ParagradError;

/**
 * Copies standard input to a temporary file.
 *
 * @throws PARAGRAD_FILE when there is nothing to read, or no room
 */
export async function spool(stream: Readable & { isTTY?: boolean }): Promise<Spooled> {
  const fail: Fail = (why, cause) => new ParagradError('PARAGRAD_FILE', `standard input ${why}`, { place: { file: '-' }, cause });
  if (stream.isTTY === true) throw fail('is a terminal: send a file there (paragrad … - < data.csv)');
  return keep(stream as AsyncIterable<Uint8Array | string>, 'stdin', fail);
}

/** Copies what an address holds to a temporary file. @throws PARAGRAD_FILE, PARAGRAD_REMOTE; the signal's reason */
export async function spoolAddress(location: string, { signal, onDownload }: DownloadOptions): Promise<Spooled> {
  const label = shown(location);
  const { size, pieces } = await streamOf(location, signal);
  const fail: Fail = (why, cause) => new ParagradError('PARAGRAD_FILE', `${label} ${why}`, { place: { file: label }, cause });
  return keep(counted(), 'download', fail);

  async function* counted(): AsyncGenerator<Uint8Array> {
    let bytes = 0;
    for await (const piece of pieces) {
      bytes += piece.length;
      onDownload?.({ source: label, bytes, total: size });
      yield piece;
    }
  }
}

/**
 * Copies a stream to a temporary file, which goes with the process whatever ends it: where the system shows open files as paths
 * (Linux) it has no name while it is used, elsewhere it is removed on exit.
 */
async function keep(stream: AsyncIterable<Uint8Array | string>, name: string, fail: Fail): Promise<Spooled> {
  const folder = makeTempFolder(`paragrad-${name}-`);
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  const file = join(folder, 'data');
  try {
    const fd = openSync(file, 'wx+', 0o600);
    const open = `/proc/self/fd/${fd}`;
    const nameless = existsSync(open);
    if (nameless) remove();
    let released = false;
    const release = (): void => {
      if (released) return;
      released = true;
      closeSync(fd);
      remove();
      process.removeListener('exit', remove);
    };
    try {
      for await (const chunk of stream) {
        const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
        for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
      }
    } catch (error) {
      release();
      // What the stream says of itself, and an abort, need no words of ours.
      if (error instanceof ParagradError || (error as Error).name === 'AbortError') throw error;
      throw fail(`cannot be copied to ${tmpdir()}: ${(error as Error).message}`, error);
    }
    return { path: nameless ? open : file, release };
  } catch (error) {
    remove();
    throw error;
  }
}
