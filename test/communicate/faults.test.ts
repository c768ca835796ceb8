import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Collective } from '../../src/communicate/collective.ts';
import { createLoopbackChannels } from '../../src/communicate/loopback/channel.ts';
import { type Fault, Faults } from '../../src/communicate/loopback/faults.ts';
import { createMessageCollective } from '../../src/communicate/messages/collective.ts';

const SIZE = 3;
const STEPS = 4;

interface Report {
  /** Steps that each rank did, and how it ended. */
  readonly steps: readonly number[];
  readonly codes: readonly (string | undefined)[];
  readonly sums: readonly (readonly number[])[];
  readonly faults: Faults;
}

/** Ranks that add 1, 2 and 3 times 1000 elements (two rounds a step), under faults. */
async function run(list: readonly Fault[], timeoutMs = 600_000): Promise<Report> {
  const faults = new Faults(list);
  const collectives = createLoopbackChannels(SIZE, faults).map((channels, rank) => createMessageCollective(rank, channels, { timeoutMs }));
  const sums: number[][] = collectives.map(() => []);
  const work = async (collective: Collective): Promise<string | undefined> => {
    const values = new Float64Array(1000).fill(collective.rank + 1);
    const into = new Float64Array(1000);
    for (let step = 0; step < STEPS; step += 1) {
      try {
        await collective.allReduce(
          { length: 1000, leaves: SIZE },
          [{ node: { level: 0, index: collective.rank }, begin: 0, end: 1000, values }],
          into,
        );
      } catch (error) {
        return (error as { code: string }).code;
      }
      sums[collective.rank]?.push(into[999] as number);
    }
    return undefined;
  };
  const codes = await Promise.all(collectives.map(work));
  await Promise.all(collectives.map((collective) => collective.close()));
  return { steps: sums.map(({ length }) => length), codes, sums, faults };
}

describe('faults on loopback channels', () => {
  test('none: nothing is counted', async () => {
    const { steps, codes, faults } = await run([{ do: 'drop', rank: 0, step: 99 }]);
    expect({ steps, codes, counts: faults.counts }).toEqual({ steps: [4, 4, 4], codes: [undefined, undefined, undefined], counts: [0] });
  });

  test('delays change nothing: what is sent later stays behind', async () => {
    const { sums, faults } = await run([
      { do: 'delay', rank: 1, step: 1, delayMs: 20 },
      { do: 'delay', rank: 2, to: 0, step: 2, times: 1, delayMs: 5 },
    ]);
    expect(sums).toEqual(Array(SIZE).fill(Array(STEPS).fill(6)));
    // Two rounds to two peers; one message.
    expect(faults.counts).toEqual([4, 1]);
  });

  test('a lost message is missed by the next one, or by the deadline, and the sum is not wrong', async () => {
    const { steps, codes, faults } = await run([{ do: 'drop', rank: 1, to: 0, step: 2, times: 1 }], 100);
    expect(faults.counts).toEqual([1]);
    expect(steps).toEqual([2, 2, 2]);
    expect(codes[0]).toMatch(/PARAGRAD_(CHANNEL|TIMEOUT)/);
    expect(codes.every((code) => code !== undefined)).toBe(true);
  });

  test('a doubled message is noticed, and not added twice', async () => {
    const { codes, sums, faults } = await run([{ do: 'duplicate', rank: 2, to: 1, step: 1, times: 1 }]);
    expect(faults.counts).toEqual([1]);
    expect(codes[1]).toBe('PARAGRAD_CHANNEL');
    expect(sums.flat().every((sum) => sum === 6)).toBe(true);
  });

  test.each([0, 1, 2])('rank %d is cut off: everybody gives up after the deadline', async (rank) => {
    const { steps, codes, faults } = await run([{ do: 'cut', rank, step: 2 }], 100);
    expect(steps).toEqual([2, 2, 2]);
    // Nobody hears of an end: the deadline is all there is.
    expect(codes[rank]).toBe('PARAGRAD_TIMEOUT');
    for (const code of codes) expect(code).toMatch(/PARAGRAD_(TIMEOUT|PEER_LOST)/);
    expect(faults.counts[0]).toBeGreaterThanOrEqual(4);
  });

  test('whatever happens: sums are right or there are none, and everybody comes to an end', async () => {
    const fault: fc.Arbitrary<Fault> = fc.record({
      do: fc.constantFrom('delay', 'drop', 'duplicate', 'cut'),
      rank: fc.nat(SIZE - 1),
      step: fc.nat(STEPS - 1),
      times: fc.integer({ min: 1, max: 3 }),
      delayMs: fc.nat(2),
    });
    const property = fc.asyncProperty(fc.array(fault, { maxLength: 3 }), async (list) => {
      const { sums, codes, steps, faults } = await run(list, 40);
      expect(sums.flat().every((sum) => sum === 6)).toBe(true);
      for (const [rank, code] of codes.entries()) expect(code === undefined).toBe(steps[rank] === STEPS);
      const harmless = list.every((f, i) => f.do === 'delay' || faults.counts[i] === 0);
      if (harmless) expect(codes).toEqual([undefined, undefined, undefined]);
    });
    await fc.assert(property, { numRuns: 30 });
  });
});
