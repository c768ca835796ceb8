import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { ParagradError } from '../errors.ts';

/** A stream as a file that can be read again and again. */
export interface Spooled {
  readonly path: string;
  /** Removes it. A second call does nothing. */
  release(): void;
}

/**
 * Copies a stream (standard input) to a temporary file, which goes with the process whatever ends it: where the system shows
 * open files as paths (Linux) it has no name while it is used, elsewhere it is removed on exit.
 *
 * @throws PARAGRAD_FILE when there is nothing to read, or no room
 */
export async function spool(stream: Readable & { isTTY?: boolean }): Promise<Spooled> {
  const fail = (why: string, cause?: unknown): ParagradError =>
    new ParagradError('PARAGRAD_FILE', `standard input ${why}`, { place: { file: '-' }, cause });
  if (stream.isTTY === true) throw fail('is a terminal: send a file there (paragrad … - < data.csv)');
  const folder = mkdtempSync(join(tmpdir(), 'paragrad-stdin-'));
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
      for await (const chunk of stream as AsyncIterable<Uint8Array | string>) {
        const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
        for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
      }
    } catch (error) {
      release();
      throw fail(`cannot be copied to ${tmpdir()}: ${(error as Error).message}`, error);
    }
    return { path: nameless ? open : file, release };
  } catch (error) {
    remove();
    throw error;
  }
}
