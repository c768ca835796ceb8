import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { asynchronous, bulkSynchronous, type Consistency, staleSynchronous } from '../../../src/strategies/parameter-server/consistency.ts';
import { compensate, LATE_RULES } from '../../../src/strategies/parameter-server/late.ts';
import { takenOf } from '../../../src/strategies/parameter-server/order.ts';
import { addPushes } from '../../../src/strategies/parameter-server/push.ts';
import { Replay } from '../../../src/strategies/parameter-server/replay.ts';
import { ParameterServer } from '../../../src/strategies/parameter-server/server.ts';
import { gradientOf, optionsOf, ROWS, simulate } from './simulation.ts';

const bits = (values: Float64Array): string => Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('hex');
const choices = fc.array(fc.nat(1000), { minLength: 1, maxLength: 60 });
const workers = fc.integer({ min: 1, max: 5 });

/** Pushes that were applied, from the server's own record. */
function pushesOf(server: ParameterServer): string[] {
  const taken = takenOf(server.order.words() as Int32Array, 99);
  return taken.filter(({ dropped }) => !dropped).map(({ worker, sequence }) => `${worker}/${sequence}`);
}

/** The bulk-synchronous server as a textbook has it: every worker at the same weights, sums added by rank, one update. */
function textbook(count: number, clocks: number): Float64Array {
  const { updater, weights, penalised, l2, weightSum, trainingRows } = optionsOf(bulkSynchronous, 'apply', 0);
  const w = weights.slice();
  for (let clock = 0; clock < clocks; clock += 1) {
    const pushes = Array.from({ length: count }, (_, worker) => gradientOf(worker, clock, w));
    while (pushes.length > 1) {
      const above = pushes.splice(0);
      for (let i = 0; i < above.length; i += 2)
        pushes.push(i + 1 < above.length ? above[i].map((value, j) => value + above[i + 1][j]) : above[i]);
    }
    const divisor = (weightSum * (ROWS * count)) / trainingRows;
    updater.update(
      w,
      pushes[0].map((sum, j) => (j < penalised ? sum / divisor + l2 * w[j] : sum / divisor)),
      1,
    );
  }
  return w;
}

describe('every order of messages', () => {
  test('stale-synchronous with s = 0 is the bulk-synchronous server, to the bit', () => {
    fc.assert(
      fc.property(choices, workers, fc.boolean(), (order, count, duplicates) => {
        const clocks = 12;
        const { server } = simulate({
          consistency: staleSynchronous(0),
          workers: count,
          choices: order,
          duplicates,
          maxRows: clocks * count * ROWS,
        });
        expect(server.version).toBe(clocks);
        expect(bits(server.weights)).toBe(bits(textbook(count, clocks)));
      }),
    );
  });

  test('with one worker all kinds of consistency have the same bits', () => {
    fc.assert(
      fc.property(choices, fc.integer({ min: 1, max: 6 }), (order, s) => {
        const run = (consistency: Consistency): string => bits(simulate({ consistency, workers: 1, choices: order }).server.weights);
        expect(run(asynchronous)).toBe(run(bulkSynchronous));
        expect(run(staleSynchronous(s))).toBe(run(bulkSynchronous));
      }),
    );
  });

  test('nothing is applied twice, however often it is sent', () => {
    fc.assert(
      fc.property(
        choices,
        workers,
        fc.constantFrom(asynchronous, staleSynchronous(0), staleSynchronous(3)),
        (order, count, consistency) => {
          const { server, updates } = simulate({ consistency, workers: count, choices: order, duplicates: true });
          const pushed = pushesOf(server);
          expect(new Set(pushed).size).toBe(pushed.length);
          expect(updates).toBe(server.version);
          if (!consistency.clocked) expect(pushed.length).toBe(server.version);
          expect(server.rows).toBeGreaterThanOrEqual(40 * ROWS);
        },
      ),
    );
  });

  test('staleness stays within the bound', () => {
    fc.assert(
      fc.property(choices, workers, fc.integer({ min: 0, max: 4 }), (order, count, s) => {
        const { server } = simulate({ consistency: staleSynchronous(s), workers: count, choices: order, duplicates: true });
        expect(server.staleness.counts.length).toBeLessThanOrEqual(s + 1);
      }),
    );
  });

  test('the bound is reached by some order, and a rule that lets workers run ahead of it is found out by the server', () => {
    const ahead: Consistency = { ...staleSynchronous(1), mayStart: (clock, applied) => clock - 4 <= applied };
    const late = Array.from({ length: 40 }, (_, i) => (i < 3 ? 0 : 2 * i + 1));
    expect(simulate({ consistency: staleSynchronous(4), workers: 2, choices: late }).server.staleness.counts.length).toBeGreaterThan(2);
    expect(() => simulate({ consistency: ahead, workers: 2, choices: late })).toThrow('and 1 is the bound');
  });
});

describe('replay', () => {
  test('has the bits of the record, whatever the order in which messages come', () => {
    fc.assert(
      fc.property(choices, choices, workers, fc.constantFrom('apply', 'damp', 'refuse', 'compensate'), (recorded, other, count, late) => {
        const first = simulate({ workers: count, choices: recorded, late, duplicates: true });
        const replay = first.server.order.words() as Int32Array;
        const again = simulate({ workers: count, choices: other, late, replay });
        expect(bits(again.server.weights)).toBe(bits(first.server.weights));
        expect(again.server.version).toBe(first.server.version);
        expect(again.server.staleness.counts).toEqual(first.server.staleness.counts);
      }),
    );
  });

  test('of a run in which workers were replaced', () => {
    const replaced = fc.array(fc.record({ delivery: fc.integer({ min: 1, max: 60 }), worker: fc.nat(1) }), { maxLength: 4 });
    fc.assert(
      fc.property(choices, choices, replaced, (recorded, other, replaceAt) => {
        const first = simulate({ workers: 2, choices: recorded, replaceAt });
        const again = simulate({ workers: 2, choices: other, replay: first.server.order.words() as Int32Array });
        expect(bits(again.server.weights)).toBe(bits(first.server.weights));
      }),
    );
  });

  test('of an order that does not go with the run ends with an error', () => {
    fc.assert(
      fc.property(choices, choices, workers, (recorded, other, count) => {
        const replay = simulate({ workers: count, choices: recorded }).server.order.words() as Int32Array;
        // This run ends before its record does.
        expect(() => simulate({ workers: count, choices: other, replay, maxRows: 20 * ROWS })).toThrow('does not go with this run');
        // A gradient of the record, of weights that are never there: nobody can go on.
        const broken = replay.slice();
        broken[5] = 1e6;
        expect(() => simulate({ workers: count, choices: other, replay: broken })).toThrow('does not go with this run');
      }),
    );
  });

  test('knows what came after the end: another server may have used it, so its worker is given these weights again', () => {
    const server = new ParameterServer(optionsOf(asynchronous, 'apply', ROWS, 2));
    for (const worker of [0, 1]) server.join(worker);
    expect(server.settle()).toHaveLength(2);
    const push = (worker: number) => ({ worker, sequence: 0, version: 0, rows: ROWS, sums: gradientOf(worker, 0, server.weights) });
    server.push(push(0));
    expect(server.ended).toBe(true);
    for (let twice = 0; twice < 2; twice += 1) server.push(push(1));
    const order = takenOf(server.order.words() as Int32Array, 2);
    expect(order.map(({ worker, dropped }) => [worker, dropped])).toEqual([
      [0, false],
      [1, true],
    ]);
    const again = new ParameterServer(optionsOf(asynchronous, 'apply', ROWS, 2));
    const replay = new Replay(again, order);
    for (const worker of [0, 1]) replay.join(worker);
    const grants = replay.settle();
    expect(grants.map(({ kind, worker }) => [kind, worker]).sort()).toEqual([
      ['grant', 0],
      ['grant', 1],
    ]);
    replay.push(push(0));
    expect(replay.settle()).toEqual([{ kind: 'end', worker: 0 }]);
    replay.push(push(1));
    expect(replay.settle()).toEqual([{ kind: 'end', worker: 1 }]);
    expect(again.order.words()).toEqual(server.order.words());
  });

  test('an order of more workers is refused', () => {
    const { server } = simulate({ workers: 3, choices: [1, 5, 3] });
    expect(() => takenOf(server.order.words() as Int32Array, 2)).toThrow('use as many as then');
  });
});

describe('ends and returns', () => {
  const crashes = fc.array(fc.integer({ min: 1, max: 80 }), { maxLength: 3 });

  test('a restored bulk-synchronous server comes to the bits of one that never ended', () => {
    fc.assert(
      fc.property(choices, workers, crashes, fc.integer({ min: 1, max: 20 }), (order, count, crashesAt, snapshotEvery) => {
        const clocks = 8;
        const options = { consistency: bulkSynchronous, workers: count, choices: order, maxRows: clocks * count * ROWS };
        const { server } = simulate({ ...options, crashesAt, snapshotEvery });
        expect(bits(server.weights)).toBe(bits(textbook(count, clocks)));
      }),
    );
  });

  test('a restored asynchronous server applies nothing twice, and counts what was lost', () => {
    fc.assert(
      fc.property(choices, workers, fc.integer({ min: 20, max: 60 }), (order, count, crash) => {
        const options = { workers: count, choices: order, maxRows: 200 * ROWS };
        const { server } = simulate({ ...options, crashesAt: [crash], snapshotEvery: 16 });
        // Every gradient that was ever taken is either in the weights or counted as lost.
        let taken = 0;
        for (let worker = 0; worker < count; worker += 1) taken += server.lastOf(worker) + 1;
        expect(taken).toBe(server.version + server.lost);
        expect(server.lost).toBeLessThanOrEqual(16);
      }),
    );
  });

  test('others do not wait for a worker that left, and wait for one that joins', () => {
    const server = new ParameterServer(optionsOf(bulkSynchronous, 'apply', 1e6, 2));
    const push = (worker: number, sequence: number): void =>
      server.push({ worker, sequence, version: server.version, rows: ROWS, sums: gradientOf(worker, sequence, server.weights) });
    server.join(0);
    server.join(1);
    expect(server.settle()).toHaveLength(2);
    push(0, 0);
    expect(server.version).toBe(0);
    server.leave(1);
    expect(server.version).toBe(1);
    expect(server.active).toBe(1);
    expect(server.settle()).toMatchObject([{ kind: 'grant', worker: 0, sequence: 1, version: 1 }]);
    server.join(2);
    expect(server.settle()).toMatchObject([{ kind: 'grant', worker: 2, sequence: 1, version: 1 }]);
    push(0, 1);
    expect(server.version).toBe(1);
    push(2, 1);
    expect(server.version).toBe(2);
  });
});

describe('late gradients', () => {
  test('are damped by 1 / (1 + staleness), refused when a worker was overtaken, else applied', () => {
    expect([0, 1, 3].map((staleness) => LATE_RULES.damp.weight(staleness, 2))).toEqual([1, 1 / 2, 1 / 4]);
    expect([0, 2, 3].map((staleness) => LATE_RULES.refuse.weight(staleness, 2))).toEqual([1, 1, 0]);
    expect(LATE_RULES.apply.weight(99, 2)).toBe(1);
  });

  test('what is refused changes nothing, and is counted', () => {
    const server = new ParameterServer(optionsOf(asynchronous, 'refuse', 1e6));
    server.join(0);
    server.join(1);
    server.settle();
    for (let sequence = 0; sequence < 4; sequence += 1) {
      server.push({ worker: 0, sequence, version: sequence, rows: ROWS, sums: gradientOf(0, sequence, server.weights) });
      server.settle();
    }
    const before = bits(server.weights);
    server.push({ worker: 1, sequence: 0, version: 0, rows: ROWS, sums: Float64Array.of(9, 9, 9) });
    expect(bits(server.weights)).toBe(before);
    expect(server.refused).toBe(1);
    expect(server.settle()).toMatchObject([{ kind: 'grant', worker: 1, sequence: 1, version: 4 }]);
  });

  test('compensation is none where the weights have not moved, and of first order where they have', () => {
    const gradient = Float64Array.of(2, -1);
    compensate(gradient, Float64Array.of(5, 5), Float64Array.of(5, 5), new Float64Array(2));
    expect([...gradient]).toEqual([2, -1]);
    const mean = Float64Array.of(4, 4);
    const moved = Float64Array.of(2, -2);
    compensate(moved, Float64Array.of(1.5, 1), Float64Array.of(1, 1), mean);
    // λ = 1 / √(0.95·4 + 0.05·4) = ½ (but for 1e-14): 2 + ½·4·½.
    expect(moved[0]).toBeCloseTo(3, 12);
    expect(moved[1]).toBe(-2);
  });

  test('compensation does not depend on the unit of the target', () => {
    const unit = 2 ** 20;
    const one = Float64Array.of(2, -2);
    compensate(one, Float64Array.of(1.5, 1.25), Float64Array.of(1, 1), Float64Array.of(4, 4));
    const other = Float64Array.of(2 * unit, -2 * unit);
    const mean = Float64Array.of(4 * unit * unit, 4 * unit * unit);
    compensate(other, Float64Array.of(1.5 * unit, 1.25 * unit), Float64Array.of(unit, unit), mean, unit);
    expect([...other]).toEqual([...one].map((each) => each * unit));
  });
});

test('pushes are added in the tree over ranks, whatever their order; a rank without one is missing', () => {
  const push = (worker: number, value: number) => ({ worker, sequence: 0, version: 0, rows: worker + 1, sums: Float64Array.of(value) });
  const pushes = [push(0, 1e16), push(1, 1), push(3, 1), push(4, -1e16)];
  const expected = 1e16 + 1 + 1 + -1e16;
  expect(addPushes(pushes).sums[0]).toBe(expected);
  expect(addPushes([...pushes].reverse()).sums[0]).toBe(expected);
  expect(addPushes(pushes).rows).toBe(12);
});
