import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alignPoints, bytes, percent, rate, seconds, short, signed, significant } from '../../src/cli/format/numbers.ts';

describe('significant', () => {
  it.each<[number | null, string]>([
    [0, '0'],
    [-0, '0'],
    [null, '–'],
    [Number.NaN, '–'],
    [Number.POSITIVE_INFINITY, '∞'],
    [Number.NEGATIVE_INFINITY, '-∞'],
    [0.089123, '0.08912'],
    [0.99996, '1.000'],
    [9999.6, '10,000'],
    [-23_412.4, '-23,412'],
    [1_250_000, '1,250,000'],
    [0.0001, '0.0001000'],
    [0.00009, '9.000e-5'],
    [1e12, '1.000e12'],
    [5e-324, '4.941e-324'],
  ])('%d is %s', (value, text) => {
    expect(significant(value)).toBe(text);
  });

  it('is within half a unit of the last digit', () => {
    // Not at the ends of the range: there the rounded number overflows, or has fewer digits itself.
    const positive = fc.double({ noNaN: true, min: 1e-300, max: 1e300 });
    const either = fc.tuple(positive, fc.constantFrom(-1, 1)).map(([value, sign]) => value * sign);
    fc.assert(
      fc.property(either, fc.integer({ min: 1, max: 8 }), (value, digits) => {
        const read = Number(significant(value, digits).replaceAll(',', ''));
        expect(Math.abs(read - value)).toBeLessThanOrEqual(Math.abs(value) * 0.50001 * 10 ** (1 - digits));
      }),
    );
  });

  it('loses only zeros when it is short', () => {
    expect([short(0.5), short(12), short(1e-6), short(1.5e20), short(100)]).toEqual(['0.5', '12', '1e-6', '1.5e20', '100']);
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const read = (text: string): number => Number(text.replaceAll(',', ''));
        expect(read(short(value))).toBe(read(significant(value)));
      }),
    );
  });
});

describe('units', () => {
  it('of bytes', () => {
    expect([0, 999, 1000, 1234, 99_400, 999_499, 999_500, 5.64e9].map(bytes)).toEqual([
      '0 B',
      '999 B',
      '1.0 KB',
      '1.2 KB',
      '99 KB',
      '999 KB',
      '1.0 MB',
      '5.6 GB',
    ]);
  });

  it('of rates', () => {
    expect([0, 950, 12_345, 999_600, 45.6e6, Number.NaN].map(rate)).toEqual(['0', '950', '12.3 k', '1.00 M', '45.6 M', '–']);
  });

  it('of time', () => {
    expect([0, 0.0042, 0.042, 0.999, 9.999, 42.34, 59.99, 65, 3599.6, 7380].map(seconds)).toEqual([
      '0.0 ms',
      '4.2 ms',
      '42 ms',
      '1.00 s',
      '10.0 s',
      '42.3 s',
      '1 min 0 s',
      '1 min 5 s',
      '1 h 0 min',
      '2 h 3 min',
    ]);
  });

  it('of parts: nothing is rounded to all', () => {
    expect([0, 0.4531, 0.99999, 1, -0.9].map(percent)).toEqual(['0.0 %', '45.3 %', '99.999 %', '100.0 %', '-90.0 %']);
  });
});

describe('columns of numbers', () => {
  it('have their points below each other, and a sign', () => {
    expect(alignPoints(['+40.81', '-23,616', '0', '+1.5e-7'])).toEqual(['    +40.81  ', '-23,616     ', '      0     ', '     +1.5e-7']);
    expect(alignPoints([])).toEqual([]);
    expect(['1', '-1', '0', '0.000', '–', '∞'].map(signed)).toEqual(['+1', '-1', '0', '0.000', '–', '+∞']);
  });
});
