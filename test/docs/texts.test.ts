import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const PAGES = [...readdirSync(ROOT), ...readdirSync(join(ROOT, 'docs')).map((name) => join('docs', name))].filter((name) =>
  name.endsWith('.md'),
);

const withoutCode = (text: string): string => text.replace(/^```[\s\S]*?^```/gm, '').replace(/`[^`\n]*`/g, '');
const codeBlocks = (text: string): string[] => text.match(/^```[\s\S]*?^```/gm) ?? [];
const headings = (text: string): string[] => (withoutCode(text).match(/^#+ /gm) ?? []).map((marks) => marks.trim());

/** The id that a heading gets on code hosts. */
const slugOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s/g, '-');
const slugsOf = (page: string): string[] =>
  (withoutCode(read(page)).match(/^#+ .*$/gm) ?? []).map((line) => slugOf(line.replace(/^#+ /, '')));

describe('README in two languages', () => {
  const [english, chinese] = ['README.md', 'README.zh-CN.md'].map(read) as [string, string];

  it('has the same code and commands', () => {
    expect(codeBlocks(chinese)).toEqual(codeBlocks(english));
  });

  it('has the same sections, links, options and list items', () => {
    expect(headings(chinese)).toEqual(headings(english));
    const links = (text: string): string[] =>
      [...text.matchAll(/\]\(([^)]+)\)/g)].map(([, target]) => target as string).filter((target) => !target.startsWith('README'));
    expect(links(chinese)).toEqual(links(english));
    const options = (text: string): string[] => [...new Set(text.match(/--[a-z][a-z0-9-]+/g))];
    expect(options(chinese)).toEqual(options(english));
    const count = (text: string, pattern: RegExp): number => (text.match(pattern) ?? []).length;
    for (const pattern of [/^\* /gm, /^\| /gm]) expect(count(chinese, pattern)).toBe(count(english, pattern));
  });

  it('names scripts that are there', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    for (const page of PAGES)
      for (const [, script] of read(page).matchAll(/npm run ([a-z:]+)/g))
        expect(scripts, `${page}: npm run ${script}`).toHaveProperty([script as string]);
  });
});

describe('options', () => {
  it('that texts name are options of the command line', () => {
    const cli = readdirSync(join(ROOT, 'src/cli'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
    const sources = cli.map((name) => read(join('src/cli', name))).join('\n');
    for (const page of ['README.md', 'docs/numerics.md', 'docs/errors.md'])
      for (const [, option] of read(page)
        .replace(/^```sh[\s\S]*?^```/gm, '')
        .matchAll(/`(--[a-z][a-z0-9-]*)/g))
        expect(new RegExp(`${option}(?![\\w-])`).test(sources), `${page}: ${option}`).toBe(true);
  });
});

describe.each(PAGES)('%s', (page) => {
  it('has no broken link', () => {
    for (const [, target] of withoutCode(read(page)).matchAll(/\]\(([^)\s]+)\)/g)) {
      const [path, anchor] = (target as string).split('#') as [string, string | undefined];
      if (/^[a-z]+:/.test(path)) continue;
      const file = path === '' ? page : join(dirname(page), path);
      expect(existsSync(join(ROOT, file)), `${page} → ${target}`).toBe(true);
      if (anchor !== undefined) expect(slugsOf(file), `${page} → ${target}`).toContain(anchor);
    }
  });
});
