import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Activity, addCounts, CostMeter, meanOf, utilisationOf } from '../../src/monitor/costs.ts';

test('every millisecond is counted once', () => {
  const activity = fc.constantFrom<Activity>('computing', 'waiting', 'communicating');
  fc.assert(
    fc.property(fc.array(fc.tuple(activity, fc.integer({ min: 0, max: 1000 })), { maxLength: 50 }), (list) => {
      let clock = 5;
      const meter = new CostMeter(() => clock);
      const expected = { computing: 0, waiting: 0, communicating: 0 };
      for (const [what, ms] of list) {
        meter.enter(what);
        clock += ms;
        expected[what] += ms;
      }
      const { computeMs, waitMs, communicateMs } = meter.costs(3, 'worker');
      expect({ computing: computeMs, waiting: waitMs, communicating: communicateMs }).toEqual(expected);
    }),
  );
});

test('utilisation is of the workers alone', () => {
  let clock = 0;
  const meters = [new CostMeter(() => clock), new CostMeter(() => clock), new CostMeter(() => clock)];
  meters[1].enter('waiting');
  clock = 10;
  const ranks = meters.map((meter, rank) => meter.costs(rank, rank < 2 ? 'worker' : 'server'));
  expect(utilisationOf(ranks)).toBe(0.5);
  expect(utilisationOf([])).toBe(1);
});

test('what was entered as one activity can be moved to another', () => {
  let clock = 0;
  const meter = new CostMeter(() => clock);
  meter.enter('communicating');
  clock = 8;
  meter.enter('computing');
  meter.move(5, 'communicating', 'waiting');
  expect(meter.costs(0, 'worker')).toMatchObject({ computeMs: 0, communicateMs: 3, waitMs: 5 });
});

test('histograms', () => {
  expect(addCounts([1, 2], [3, 4, 5])).toEqual([4, 6, 5]);
  expect(meanOf([1, 0, 3])).toBe(1.5);
  expect(meanOf([])).toBe(0);
});
