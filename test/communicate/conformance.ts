import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Elements, Part } from '../../src/communicate/collective.ts';
import type { Call, Host, Outcome } from './script.ts';
import { type Case, evenBorders, newElements, partsOf, totalOf } from './trees.ts';

const RUNS = 40;

function bytesOf(values: Elements | undefined): Uint8Array {
  return values === undefined ? new Uint8Array(0) : new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Equal to the bit. (`toEqual` on long arrays takes longer than all else.) */
function expectBits(sums: Elements | undefined, expected: Elements): void {
  expect(Buffer.compare(bytesOf(sums), bytesOf(expected))).toBe(0);
}

function reduceCalls(c: Case, control: 0 | 1 | 2 = 0): Call[] {
  const shape = { length: c.length, leaves: c.leaves };
  return partsOf(c).map(
    (parts, rank): Call => ({
      do: 'allReduce',
      shape,
      parts,
      into: newElements(c.width, c.length).fill(NaN) as Elements,
      control: rank === 0 ? control : 0,
    }),
  );
}

/** A case that rows, columns or a grid of `size` ranks split evenly. */
function evenCase(size: number, length: number, leaves: number, rows = size, width: 4 | 8 = 8): Case {
  return {
    length,
    leaves,
    width,
    leafBorders: evenBorders(leaves, rows),
    elementBorders: evenBorders(length, size / rows),
    missing: new Set(),
    seed: 1,
  };
}

function cases(size: number): fc.Arbitrary<Case> {
  const divisors = [...Array(size).keys()].map((i) => i + 1).filter((d) => size % d === 0);
  const borders = (count: number, parts: number): fc.Arbitrary<number[]> =>
    fc.array(fc.nat(count), { minLength: parts - 1, maxLength: parts - 1 }).map((inner) => [0, ...inner.sort((a, b) => a - b), count]);
  return fc
    .record({
      length: fc.oneof(fc.nat(5), fc.nat(40), fc.constantFrom(511, 512, 513, 1024, 1025, 1801)),
      leaves: fc.oneof(fc.nat(3), fc.nat(21)),
      width: fc.constantFrom(4 as const, 8 as const),
      rows: fc.constantFrom(...divisors),
      seed: fc.nat(),
    })
    .chain(({ length, leaves, width, rows, seed }) =>
      fc.record({
        length: fc.constant(length),
        leaves: fc.constant(leaves),
        width: fc.constant(width),
        leafBorders: borders(leaves, rows),
        elementBorders: borders(length, size / rows),
        missing: fc.oneof(
          fc.constant(new Set<number>()),
          fc.uniqueArray(fc.nat(20)).map((list) => new Set(list)),
        ),
        seed: fc.constant(seed),
      }),
    );
}

type Operation =
  | { kind: 'reduce'; of: Case; control: 0 | 1 | 2 }
  | { kind: 'gather'; lengths: number[] }
  | { kind: 'broadcast'; root: number; length: number }
  | { kind: 'barrier' };

function operations(size: number): fc.Arbitrary<Operation[]> {
  const reduce = fc.record({
    kind: fc.constant('reduce' as const),
    of: cases(size),
    control: fc.constantFrom(0 as const, 1 as const, 2 as const),
  });
  const lengths = fc.oneof(fc.nat(9), fc.constantFrom(1024, 1025, 3000));
  const other = fc.oneof(
    fc.record({ kind: fc.constant('gather' as const), lengths: fc.array(lengths, { minLength: size, maxLength: size }) }),
    fc.record({ kind: fc.constant('broadcast' as const), root: fc.nat(size - 1), length: lengths }),
    fc.record({ kind: fc.constant('barrier' as const) }),
  );
  return fc.array(fc.oneof({ weight: 3, arbitrary: reduce }, { weight: 1, arbitrary: other }), { minLength: 1, maxLength: 5 });
}

function pattern(rank: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + rank * 31) & 255);
}

function callsOf(operation: Operation, size: number): Call[] {
  const ranks = [...Array(size).keys()];
  switch (operation.kind) {
    case 'reduce':
      return reduceCalls(operation.of, operation.control);
    case 'gather':
      return ranks.map((rank) => ({ do: 'allGather', bytes: pattern(rank, operation.lengths[rank] as number) }));
    case 'broadcast':
      return ranks.map((rank) => ({
        do: 'broadcast',
        root: operation.root,
        bytes: rank === operation.root ? pattern(rank, operation.length) : undefined,
      }));
    default:
      return ranks.map(() => ({ do: 'barrier' }));
  }
}

function check(operation: Operation, outcome: Outcome): void {
  expect(outcome.error).toBeUndefined();
  switch (operation.kind) {
    case 'reduce':
      expect(outcome.control).toBe(operation.control);
      expectBits(outcome.sums, totalOf(operation.of));
      break;
    case 'gather':
      expect(outcome.bytes).toEqual(operation.lengths.map((length, rank) => pattern(rank, length)));
      break;
    case 'broadcast':
      expect(outcome.bytes).toEqual([pattern(operation.root, operation.length)]);
      break;
    default:
  }
}

/** What every implementation of `Collective` must do. */
export function collectiveConformance(name: string, start: () => Promise<Host>): void {
  describe(name, () => {
    let host: Host;
    beforeAll(async () => {
      host = await start();
    });
    afterAll(() => host.end());

    const errorsOf = async (calls: Call[][], options?: Parameters<Host['run']>[1]): Promise<Outcome['error'][]> =>
      (await host.run(calls, options)).map((outcomes) => outcomes.at(-1)?.error);

    test('any operations, in any order, twice each: all-reduce is the sum in tree order, to the bit', async () => {
      const property = fc.asyncProperty(
        fc.integer({ min: 1, max: 7 }).chain((size) => fc.record({ size: fc.constant(size), list: operations(size) })),
        async ({ size, list }) => {
          // A second time, so that what was remembered of the first is used; with other values and missing nodes.
          const again = list.map(
            (o): Operation => (o.kind === 'reduce' ? { ...o, of: { ...o.of, seed: o.of.seed + 1, missing: new Set([o.of.seed % 5]) } } : o),
          );
          const all = [...list, ...again, ...list];
          const perOperation = all.map((operation) => callsOf(operation, size));
          const reports = await host.run(
            [...Array(size).keys()].map((rank) => perOperation.map((calls) => calls[rank] as Call)),
            { slabBytes: 1024 },
          );
          for (const outcomes of reports) {
            expect(outcomes.length).toBe(all.length);
            for (const [i, operation] of all.entries()) check(operation, outcomes[i] as Outcome);
            expect(outcomes.at(-1)?.step).toBe(all.length);
          }
        },
      );
      await fc.assert(property, { numRuns: RUNS });
    });

    test.each([1, 2, 3, 4, 7])('%d ranks: whole numbers, whose sum is known in closed form', async (size) => {
      for (const length of [1, 100, 10_001]) {
        const c = { ...evenCase(size, length, 13), value: (leaf: number, element: number) => leaf + 13 * element };
        for (const [outcome] of await host.run(
          reduceCalls(c).map((call) => [call]),
          { slabBytes: 4096 },
        )) {
          const wrong = (outcome?.sums ?? []).findIndex((sum, element) => sum !== (13 * 12) / 2 + 13 * 13 * element);
          expect({ length: outcome?.sums?.length, wrong }).toEqual({ length, wrong: -1 });
        }
      }
    });

    test('several groups side by side in one worker', async () => {
      // A 2 × 2 grid: rows {0, 1} and {2, 3}, columns {0, 2} and {1, 3}, and all.
      const groups = [
        [0, 1, 2, 3],
        [0, 1],
        [2, 3],
        [0, 2],
        [1, 3],
      ];
      const of = (group: number, seed: number): Case => ({ ...evenCase((groups[group] as number[]).length, 700, 9), seed });
      const order = [1, 2, 0, 3, 4, 0, 2, 1, 1];
      const calls: Call[][] = [[], [], [], []];
      order.forEach((group, i) => {
        for (const [rank, call] of reduceCalls(of(group, i)).entries())
          calls[(groups[group] as number[])[rank] as number]?.push({ ...call, group });
      });
      const reports = await host.run(calls, { groups });
      for (const [member, outcomes] of reports.entries()) {
        const mine = order.map((group, i) => ({ group, i })).filter(({ group }) => groups[group]?.includes(member));
        expect(outcomes.length).toBe(mine.length);
        for (const [at, { group, i }] of mine.entries()) expectBits(outcomes[at]?.sums, totalOf(of(group, i)));
      }
    });

    test('minus zero keeps its sign where its sibling is missing; a missing root is plus zero', async () => {
      const c: Case = { ...evenCase(2, 3, 2), missing: new Set([1]), value: () => -0 };
      const none: Case = { ...c, missing: new Set([0, 1]) };
      const calls = [0, 1].map((rank) => [reduceCalls(c)[rank] as Call, reduceCalls(none)[rank] as Call]);
      for (const outcomes of await host.run(calls)) {
        expect([...(outcomes[0]?.sums ?? [])]).toEqual([-0, -0, -0]);
        expect([...(outcomes[1]?.sums ?? [])]).toEqual([0, 0, 0]);
      }
    });

    for (const length of [8, 2000])
      describe(`wrong trees of ${length} elements are refused on every rank, and the group goes on`, () => {
        const good = (): Case => evenCase(3, length, 6);
        const values = new Float64Array(length);
        const whole = (level: number, index: number): Part => ({ node: { level, index }, begin: 0, end: length, values });
        type Change = (parts: readonly Part<Elements>[], rank: number) => readonly Part<Elements>[];
        const wrong: [string, Change][] = [
          ['incomplete', (parts, rank) => (rank === 1 ? [] : parts)],
          [
            'incomplete for some elements',
            (parts, rank) => (rank === 1 ? [{ ...(parts[0] as Part), end: 5, values: values.subarray(0, 5) }] : parts),
          ],
          ['doubled', (parts, rank) => (rank === 2 ? [...parts, ...parts] : parts)],
          ['doubled inside another node', (parts, rank) => (rank === 0 ? [...parts, whole(0, 4)] : parts)],
          ['foreign level', (parts, rank) => (rank === 0 ? [...parts, whole(4, 0)] : parts)],
          ['foreign index', (parts, rank) => (rank === 2 ? [...parts, whole(0, 6)] : parts)],
          ['not a number', (parts, rank) => (rank === 2 ? [...parts, whole(NaN, 0.5)] : parts)],
          [
            'elements outside',
            (parts, rank) =>
              rank === 1
                ? [...parts, { node: { level: 0, index: 0 }, begin: length, end: length + 1, values: new Float64Array(1) }]
                : parts,
          ],
          ['values too short', (parts, rank) => (rank === 1 ? parts.map((part) => ({ ...part, values: values.subarray(1) })) : parts)],
          [
            'values of another type',
            (parts, rank) => (rank === 1 ? parts.map((part) => ({ ...part, values: new Float32Array(length) })) : parts),
          ],
        ];
        test.each(wrong)('%s', async (_, change) => {
          const calls = reduceCalls(good()).map((call, rank): Call[] => {
            const bad = call.do === 'allReduce' ? { ...call, parts: change(call.parts, rank) } : call;
            return [call, bad, bad, call];
          });
          for (const outcomes of await host.run(calls)) {
            expect(outcomes.map(({ error }) => error?.code)).toEqual([undefined, 'PARAGRAD_TREE', 'PARAGRAD_TREE', undefined]);
            expectBits(outcomes[3]?.sums, totalOf(good()));
          }
        });

        test.each([{ length: length + 1 }, { leaves: 7 }, { width: 4 as const }, { length: 10_000 }])(
          'another shape on one rank: %o',
          async (other) => {
            const changed = { ...good(), ...other, elementBorders: [0, other.length ?? length] };
            const calls = reduceCalls(good()).map((call, rank): Call[] => [
              rank === 1 ? (reduceCalls(changed)[1] as Call) : call,
              { do: 'barrier' },
            ]);
            for (const outcomes of await host.run(calls))
              expect(outcomes.map(({ error }) => error?.code)).toEqual(['PARAGRAD_TREE', undefined]);
          },
        );
      });

    test('another generation, another step or another operation is refused by all, for good', async () => {
      const barriers: Call[][] = [0, 1, 2].map(() => [{ do: 'barrier' }, { do: 'barrier' }]);
      const mixed: Call[][] = barriers.map((calls, rank) =>
        rank === 1 ? [{ do: 'allGather', bytes: new Uint8Array(3) }, { do: 'barrier' }] : calls,
      );
      const reports = [
        ...(await host.run(barriers, { generations: [1, 1, 0] })),
        ...(await host.run(barriers, { steps: [0, 1, 0] })),
        ...(await host.run(mixed)),
      ];
      for (const outcomes of reports)
        expect(outcomes.map(({ error }) => error?.code)).toEqual(['PARAGRAD_GENERATION', 'PARAGRAD_GENERATION']);
    });

    test('a rank that never comes: the others name it after their deadline', async () => {
      const call: Call = { do: 'barrier' };
      const errors = await errorsOf([[call, call], [call], [call, call], [call, call]], { timeoutMs: 150 });
      for (const rank of [0, 2, 3]) expect(errors[rank]).toMatchObject({ code: 'PARAGRAD_TIMEOUT', rank: 1 });
      expect(errors[1]).toBeUndefined();
    });

    test('two ranks that never come are both named', async () => {
      const [call] = reduceCalls(evenCase(1, 10, 2)) as [Call];
      const errors = await errorsOf([[call], [], []], { timeoutMs: 150 });
      expect(errors[0]).toMatchObject({ code: 'PARAGRAD_TIMEOUT', rank: 1 });
      // Who waits for one of them only cannot know of the other.
      const waits = host.waitsFor?.(3, 0, 2) ?? true;
      expect(errors[0]?.message).toMatch(waits ? /1, 2/ : /^rank 1 did not arrive/);
    });

    test.each(['die', 'close'] as const)('a rank that is gone (%s): the others hear of it long before their deadline', async (how) => {
      const call: Call = { do: 'barrier' };
      const reports = await host.run(
        [
          [call, call, call],
          [call, call, call],
          [call, { do: how }],
        ],
        { timeoutMs: 600_000 },
      );
      for (const rank of [0, 1]) {
        expect(reports[rank]?.map(({ error }) => error?.code)).toEqual([undefined, 'PARAGRAD_PEER_LOST', 'PARAGRAD_PEER_LOST']);
        expect(reports[rank]?.[1]?.error?.rank).toBe(2);
      }
    });

    test('closing after the last operation disturbs nobody', async () => {
      const c = evenCase(4, 3000, 8);
      const reports = await host.run(reduceCalls(c).map((call) => [call, { do: 'close' }]));
      for (const outcomes of reports) expectBits(outcomes[0]?.sums, totalOf(c));
    });

    test.each([1, 2, 3, 5])('%d ranks: bytes and messages by formula', async (size) => {
      const smallBytes = host.smallBytesOf?.(size) ?? 4096;
      for (const length of new Set([512, 513, 4001, smallBytes / 8, smallBytes / 8 + 1])) {
        const c = evenCase(size, length, 16);
        const isSmall = length * 8 <= smallBytes;
        const reports = await host.run(reduceCalls(c).map((call) => [call, call]));
        for (const [rank, outcomes] of reports.entries()) {
          const [warm, done] = outcomes as [Outcome, Outcome];
          const nodes = (partsOf(c)[rank] as Part<Elements>[]).length;
          const segments = host.segmentsOf?.(size) ?? size;
          const border = (r: number): number => Math.floor((length * Math.min(r, segments)) / segments);
          const segment = (border(rank + 1) - border(rank)) * 8;
          const costs = host.costsOf?.(c, rank) ?? {
            bytes: host.bytesOf(size, isSmall, { parts: nodes * length * 8, own: nodes * segment, segment }),
            messages: host.messagesOf(size, isSmall, rank),
          };
          expect(done.traffic.bytesSent - warm.traffic.bytesSent).toBe(costs.bytes);
          expect(done.traffic.messagesSent - warm.traffic.messagesSent).toBe(costs.messages);
          expect(done.traffic.waitMs).toBeGreaterThanOrEqual(warm.traffic.waitMs);
        }
      }
    });

    test('missing nodes are not sent', async () => {
      const c = { ...evenCase(2, 100, 2), missing: new Set([0, 1]) };
      for (const [rank, [outcome]] of (await host.run(reduceCalls(c).map((call) => [call]))).entries()) {
        const segment = host.segmentsOf === undefined || rank >= host.segmentsOf(2) ? 0 : (100 * 8) / host.segmentsOf(2);
        expect(outcome?.traffic.bytesSent).toBe(host.costsOf?.(c, rank).bytes ?? host.bytesOf(2, true, { parts: 0, own: 0, segment }));
      }
    });
  });
}
