import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** A new folder for its owner alone, whose path is at most `bytes` long: under the system's temporary one, or /tmp. */
export function shortTempFolder(prefix: string, bytes: number): string {
  const usual = path.join(tmpdir(), prefix);
  return mkdtempSync(Buffer.byteLength(usual) + 6 <= bytes ? usual : path.join('/tmp', prefix));
}
