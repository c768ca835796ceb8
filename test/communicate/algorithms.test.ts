import { describe, expect, test } from 'vitest';
import type { Collective, ControlWord, Elements, Part, Traffic } from '../../src/communicate/collective.ts';
import { createLoopbackChannels } from '../../src/communicate/loopback/channel.ts';
import { type Algorithm, createMessageCollective, type MessageOptions, neighboursOf } from '../../src/communicate/messages/collective.ts';
import { groupedCosts, groupsOf, hearsFrom } from './groups.ts';
import { type Case, evenBorders, newElements, partsOf, totalOf } from './trees.ts';

/** The formulas of docs/algorithms.md, counted exactly. One node from each rank: P leaves. */

const SIZES = [1, 2, 3, 4, 5, 8] as const;
const LENGTHS = [0, 1, 7, 512, 513, 1000] as const;

function rows(size: number, length: number, width: 4 | 8 = 8): Case {
  return { length, leaves: size, width, leafBorders: evenBorders(size, size), elementBorders: [0, length], missing: new Set(), seed: 3 };
}

interface Came {
  readonly sums: Elements;
  readonly control: ControlWord;
  readonly traffic: Traffic;
}

async function reduce(c: Case, options: MessageOptions): Promise<Came[]> {
  const parts = partsOf(c);
  const group = createLoopbackChannels(parts.length).map((channels, rank) =>
    createMessageCollective(rank, channels, { timeoutMs: 5000, ...options }),
  );
  const came = await Promise.all(
    group.map(async (collective, rank): Promise<Came> => {
      const sums = newElements(c.width, c.length);
      const control = await collective.allReduce<Elements>(
        { length: c.length, leaves: c.leaves },
        parts[rank] ?? [],
        sums,
        rank === 0 ? 2 : 0,
      );
      return { sums, control, traffic: collective.traffic() };
    }),
  );
  await Promise.all(group.map((collective) => collective.close()));
  return came;
}

const totals = (came: readonly Came[]): [messages: number, bytes: number] => [
  came.reduce((sum, { traffic }) => sum + traffic.messagesSent, 0),
  came.reduce((sum, { traffic }) => sum + traffic.bytesSent, 0),
];

describe.each(SIZES)('%d ranks', (P) => {
  test.each(LENGTHS)('vectors of %d elements: messages and bytes of all ranks', async (length) => {
    for (const width of [4, 8] as const) {
      const N = length * width;
      const isSmall = N <= (P === 2 ? 131_072 : 4096);
      const c = rows(P, length, width);
      const direct = await reduce(c, {});
      expect(totals(direct)).toEqual(isSmall ? [P * (P - 1), P * (P - 1) * N] : [2 * P * (P - 1), 2 * (P - 1) * N]);
      for (let R = 1; R <= P; R += 1) {
        const served = await reduce(c, { algorithm: 'client-server', reducers: R });
        expect(totals(served)).toEqual([2 * R * (P - 1), 2 * (P - 1) * N]);
        for (const { sums, control } of served) expect([sums, control]).toEqual([totalOf(c), 2]);
      }
      const grouped = await reduce(c, { algorithm: 'hierarchical' });
      for (const { sums, control } of grouped) expect([sums, control]).toEqual([totalOf(c), 2]);
      expect(grouped.map(({ traffic }) => ({ messages: traffic.messagesSent, bytes: traffic.bytesSent }))).toEqual(groupedCosts(c));
      const ring = await reduce(c, { algorithm: 'ring' });
      expect(totals(ring)).toEqual([2 * P * (P - 1), 2 * (P - 1) * N]);
      const segment = (r: number): number => (Math.floor((length * ((r % P) + 1)) / P) - Math.floor((length * (r % P)) / P)) * width;
      for (const [rank, { control, traffic }] of ring.entries()) {
        expect([control, traffic.messagesSent]).toEqual([2, 2 * (P - 1)]);
        expect(traffic.bytesSent).toBe(P === 1 ? 0 : 2 * N - segment(rank + 1) - segment(rank + 2));
      }
    }
  });

  test('broadcast, all-gather and barrier: messages and bytes of all ranks', async () => {
    const bytes = new Uint8Array(1000);
    const count = async (run: (collective: Collective) => Promise<unknown>, options: MessageOptions = {}): Promise<unknown> => {
      const group = createLoopbackChannels(P).map((channels, rank) => createMessageCollective(rank, channels, options));
      await Promise.all(group.map(run));
      const sent = group.map((collective) => collective.traffic());
      return [sent.reduce((sum, t) => sum + t.messagesSent, 0), sent.reduce((sum, t) => sum + t.bytesSent, 0)];
    };
    expect(await count((collective) => collective.broadcast(bytes, P - 1))).toEqual([P - 1, (P - 1) * 1000]);
    expect(await count((collective) => collective.allGather(bytes))).toEqual([P * (P - 1), P * (P - 1) * 1000]);
    expect(await count((collective) => collective.barrier())).toEqual([P * (P - 1), 0]);
    const grouped: MessageOptions = { algorithm: 'hierarchical' };
    const waits = [...Array(P).keys()].reduce((sum, rank) => sum + hearsFrom(P, rank).length, 0);
    expect(await count((collective) => collective.broadcast(bytes, P - 1), grouped)).toEqual([P - 1, (P - 1) * 1000]);
    expect(await count((collective) => collective.allGather(bytes), grouped)).toEqual([waits, P * (P - 1) * 1000]);
    expect(await count((collective) => collective.barrier(), grouped)).toEqual([waits, 0]);
    for (let R = 1; R <= P; R += 1) {
      const star: MessageOptions = { algorithm: 'client-server', reducers: R };
      expect(await count((collective) => collective.broadcast(bytes, P - 1), star)).toEqual([P - 1, (P - 1) * 1000]);
      expect(await count((collective) => collective.allGather(bytes), star)).toEqual([2 * (P - 1), P * (P - 1) * 1000]);
      expect(await count((collective) => collective.barrier(), star)).toEqual([2 * (P - 1), 0]);
    }
  });

  test('a ring: the sum in the order of the ring, the same bits on all ranks', async () => {
    const c = rows(P, 1000);
    const leaves = partsOf(c).map(([part]) => part?.values as Elements);
    const segmentOf = (element: number): number => [...Array(P).keys()].findIndex((r) => element < Math.floor((1000 * (r + 1)) / P));
    const expected = Float64Array.from({ length: 1000 }, (_, element) => {
      const first = segmentOf(element);
      let sum = (leaves[first]?.[element] as number) + 0;
      for (let i = 1; i < P; i += 1) sum += leaves[(first + i) % P]?.[element] as number;
      return sum;
    });
    for (const { sums } of await reduce(c, { algorithm: 'ring' })) expect(sums).toEqual(expected);
  });
});

describe('groups of neighbours', () => {
  /** So many ranks, a leaf each: groups are whole subtrees where P is a power of two. */
  test.each([9, 12, 16, 31, 33, 40, 64])('%d ranks: connections, messages and bytes by the formulas of docs/algorithms.md', async (P) => {
    const groups = groupsOf(P);
    const K = groups.length;
    const sizes = groups.map((group) => group.length);
    const areNeighbours = neighboursOf(P, { algorithm: 'hierarchical' });
    const ranks = [...Array(P).keys()];
    const pairs = ranks.flatMap((a) => ranks.filter((b) => b > a && areNeighbours(a, b)));
    const within = sizes.reduce((sum, s) => sum + (s * (s - 1)) / 2, 0);
    const across = sizes.reduce((sum, s, g) => sum + sizes.slice(g + 1).reduce((part, other) => part + Math.max(s, other), 0), 0);
    expect(pairs.length).toBe(within + across);
    if (P % K === 0) expect(pairs.length).toBe((P * (P / K + K - 2)) / 2);
    expect(pairs.length).toBeLessThan(1.07 * P * Math.sqrt(P));
    const waits = sizes.reduce((sum, s) => sum + s * (s - 1), 0) + P * (K - 1);
    for (const length of [100, 1000]) {
      const N = length * 8;
      const c = rows(P, length);
      const came = await reduce(c, { algorithm: 'hierarchical' });
      for (const { sums, control } of came) expect([sums, control]).toEqual([totalOf(c), 2]);
      expect(came.map(({ traffic }) => ({ messages: traffic.messagesSent, bytes: traffic.bytesSent }))).toEqual(groupedCosts(c));
      const [messages, bytes] = totals(came);
      expect(messages).toBe(N <= 4096 ? waits : 2 * waits);
      // One node of every group, where it is a whole subtree.
      if (P === 16 || P === 64) expect(bytes).toBe(N <= 4096 ? waits * N : 2 * (P - 1) * N);
    }
  });

  /** 12 ranks in four groups of three: most are not connected with any given one. */
  test.each([0, 4, 11])('rank %d ends, or never comes: all of 12 hear that it was this one', async (bad) => {
    for (const [how, length] of [
      ['ends', 10],
      ['ends', 1000],
      ['never comes', 10],
      ['never comes', 1000],
    ] as const) {
      const parts = partsOf(rows(12, length));
      const group = createLoopbackChannels(12).map((channels, rank) =>
        createMessageCollective(rank, channels, { algorithm: 'hierarchical', timeoutMs: how === 'ends' ? 600_000 : 200 }),
      );
      if (how === 'ends') await group[bad]?.close();
      const others = group.filter(({ rank }) => rank !== bad);
      const outcomes = await Promise.allSettled(
        others.map((collective) =>
          collective.allReduce<Elements>({ length, leaves: 12 }, parts[collective.rank] ?? [], new Float64Array(length)),
        ),
      );
      const code = how === 'ends' ? 'PARAGRAD_PEER_LOST' : 'PARAGRAD_TIMEOUT';
      for (const outcome of outcomes) expect(outcome).toMatchObject({ status: 'rejected', reason: { code, place: { rank: bad } } });
      await group[bad]?.close();
    }
  });

  test('a tree that is wrong in one element is refused by all, and the group goes on', async () => {
    const length = 1000;
    const parts = partsOf(rows(12, length));
    const group = createLoopbackChannels(12).map((channels, rank) =>
      createMessageCollective(rank, channels, { algorithm: 'hierarchical', timeoutMs: 5000 }),
    );
    const reduce = (own: typeof parts) =>
      Promise.allSettled(
        group.map(async (collective, rank) => {
          const into = new Float64Array(length);
          await collective.allReduce<Elements>({ length, leaves: 12 }, own[rank] ?? [], into);
          return into;
        }),
      );
    for (const element of [0, 400, 999])
      for (const wrong of ['missing', 'doubled'] as const) {
        const [part] = parts[5] as [Part<Elements>];
        const cutAt = (begin: number, end: number): Part<Elements> => ({
          ...part,
          begin,
          end,
          values: part.values?.subarray(begin, end) as Elements,
        });
        const changed = wrong === 'missing' ? [cutAt(0, element), cutAt(element + 1, length)] : [part, cutAt(element, element + 1)];
        for (const outcome of await reduce(parts.map((own, rank) => (rank === 5 ? changed : own))))
          expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'PARAGRAD_TREE' } });
      }
    for (const outcome of await reduce(parts)) expect(outcome).toMatchObject({ value: totalOf(rows(12, length)) });
    await Promise.all(group.map((collective) => collective.close()));
  });

  test('ranks that have no leaf, and groups of which nobody has one', async () => {
    for (const length of [10, 1000]) {
      const c: Case = { ...rows(9, length), leaves: 5, leafBorders: [0, 0, 0, 2, 2, 2, 3, 3, 5, 5] };
      for (const options of [{}, { groups: 3 }, { groups: 9 }])
        for (const { sums } of await reduce(c, { algorithm: 'hierarchical', ...options })) expect(sums).toEqual(totalOf(c));
    }
  });
});

test('a ring of another size has other bits, all others have the same', async () => {
  const of = async (algorithm: Algorithm, P: number): Promise<string> => {
    const c: Case = { ...rows(P, 1000), leaves: 12, leafBorders: evenBorders(12, P) };
    const [first] = (await reduce(c, { algorithm })) as [Came];
    return Buffer.from(first.sums.buffer).toString('hex');
  };
  expect(await of('ring', 2)).not.toBe(await of('ring', 3));
  const expected = await of('direct', 1);
  for (const P of [2, 3, 4, 7, 12])
    for (const algorithm of ['direct', 'hierarchical', 'client-server'] as const) expect(await of(algorithm, P)).toBe(expected);
});

describe.each([{ algorithm: 'ring' }, { algorithm: 'hierarchical' }, { algorithm: 'client-server', reducers: 1 }] as const)(
  '$algorithm',
  (options) => {
    const shape = { length: 10, leaves: 3 };
    const values = new Float64Array(10).fill(1);
    const part = (rank: number) => ({ node: { level: 0, index: rank }, begin: 0, end: 10, values });
    const group = () =>
      createLoopbackChannels(3).map((channels, rank) => createMessageCollective(rank, channels, { timeoutMs: 5000, ...options }));

    test.each([0, 1, 2])('what rank %d does wrong is refused by all, and the group goes on', async (bad) => {
      const collectives = group();
      const wrong = [
        { shape, parts: [{ ...part(bad), values: values.subarray(1) }] },
        { shape: { length: 10, leaves: 4 }, parts: [part(bad)] },
        { shape, parts: [part(7)] },
      ];
      for (const call of wrong) {
        const outcomes = await Promise.allSettled(
          collectives.map((collective, rank) => {
            const { shape: s, parts } = rank === bad ? call : { shape, parts: [part(rank)] };
            return collective.allReduce(s, parts, new Float64Array(10));
          }),
        );
        for (const outcome of outcomes) expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'PARAGRAD_TREE' } });
      }
      const sums = await Promise.all(
        collectives.map(async (collective, rank) => {
          const into = new Float64Array(10);
          await collective.allReduce(shape, [part(rank)], into);
          return into;
        }),
      );
      for (const sum of sums) expect(sum).toEqual(new Float64Array(10).fill(3));
    });

    test('a rank that ends is missed by all', async () => {
      const collectives = group();
      await collectives[1]?.close();
      const outcomes = await Promise.allSettled(
        collectives.map((collective, rank) => collective.allReduce(shape, [part(rank)], new Float64Array(10))),
      );
      for (const rank of [0, 2]) expect(outcomes[rank]).toMatchObject({ reason: { code: 'PARAGRAD_PEER_LOST', place: { rank: 1 } } });
    });
  },
);

test.each([
  [{}, 10, ['all-to-all', 'idle'], ['all-to-all', 'idle']],
  [{}, 1000, ['reduce-scatter', 'all-gather', 'idle'], ['reduce-scatter', 'all-gather', 'idle']],
  [{ algorithm: 'hierarchical' }, 10, ['all-to-all', 'idle'], ['all-to-all', 'idle']],
  [{ algorithm: 'hierarchical' }, 1000, ['reduce-scatter', 'all-gather', 'idle'], ['reduce-scatter', 'all-gather', 'idle']],
  [{ algorithm: 'ring' }, 10, ['reduce-scatter', 'all-gather', 'idle'], ['reduce-scatter', 'all-gather', 'idle']],
  [{ algorithm: 'client-server' }, 10, ['shuffle', 'reduce', 'broadcast', 'idle'], ['shuffle', 'broadcast', 'idle']],
] as const)('%o, %d elements: the phases of rank 0 and rank 2', async (options, length, first, last) => {
  const phases: string[][] = [[], [], []];
  const group = createLoopbackChannels(3).map((channels, rank) =>
    createMessageCollective(rank, channels, { ...options, step: 7, onPhase: (phase, step) => phases[rank]?.push(`${step} ${phase}`) }),
  );
  const [a, b, c] = partsOf(rows(3, length));
  const parts = [a, b, c].map((own) => own ?? []);
  await Promise.all(
    group.map((collective, rank) => collective.allReduce<Elements>({ length, leaves: 3 }, parts[rank] ?? [], new Float64Array(length))),
  );
  await group[1]?.close();
  await expect(group[0]?.allReduce({ length, leaves: 3 }, [], new Float64Array(length))).rejects.toThrow();
  const at = (step: number, names: readonly string[]): string[] => names.map((name) => `${step} ${name}`);
  expect(phases[0]?.slice(0, first.length)).toEqual(at(7, first));
  expect(phases[2]).toEqual(at(7, last));
  expect(phases[0]?.at(-1)).toBe('8 idle');
});
