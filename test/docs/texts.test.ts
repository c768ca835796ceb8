import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
/** Pages in both languages, English first. */
const PAIRS: [english: string, chinese: string][] = [
  ['README.md', 'README.zh-CN.md'],
  ...readdirSync(join(ROOT, 'docs/zh-CN'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name): [string, string] => [join('docs', name), join('docs/zh-CN', name)]),
];
const inFolder = (folder: string): string[] => readdirSync(join(ROOT, folder)).map((name) => join(folder, name));
const PAGES = ['.', 'docs', 'docs/engines', 'docs/zh-CN', 'docs/zh-CN/engines', 'examples']
  .flatMap(inFolder)
  .filter((name) => name.endsWith('.md'));
/** English pages that have options of the command line in them. */
const WITH_OPTIONS = [
  'README.md',
  'docs/numerics.md',
  'docs/errors.md',
  'docs/tutorial.md',
  'docs/concepts.md',
  'docs/api.md',
  'docs/engines/processes.md',
];

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

/** Files that a page links to, those of the other language standing for the English ones. */
const linksOf = (page: string): string[] =>
  [...withoutCode(read(page)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => {
    const [path] = (target as string).split('#') as [string];
    if (/^[a-z]+:/.test(path)) return target as string;
    return (path === '' ? page : join(dirname(page), path)).replace('.zh-CN.md', '.md').replace('docs/zh-CN/', 'docs/');
  });

describe('two languages', () => {
  it('are there for what teaches', () => {
    expect(PAIRS.map(([english]) => english)).toEqual(expect.arrayContaining(['docs/tutorial.md', 'docs/concepts.md', 'docs/api.md']));
  });

  describe.each(PAIRS)('%s and %s', (english, chinese) => {
    it('have the same code, commands and formulas', () => {
      expect(codeBlocks(read(chinese))).toEqual(codeBlocks(read(english)));
    });

    it('have the same sections, links, options, list items and table rows', () => {
      expect(headings(read(chinese))).toEqual(headings(read(english)));
      expect(linksOf(chinese)).toEqual(linksOf(english));
      const options = (page: string): string[] => [...new Set(read(page).match(/--[a-z][a-z0-9-]+/g))];
      expect(options(chinese)).toEqual(options(english));
      const count = (page: string, pattern: RegExp): number => (read(page).match(pattern) ?? []).length;
      for (const pattern of [/^\* /gm, /^\d+\. /gm, /^\| /gm]) expect(count(chinese, pattern)).toBe(count(english, pattern));
    });
  });
});

describe('scripts', () => {
  it('that texts name are there', () => {
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
    for (const page of WITH_OPTIONS)
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
