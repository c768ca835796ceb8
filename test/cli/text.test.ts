import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { COLOUR, PLAIN, styleFor } from '../../src/cli/format/style.ts';
import { table } from '../../src/cli/format/table.ts';
import { clean, cut, cutMiddle, padEnd, padStart, plural, shellWord, widthOf, wrap } from '../../src/cli/format/text.ts';

describe('width', () => {
  it('counts cells, not characters', () => {
    expect(['', 'abc', 'é', 'e\u0301', '价格', '🏠', '👨‍👩‍👧', COLOUR.bold('ab')].map(widthOf)).toEqual([0, 3, 1, 1, 4, 2, 2, 2]);
    expect(padEnd('价', 4)).toBe('价  ');
    expect(padStart('价', 4)).toBe('  价');
  });

  it('is never exceeded by what is cut', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 3, max: 30 }), (text, width) => {
        for (const shortened of [cut(clean(text), width), cutMiddle(clean(text), width)]) {
          expect(widthOf(shortened)).toBeLessThanOrEqual(width);
          if (widthOf(clean(text)) <= width) expect(shortened).toBe(clean(text));
        }
      }),
    );
    expect(cutMiddle('Neighborhood=North_Ames', 16)).toBe('Neighbor…th_Ames');
  });
});

describe('text from files', () => {
  it('cannot move the cursor or break a line', () => {
    expect(clean('a\nb\t\r\u001b[2J\u202ec')).toBe('a\\nb\\t\\r\\u001b[2J\\u202ec');
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => !/\p{Cc}/u.test(clean(text))));
  });

  it('is quoted for a shell', () => {
    expect(['runs/a-1.5', 'my run', "it's", '', '$x'].map(shellWord)).toEqual(['runs/a-1.5', "'my run'", "'it'\\''s'", "''", "'$x'"]);
  });
});

describe('wrap', () => {
  it('keeps all words, in lines that fit unless a word does not', () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a-z]{1,12}$/), { minLength: 1 }), fc.integer({ min: 5, max: 40 }), (words, width) => {
        const lines = wrap(words.join(' '), width);
        expect(lines.join(' ').split(' ')).toEqual(words);
        for (const line of lines) expect(line.length <= width || !line.includes(' ')).toBe(true);
      }),
    );
  });
});

describe('table', () => {
  it('aligns cells under titles, and is nothing without rows', () => {
    const columns = [{ title: 'name' }, { title: 'n', align: 'right' as const }];
    expect(
      table(
        columns,
        [
          ['价格', '1,000'],
          ['b', '2'],
        ],
        PLAIN,
      ),
    ).toEqual(['  name      n', '  价格  1,000', '  b         2']);
    expect(table(columns, [], PLAIN)).toEqual([]);
  });
});

it('colour only on a terminal, and not with NO_COLOR', () => {
  expect([styleFor(true, {}), styleFor(true, { NO_COLOR: '1' }), styleFor(true, { NO_COLOR: '' }), styleFor(false, {})]).toEqual([
    COLOUR,
    PLAIN,
    COLOUR,
    PLAIN,
  ]);
});

it('plural', () => {
  expect([plural(0, 'row'), plural(1, 'pass', 'passes'), plural(2000, 'pass', 'passes')]).toEqual(['0 rows', '1 pass', '2,000 passes']);
});
