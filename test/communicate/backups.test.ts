import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Backups, Stragglers } from '../../src/communicate/backups.ts';
import type { Collective, Part } from '../../src/communicate/collective.ts';
import { createLoopbackChannels } from '../../src/communicate/loopback/channel.ts';
import { createMessageCollective } from '../../src/communicate/messages/collective.ts';
import { generator } from '../support/problems.ts';

const WORKERS = 3;
const LENGTH = 7;

interface Rank {
  readonly known: Backups;
  readonly collective: Collective;
}

function group(count: number): Rank[] {
  return createLoopbackChannels(WORKERS + count).map((channels, rank) => {
    const backups = new Backups(WORKERS, count);
    return {
      known: backups,
      collective: createMessageCollective(rank, channels, { algorithm: 'client-server', backups, timeoutMs: 60_000 }),
    };
  });
}

/** The node of a worker at a step: a leaf of three. Numbers whose sum depends on the order of adding. */
function nodeOf(worker: number, step: number): Part[] {
  const random = generator(1 + worker + 100 * step);
  const values = Float64Array.from({ length: LENGTH }, () => (random() - 0.5) * 10 ** Math.floor(random() * 16));
  return [{ node: { level: 0, index: worker }, begin: 0, end: LENGTH, values }];
}

/** ((a + b) + c): the tree over three leaves. */
function sumOf(step: number): Float64Array {
  const [a, b, c] = [0, 1, 2].map((worker) => nodeOf(worker, step)[0]?.values as Float64Array) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  return a.map((value, i) => value + (b[i] as number) + (c[i] as number));
}

async function add({ collective }: Rank, step: number, parts: readonly Part[]): Promise<Float64Array> {
  const into = new Float64Array(LENGTH);
  await collective.allReduce({ length: LENGTH, leaves: WORKERS }, parts, into);
  expect(collective.step).toBe(step + 1);
  return into;
}

test('whoever is first, and however far a rank is behind: the same sums, on every rank', async () => {
  const turns = fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 5 })), {
    minLength: 1,
    maxLength: 12,
  });
  await fc.assert(
    fc.asyncProperty(turns, fc.integer({ min: 1, max: 2 }), async (waits, target) => {
      const ranks = group(1);
      for (const { known } of ranks) known.targets[0] = target;
      const run = async (rank: number): Promise<void> => {
        const self = ranks[rank] as Rank;
        for (const [step, turnsOf] of waits.entries()) {
          for (let turn = turnsOf[rank - 1] ?? 0; turn > 0; turn -= 1) await new Promise(setImmediate);
          const isBackup = rank === WORKERS;
          if (isBackup) self.known.as = target;
          expect(await add(self, step, nodeOf(isBackup ? target : rank, step))).toEqual(sumOf(step));
        }
      };
      await Promise.all(ranks.map((_, rank) => run(rank)));
      await Promise.all(ranks.map(({ collective }) => collective.barrier()));
      const [{ known }] = ranks as [Rank];
      expect(known.speculated.find(({ rank }) => rank === target)?.passes).toBeGreaterThan(0);
      await Promise.all(ranks.map(({ collective }) => collective.close()));
    }),
    { numRuns: 60 },
  );
});

test('a worker that is not there at all: the backup is first each time, and the worker takes the sums afterwards', async () => {
  const ranks = group(1);
  for (const { known } of ranks) known.targets[0] = 2;
  const [server, first, second, backup] = ranks as [Rank, Rank, Rank, Rank];
  backup.known.as = 2;
  const STEPS = 6;
  for (let step = 0; step < STEPS; step += 1) {
    const sums = await Promise.all([
      add(server, step, nodeOf(0, step)),
      add(first, step, nodeOf(1, step)),
      add(backup, step, nodeOf(2, step)),
    ]);
    for (const sum of sums) expect(sum).toEqual(sumOf(step));
  }
  expect(server.known.speculated).toEqual([{ rank: 2, passes: STEPS, won: STEPS }]);
  for (let step = 0; step < STEPS; step += 1) {
    expect(await second.known.isReduced()).toBe(true);
    // What it had until then is not looked at.
    expect(await add(second, step, [])).toEqual(sumOf(step));
  }
  expect(await second.known.isReduced()).toBe(false);
  expect(second.collective.traffic()).toMatchObject({ bytesSent: 0, messagesSent: 0 });
  await Promise.all(ranks.map(({ collective }) => collective.allGather(new Uint8Array(0))));
  await Promise.all(ranks.map(({ collective }) => collective.close()));
});

test('a backup goes to the worker that held up the others longest, stays where it is first, and leaves where it is not', () => {
  const known = new Backups(4, 1);
  const stragglers = new Stragglers(known, 0);
  let now = 0;
  const window = (heldUp: readonly (readonly [number, number])[], winners: readonly number[]): void => {
    for (let sum = 0; sum < 8; sum += 1) {
      now += 10;
      const [rank, ms] = heldUp[sum % Math.max(1, heldUp.length)] ?? [undefined, 0];
      stragglers.see(rank === undefined ? undefined : { rank, ms }, new Set(winners), now);
    }
  };
  // Ten sums in a hundred milliseconds, of which nobody was waited for long.
  window(
    [
      [1, 0.5],
      [3, 0.4],
    ],
    [],
  );
  expect([...known.targets]).toEqual([-1]);
  window(
    [
      [1, 4],
      [3, 5],
    ],
    [],
  );
  expect([...known.targets]).toEqual([3]);
  // It helps: another slow worker does not get it.
  window([[1, 4]], [3]);
  expect([...known.targets]).toEqual([3]);
  window([[1, 4]], []);
  expect([...known.targets]).toEqual([1]);
});
