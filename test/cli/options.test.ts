import { describe, expect, it } from 'vitest';
import { collect, defaultOut, parseBytes, parseCount, parseCounts, parseDuration, parseNumber, parseRate } from '../../src/cli/options.ts';

describe('numbers', () => {
  it('may have an exponent or be grouped', () => {
    expect(['0.1', '1e-6', '.5', '-3', '+2', '1_000'].map((text) => parseNumber('--x', text))).toEqual([0.1, 1e-6, 0.5, -3, 2, 1000]);
    expect(['1e6', '12', '1.5e1'].map((text) => parseCount('--x', text))).toEqual([1e6, 12, 15]);
    expect(['3', '1e2', '2:6'].map((text) => parseCounts('--x', text))).toEqual([3, 100, '2:6']);
    expect(() => parseCounts('--workers', '2-6')).toThrow(`--workers must be a whole number, not '2-6'`);
    expect([parseRate('--x', 'auto'), parseRate('--x', '0.01')]).toEqual(['auto', 0.01]);
  });

  it.each(['', 'abc', '1,5', '0x10', 'NaN', 'Infinity', '1e', ' 1', '1 '])('%j is none', (text) => {
    expect(() => parseNumber('--l2', text)).toThrow(`--l2 must be a number, not '${text}'`);
  });

  it.each(['1.5', '1e-1', '1e30'])('%s is not whole', (text) => {
    expect(() => parseCount('--workers', text)).toThrow(`--workers must be a whole number, not '${text}'`);
  });
});

describe('times', () => {
  it('are seconds unless a unit says otherwise', () => {
    const texts = ['90', '90s', '5m', '5min', '1h', '1.5h', '1h30m', '250ms', '2d', '1e3'];
    expect(texts.map((text) => parseDuration('--time-limit', text))).toEqual([90, 90, 300, 300, 3600, 5400, 5400, 0.25, 172_800, 1000]);
  });

  it.each(['', 'never', '5 m', '-5m', '5x', '5m3'])('%j is none', (text) => {
    expect(() => parseDuration('--time-limit', text)).toThrow(/--time-limit must be a time such as 90, 90s, 5m or 1h/);
  });
});

it('a wrong amount of memory is shown as it was written', () => {
  expect([parseBytes('--memory', '1.5GiB'), parseBytes('--memory', '1e6')]).toEqual([1.5 * 1024 ** 3, 1e6]);
  for (const text of ['1XB', 'much', '0', '-1GiB', ''])
    expect(() => parseBytes('--memory', text)).toThrow(`--memory must be an amount of memory such as 512MiB or 4GiB, not '${text}'`);
});

it('a list option takes one name each time, commas and all', () => {
  expect(collect('b,c', collect('a', undefined))).toEqual(['a', 'b,c']);
});

it('the default folder sorts by time and is a file name', () => {
  const now = new Date('2026-01-02T03:04:05.678Z');
  expect(defaultOut('Sale_Price', now)).toBe('runs/2026-01-02T03-04-05-Sale_Price');
  expect(defaultOut('../a b/c:价格', now)).toBe('runs/2026-01-02T03-04-05-a_b_c_价格');
  expect(defaultOut('🏠', now)).toBe('runs/2026-01-02T03-04-05-target');
});
