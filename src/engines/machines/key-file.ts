import { readFileSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { type Key, keyText, newKey, parseKey } from '../../communicate/streams/key.ts';
import { ParagradError } from '../../errors.ts';

/** Permissions of all but the owner. */
const OTHERS = 0o077;

function wrong(message: string, file?: string, cause?: unknown): ParagradError {
  return new ParagradError('PARAGRAD_KEY', message, { ...(file === undefined ? {} : { place: { file } }), cause });
}

/**
 * The key of a run: from a file that only its owner can read, else from PARAGRAD_KEY. It is never an argument, which everybody on
 * the machine could see.
 *
 * @throws PARAGRAD_KEY, which never repeats the key
 */
export function readKey(file: string | undefined, env: Readonly<Record<string, string | undefined>> = process.env): Key {
  if (file === undefined) {
    const text = env.PARAGRAD_KEY ?? '';
    if (text === '')
      throw wrong(
        'the key of the run is missing: make one (paragrad key FILE), and give --key-file FILE on every machine, or set PARAGRAD_KEY to its content',
      );
    try {
      return parseKey(text);
    } catch (cause) {
      throw wrong(`PARAGRAD_KEY: ${(cause as Error).message}`, undefined, cause);
    }
  }
  let text: string;
  try {
    // Windows has no such permissions.
    if (process.platform !== 'win32' && (statSync(file).mode & OTHERS) !== 0)
      throw wrong(`the key in ${file} can be read by others: make a new one, or chmod 600 ${file}`, file);
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw cause instanceof ParagradError ? cause : wrong(`the key file ${file} cannot be read: ${(cause as Error).message}`, file, cause);
  }
  try {
    return parseKey(text);
  } catch (cause) {
    throw wrong(`${file}: ${(cause as Error).message}`, file, cause);
  }
}

/** Writes a new key into a new file that only its owner can read. @throws PARAGRAD_OUT_EXISTS, PARAGRAD_OUT */
export async function writeNewKey(file: string): Promise<void> {
  try {
    await writeFile(file, `${keyText(newKey())}\n`, { flag: 'wx', mode: 0o600 });
  } catch (cause) {
    const place = { place: { file }, cause };
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST')
      throw new ParagradError('PARAGRAD_OUT_EXISTS', `${file} exists already: a key is never replaced; name another file`, place);
    throw new ParagradError('PARAGRAD_OUT', `${file} cannot be written: ${(cause as Error).message}`, place);
  }
}
