import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { outputsOf, shows, withOutputs } from './console.ts';

const DOCS = resolve(import.meta.dirname, '../../docs');
const PAGES = [resolve(DOCS, 'tutorial.md'), resolve(DOCS, 'zh-CN/tutorial.md')];

// Its commands are those of a POSIX shell.
describe.skipIf(process.platform === 'win32')('the tutorial', () => {
  let outputs: string[];

  beforeAll(async () => {
    outputs = await outputsOf(readFileSync(PAGES[0] as string, 'utf8'));
  }, 120_000);

  it.each(PAGES)('%s shows what its commands print (npx vitest run test/docs/tutorial.test.ts -u writes it)', async (page) => {
    expect(outputs.length).toBeGreaterThan(10);
    await expect(withOutputs(readFileSync(page, 'utf8'), outputs)).toMatchFileSnapshot(page);
  });
});

describe('an output on a page', () => {
  it.each([
    ['a\nb\n', 'a\nb\n', true],
    ['', '', true],
    ['a\n', 'a\nb\n', false],
    ['a\n…\nd\n', 'a\nb\nc\nd\n', true],
    ['…\nd\n', 'a\nd\n', true],
    ['a\n…\n', 'a\nb\nc\n', true],
    ['…\nb\n…\n', 'a\nb\nc\n', true],
    ['a\n…\nd\n', 'a\nb\nc\n', false],
    ['…\nb\n…\na\n', 'a\nb\nc\n', false],
    ['…\nb\n…\n', 'a\nbb\nc\n', false],
    ['  time    1 s\n', '  time    2 s\n', true],
  ])('%j may leave out lines of %j: %j', (page, output, expected) => {
    expect(shows(page, output)).toBe(expected);
  });
});
