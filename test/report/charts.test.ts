import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { layoutOf } from '../../src/partition/layout.ts';
import { partitionOf } from '../../src/partition/plan.ts';
import { describePlan } from '../../src/run/plan.ts';
import { calibrationChart } from '../../src/run/report/charts/calibration.ts';
import { coefficientsChart } from '../../src/run/report/charts/coefficients.ts';
import { errorHistogram } from '../../src/run/report/charts/histogram.ts';
import { lossCurve } from '../../src/run/report/charts/loss-curve.ts';
import { planChart } from '../../src/run/report/charts/plan.ts';
import { predictedChart } from '../../src/run/report/charts/predicted.ts';
import { rocChart } from '../../src/run/report/charts/roc.ts';
import { linearScale, logScale } from '../../src/run/report/charts/scale.ts';
import { timeChart } from '../../src/run/report/charts/time.ts';
import { MOST_RANKS, workersChart } from '../../src/run/report/charts/workers.ts';
import { bytes, html, number, percent, plural, seconds, shorten } from '../../src/run/report/text.ts';
import { wellFormed } from './markup.ts';

const part = fc.double({ min: 0, max: 1, noNaN: true });
const value = fc.double({ min: -1e9, max: 1e9, noNaN: true });
const count = fc.nat(1e6);
const name = fc.oneof(fc.string(), fc.constantFrom('<script>', 'a & b', '"x"', 'Neighborhood=North_Ames_and_more_of_it_all_the_way', ''));

/** Any values give well-formed markup without a number that is none. */
function holds<T>(arbitrary: fc.Arbitrary<T>, chart: (value: T) => string | undefined): void {
  fc.assert(
    fc.property(arbitrary, (given) => {
      const made = chart(given);
      if (made !== undefined) wellFormed(made);
    }),
    { numRuns: 60 },
  );
}

describe('charts of any values', () => {
  it('loss curve', () => {
    const points = fc.array(fc.record({ passes: fc.nat(5000), objective: fc.option(value) }), { maxLength: 1000 });
    holds(fc.record({ points, nullLoss: value, best: value }), lossCurve);
  });

  it('predicted against actual', () => {
    holds(fc.tuple(fc.array(fc.tuple(value, value), { minLength: 1, maxLength: 50 }), name), ([points, target]) =>
      predictedChart(points, target),
    );
  });

  it('errors', () => {
    const edges = fc.tuple(value, fc.double({ min: 1e-6, max: 1e6, noNaN: true }));
    holds(fc.tuple(edges, fc.array(count, { minLength: 1, maxLength: 30 })), ([[low, width], counts]) =>
      errorHistogram({ low, high: low + width * counts.length, counts }),
    );
  });

  it('ROC curve and calibration', () => {
    holds(fc.tuple(fc.array(fc.tuple(part, part), { minLength: 1 }), name), ([points, positive]) => rocChart(points, positive));
    const bin = fc.record({ predicted: part, actual: part, rows: count });
    holds(fc.tuple(fc.array(bin, { minLength: 1 }), name), ([bins, positive]) => calibrationChart(bins, positive));
  });

  it('coefficients', () => {
    const importance = fc.double({ min: 0, max: 1e6, noNaN: true });
    holds(fc.array(fc.record({ name, value, importance }), { minLength: 1, maxLength: 25 }), coefficientsChart);
  });

  it('time', () => {
    holds(fc.array(fc.record({ name, seconds: fc.double({ min: 0, max: 1e5, noNaN: true }) }), { minLength: 1, maxLength: 4 }), timeChart);
  });

  it('time of the workers: a bar for each, up to a limit, none below zero', () => {
    const ms = fc.double({ min: -10, max: 1e6, noNaN: true });
    const role = fc.constantFrom('worker', 'server');
    const rank = fc.record({
      rank: count,
      role,
      computeMs: ms,
      waitMs: ms,
      communicateMs: ms,
      bytesSent: count,
      messagesSent: count,
      steps: count,
      rows: count,
    });
    holds(fc.array(rank, { minLength: 1, maxLength: 40 }), (ranks) => {
      const chart = workersChart(ranks as Parameters<typeof workersChart>[0]);
      expect(chart.match(/<title>[^<]* computing:/g)?.length).toBe(Math.min(ranks.length, MOST_RANKS));
      expect(chart).not.toContain('width="-');
      return chart;
    });
  });

  it('plan: every worker that owns something is there', () => {
    const shape = fc.record({
      rows: fc.nat(500),
      columns: fc.nat(40),
      workers: fc.integer({ min: 1, max: 5 }),
      kind: fc.constantFrom('rows', 'columns', 'grid'),
    });
    holds(shape, ({ rows, columns, workers, kind }) => {
      const layout = layoutOf({ dtype: 'f32', rows, columns, chunkRows: 16, blockColumns: 2 });
      const partition = partitionOf(
        layout,
        kind,
        kind === 'columns' ? Math.min(workers, layout.blocks) : workers === 5 && kind === 'grid' ? 1 : workers,
      );
      const plan = describePlan(layout, { engine: 'threads', partition });
      const chart = planChart(plan);
      for (const share of plan.shares)
        if (share.rowEnd > share.rowBegin && share.columnEnd > share.columnBegin)
          expect(chart).toContain(`<title>worker ${share.rank}</title>`);
      return chart;
    });
  });
});

describe('loss curve', () => {
  it('shows the part of the gain to come: from 1 down to what is left', () => {
    const chart = lossCurve({ points: [1, 2, 3].map((passes) => ({ passes, objective: 10 ** -passes + 1 })), nullLoss: 1.1, best: 1 });
    expect(chart).toContain('<title>pass 1: 1.0e+0 of the gain to come</title>');
    expect(chart).toContain('<title>pass 3: 1.0e-2 of the gain to come</title>');
  });

  it('holds where the gain is next to nothing', () => {
    wellFormed(lossCurve({ points: [{ passes: 0, objective: 4.94e-16 }], nullLoss: 5e-324, best: 0 }) ?? '');
  });

  it('is left out where nothing was to be gained', () => {
    expect(lossCurve({ points: [{ passes: 1, objective: 3 }], nullLoss: 3, best: 3 })).toBeUndefined();
    expect(lossCurve({ points: [], nullLoss: 3, best: 1 })).toBeUndefined();
  });
});

describe('scales', () => {
  it('mark round values inside of the range', () => {
    const { ticks, at } = linearScale(-0.31, 0.72, 0, 103);
    expect(ticks).toEqual([-0.2, 0, 0.2, 0.4, 0.6]);
    expect(at(-0.31)).toBe(0);
    expect(at(0.72)).toBe(103);
    expect(linearScale(0, 2_500_000, 0, 1).ticks.map(linearScale(0, 2_500_000, 0, 1).label)).toEqual([
      '0',
      '500,000',
      '1M',
      '1.5M',
      '2M',
      '2.5M',
    ]);
    expect(linearScale(5, 5, 0, 1).ticks).toEqual([5]);
  });

  it('mark powers of ten', () => {
    const scale = logScale(3e-9, 1, 100, 0);
    expect(scale.ticks.map(scale.label)).toEqual(['1', '0.01', '10⁻⁴', '10⁻⁶', '10⁻⁸']);
    expect(scale.at(1)).toBeCloseTo(0, 9);
    expect(scale.at(1e-9)).toBeCloseTo(100, 9);
  });
});

describe('texts', () => {
  it('are harmless', () => {
    expect(html(`<a href="x">'&`)).toBe('&#60;a href=&#34;x&#34;&#62;&#39;&#38;');
  });

  it('are as short as they can be', () => {
    expect([0, 0.90312, 26_409.4, 1_234_567.8, -3.2e-7, 1e15, Number.NaN, Number.NEGATIVE_INFINITY, null].map((x) => number(x))).toEqual([
      '0',
      '0.9031',
      '26,409',
      '1,234,568',
      '−3.2e−7',
      '1e15',
      '–',
      '−∞',
      '–',
    ]);
    expect([0.004, 0.04, 4, 44, 444].map(seconds)).toEqual(['4.0 ms', '40 ms', '4.00 s', '44.0 s', '7 min 24 s']);
    expect([999, 1000, 1.5e6].map(bytes)).toEqual(['999 B', '1 KB', '1.5 MB']);
    expect([percent(0.4567), percent(Number.NaN), plural(1, 'row'), plural(1234, 'row')]).toEqual(['45.7 %', '–', '1 row', '1,234 rows']);
    expect([shorten('abcdefghij', 10), shorten('abcdefghijk', 7)]).toEqual(['abcdefghij', 'abc…ijk']);
  });
});
