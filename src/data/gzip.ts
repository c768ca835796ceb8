import { createReadStream } from 'node:fs';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { ParagradError } from '../errors.ts';

const CHUNK_BYTES = 1024 * 1024;

/**
 * Unpacks a gzip file once for its check sums: DuckDB takes one that was cut short for a shorter one, without a word.
 *
 * @throws PARAGRAD_DATA
 */
export async function verifyGzip(path: string, label: string = path): Promise<void> {
  const discard = new Writable({ highWaterMark: CHUNK_BYTES, write: (_chunk, _encoding, done) => done() });
  try {
    await pipeline(createReadStream(path, { highWaterMark: CHUNK_BYTES }), createGunzip({ chunkSize: CHUNK_BYTES }), discard);
  } catch (error) {
    throw new ParagradError('PARAGRAD_DATA', `${label} cannot be unpacked (cut short or damaged?): ${(error as Error).message}`, {
      place: { file: label },
      cause: error,
    });
  }
}
