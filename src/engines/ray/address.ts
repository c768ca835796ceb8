import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ParagradError } from '../../errors.ts';

/** Where a Ray cluster is reached: its dashboard, which serves the Jobs REST API, and the token that it asks for. */
export interface RayAddress {
  /** `http://host:8265` or `https://…`, without a slash at its end. */
  readonly url: string;
  /** Undefined where the cluster asks for none. */
  readonly token: string | undefined;
}

/**
 * The address of a user: `http://head:8265`, `https://…`, or `head:8265`.
 *
 * @throws PARAGRAD_RAY_ADDRESS
 */
export function parseRayAddress(text: string): string {
  const wrong = (why: string): ParagradError =>
    new ParagradError('PARAGRAD_RAY_ADDRESS', `not the address of a Ray cluster: '${text}': ${why}`, {
      place: { option: '--ray-address' },
    });
  if (text.startsWith('ray://')) throw wrong('ray:// is the address of Ray’s Python client: give the dashboard’s, http://HOST:8265');
  const full = /^[a-z][a-z0-9+.-]*:\/\//iu.test(text) ? text : `http://${text}`;
  if (!URL.canParse(full)) throw wrong('write http://HOST:8265');
  const { protocol, username, password, port, search, hash, href } = new URL(full);
  if (protocol !== 'http:' && protocol !== 'https:') throw wrong('it starts with http:// or https://');
  if (username !== '' || password !== '')
    throw wrong('a token goes into RAY_AUTH_TOKEN or a file (--ray-token-file), not into the address');
  if (search !== '' || hash !== '') throw wrong('it ends after the port or the path');
  // Without a port `http://head` would be port 80, which no Ray has.
  if (port === '6379' || port === '10001') throw wrong(`port ${port} is for Ray’s own processes: give the dashboard’s, mostly 8265`);
  return href.replace(/\/+$/u, '');
}

/**
 * The token as Ray's own tools find it: `file`, else RAY_AUTH_TOKEN, else the file of RAY_AUTH_TOKEN_PATH, else
 * `~/.ray/auth_token`. Undefined where there is none.
 *
 * @throws PARAGRAD_RAY_TOKEN when a file that was named cannot be read, or holds no token
 */
export function findToken(file: string | undefined, env: Readonly<Record<string, string | undefined>>): string | undefined {
  if (file !== undefined) return readToken(file, '--ray-token-file');
  const direct = env.RAY_AUTH_TOKEN?.trim() ?? '';
  if (direct !== '') return checkToken(direct, 'RAY_AUTH_TOKEN');
  const named = env.RAY_AUTH_TOKEN_PATH ?? '';
  if (named !== '') return readToken(named, 'RAY_AUTH_TOKEN_PATH');
  try {
    return checkToken(readFileSync(join(homedir(), '.ray', 'auth_token'), 'utf8').trim(), '~/.ray/auth_token');
  } catch (error) {
    if (error instanceof ParagradError) throw error;
    return undefined;
  }
}

function readToken(file: string, from: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw wrongToken(`the file of ${from} cannot be read: ${(error as Error).message}`, file);
  }
  return checkToken(text, from);
}

/** A token goes into a header: a line break in it would be a second one. The text itself is not repeated in a message. */
function checkToken(token: string, from: string): string {
  if (!/^[\x21-\x7e]+$/u.test(token)) throw wrongToken(`${from} holds no token: it is one word of letters, digits and signs`);
  return token;
}

function wrongToken(message: string, file?: string): ParagradError {
  return new ParagradError('PARAGRAD_RAY_TOKEN', message, { place: file === undefined ? {} : { file } });
}
