import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { compareUtf8 } from './names.ts';

const MAGIC = /[*?[]/u;

/** One part of a path as a regular expression: `*`, `?`, `[a-z]`, `[!a-z]`. A leading dot must be written. */
function matcherOf(part: string): RegExp {
  let source = part.startsWith('.') ? '' : '(?!\\.)';
  for (let at = 0; at < part.length; at += 1) {
    const char = part[at] as string;
    const set = char === '[' ? /^\[([!^]?)([^\]]+)\]/u.exec(part.slice(at)) : null;
    if (set !== null) {
      source += `[${set[1] === '' ? '' : '^'}${(set[2] as string).replace(/[\\^]/gu, '\\$&')}]`;
      at += set[0].length - 1;
    } else source += char === '*' ? '.*' : char === '?' ? '.' : char.replace(/[.*+?^${}()|[\]\\/]/gu, '\\$&');
  }
  return new RegExp(`^${source}$`, 'su');
}

/** Is this a pattern of names, and not a file whose name has such characters? */
export function isPattern(path: string): boolean {
  return MAGIC.test(path) && !existsSync(path);
}

/** The files that a pattern means (`*`, `?` and `[…]`, each inside one part of the path), in bytewise order. */
export async function expandPattern(pattern: string): Promise<string[]> {
  let found = [pattern.startsWith('/') ? '/' : ''];
  const parts = pattern.split('/').filter((part) => part !== '');
  for (const [i, part] of parts.entries()) {
    const last = i === parts.length - 1;
    const next: string[] = [];
    for (const folder of found) {
      if (!MAGIC.test(part)) {
        const path = join(folder, part);
        if (existsSync(path)) next.push(path);
        continue;
      }
      const matcher = matcherOf(part);
      const entries = await readdir(folder === '' ? '.' : folder, { withFileTypes: true }).catch(() => []);
      for (const entry of entries) if (matcher.test(entry.name) && (!last || !entry.isDirectory())) next.push(join(folder, entry.name));
    }
    found = next;
  }
  return found.sort(compareUtf8);
}
