import { homedir } from 'node:os';
import path from 'node:path';

/** Where what can be had again is kept: PARAGRAD_CACHE, or `paragrad` in XDG_CACHE_HOME or `~/.cache`. */
export function cacheFolder(env: Readonly<Record<string, string | undefined>> = process.env): string {
  const given = env.PARAGRAD_CACHE ?? '';
  if (given !== '') return path.resolve(given);
  const xdg = env.XDG_CACHE_HOME ?? '';
  // The specification says that a relative path is to be ignored.
  return path.join(path.isAbsolute(xdg) ? xdg : path.join(homedir(), '.cache'), 'paragrad');
}
