import { mkdirSync, mkdtempSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ParagradError } from '../errors.ts';

/**
 * Makes a folder with all that are missing above it, as `mkdir -p`. Node's own `recursive` never returns where a file system
 * says that a folder which is there is not (`/proc`), so every folder is made here once, or is an error.
 *
 * @returns whether the last of them was made
 */
export function makeFolder(folder: string, mode = 0o777): boolean {
  const missing: string[] = [];
  let at = path.resolve(folder);
  while (statSync(at, { throwIfNoEntry: false }) === undefined) {
    missing.push(at);
    at = path.dirname(at);
  }
  for (const next of missing.reverse()) {
    try {
      mkdirSync(next, { mode });
    } catch (error) {
      // Another process was faster.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
  // What is there already may be a file.
  if (missing.length === 0) mkdirSync(folder, { recursive: true, mode });
  return missing.length > 0;
}

/** A new folder for its owner alone under the system's temporary one; whoever made it removes it. @throws PARAGRAD_FILE */
export function makeTempFolder(prefix: string): string {
  try {
    return mkdtempSync(path.join(tmpdir(), prefix));
  } catch (cause) {
    const why = `no temporary folder can be made in ${tmpdir()}: ${(cause as Error).message}: set TMPDIR to a folder that can be written`;
    throw new ParagradError('PARAGRAD_FILE', why, { place: { file: tmpdir() }, cause });
  }
}
