import { createHash } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { ParagradError } from '../errors.ts';

/** What was written. */
export interface Written {
  readonly bytes: number;
  readonly sha256: string;
}

export type Parts = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** Small parts are collected up to this before they go to the disk. */
const BUFFER_BYTES = 1024 * 1024;

/**
 * Writes a file whole or not at all: under another name beside it, to the disk, then renamed. What `parts` throws is thrown
 * on, and nothing is left.
 *
 * @param option that named the file, for messages
 * @throws PARAGRAD_OUT when the file cannot be written
 */
export async function writeWhole(file: string, parts: Parts, option = '--out'): Promise<Written> {
  const partial = `${file}.partial-${process.pid}-${Date.now().toString(36)}`;
  const guard = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      throw unwritable(file, option, error);
    });
  const handle = await guard(open(partial, 'wx'));
  try {
    const hash = createHash('sha256');
    let bytes = 0;
    try {
      for await (const part of collected(parts)) {
        hash.update(part);
        bytes += part.length;
        await guard(writeAll(handle, part));
      }
      await guard(handle.sync());
    } finally {
      await handle.close();
    }
    await guard(rename(partial, file));
    return { bytes, sha256: hash.digest('hex') };
  } catch (error) {
    // It may not be there: the error to show is the first one.
    await rm(partial, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** Writes to a stream that stays open, no faster than it takes. */
export async function writeStream(stream: Writable, parts: Parts): Promise<void> {
  for await (const part of parts)
    await new Promise<void>((resolve, reject) => {
      stream.write(part, (error) => (error ? reject(error) : resolve()));
    });
}

async function writeAll(handle: Awaited<ReturnType<typeof open>>, part: Uint8Array): Promise<void> {
  for (let done = 0; done < part.length; ) done += (await handle.write(part, done)).bytesWritten;
}

async function* collected(parts: Parts): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of parts) {
    held.push(part);
    bytes += part.length;
    if (bytes < BUFFER_BYTES) continue;
    yield held.length === 1 ? part : Buffer.concat(held);
    held = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(held);
}

function unwritable(file: string, option: string, cause: unknown): ParagradError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ParagradError('PARAGRAD_OUT', `${file} cannot be written: ${why}`, { place: { file, option }, cause });
}
