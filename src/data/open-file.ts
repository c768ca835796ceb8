import { constants } from 'node:fs';
import { access, open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ParagradError } from '../errors.ts';
import { nearestName, quote } from './names.ts';

/** Bytes of a file's head that are looked at: enough for any header line. */
const HEAD_BYTES = 4 * 1024 * 1024;

export interface FileHead {
  readonly path: string;
  /** What people call it. */
  readonly label: string;
  readonly bytes: number;
  readonly head: Uint8Array;
  /** The head is the whole file. */
  readonly whole: boolean;
  /** When it was last written, as the file system says. */
  readonly modifiedMs: number;
}

/** @throws PARAGRAD_DATA when a file is not the one any more whose head was read: half of the old and half of the new is no table */
export async function checkUnchanged(files: readonly FileHead[]): Promise<void> {
  for (const { path, label, bytes, modifiedMs } of files) {
    const now = await stat(path).catch(() => undefined);
    if (now?.size === bytes && now.mtimeMs === modifiedMs) continue;
    const how = now === undefined ? 'was removed' : 'changed';
    throw new ParagradError('PARAGRAD_DATA', `${label} ${how} while it was read: wait until it is written, and run the command again`, {
      place: { file: label },
    });
  }
}

function fileError(path: string, why: string, cause?: unknown): ParagradError {
  return new ParagradError('PARAGRAD_FILE', `${path} ${why}`, { place: { file: path }, cause });
}

async function missing(path: string): Promise<ParagradError> {
  if (/^[a-z][a-z0-9+.-]*:\/\//iu.test(path))
    return fileError(path, 'is an address of a kind that is not read: only local files, http:// and https:// are');
  const near = nearestName(basename(path), await readdir(dirname(path)).catch(() => []));
  const hint = near === undefined ? '' : `; did you mean ${quote(join(dirname(path), near))}?`;
  return fileError(path, `does not exist${hint}`);
}

/** A folder where a file is read: a dataset, which only some commands take, or any other. */
async function folderError(path: string, label: string): Promise<ParagradError> {
  const files = 'files of CSV, lines of JSON (both also packed by gzip) or Parquet';
  const dataset = await stat(join(path, 'manifest.json')).catch(() => undefined);
  if (dataset !== undefined)
    return fileError(label, `is a dataset folder, which train and inspect take, one at a time; here ${files} are read`);
  return fileError(label, `is a folder, and no dataset: ${files} are read, and dataset folders`);
}

/** The first bytes of a file. @throws PARAGRAD_FILE when it is missing, a folder, empty or not readable */
export async function readHead(path: string, label: string = path): Promise<FileHead> {
  const facts = await stat(path).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') throw await missing(path);
    throw fileError(label, `cannot be read: ${error.message}`, error);
  });
  if (facts.isDirectory()) throw await folderError(path, label);
  if (!facts.isFile()) throw fileError(label, 'is not a regular file');
  if (facts.size === 0) throw fileError(label, 'is empty (0 bytes)');
  try {
    await access(path, constants.R_OK);
    const handle = await open(path, 'r');
    try {
      const head = new Uint8Array(Math.min(HEAD_BYTES, facts.size));
      let filled = 0;
      while (filled < head.length) {
        const { bytesRead } = await handle.read(head, filled, head.length - filled, filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return { path, label, bytes: facts.size, head: head.subarray(0, filled), whole: filled === facts.size, modifiedMs: facts.mtimeMs };
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw fileError(label, `cannot be read: ${(error as Error).message}`, error);
  }
}
