import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');

/** Codes that the sources make: literals, not mentions in comments. */
function codesInSource(): Set<string> {
  const folder = join(ROOT, 'src');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  const matches = files.flatMap((file) => [...readFileSync(join(folder, file), 'utf8').matchAll(/['"`](PARAGRAD_[A-Z0-9_]+)['"`]/g)]);
  return new Set(matches.map(([, code]) => code as string));
}

/** Codes that have a row in a table of the page. */
function codesInPage(): string[] {
  return [...readFileSync(join(ROOT, 'docs/errors.md'), 'utf8').matchAll(/^\| `(PARAGRAD_[A-Z0-9_]+)` \|/gm)].map(
    ([, code]) => code as string,
  );
}

describe('docs/errors.md', () => {
  it('lists each code that the sources use, and no other', () => {
    expect(codesInPage().sort()).toEqual([...codesInSource()].sort());
  });

  it('lists no code twice', () => {
    expect(new Set(codesInPage()).size).toBe(codesInPage().length);
  });
});
