import fc from 'fast-check';
import { expect, test } from 'vitest';
import { partnerOf } from '../../src/strategies/partners.ts';

const topology = fc.constantFrom('ring' as const, 'torus' as const, 'complete' as const);
const rule = fc.constantFrom('rotating' as const, 'random' as const);
const size = fc.integer({ min: 1, max: 30 });

test('the partner of a partner is the rank itself, and nobody is the own partner', () => {
  fc.assert(
    fc.property(topology, rule, size, fc.nat(100), fc.nat(1000), (shape, how, count, round, seed) => {
      for (let rank = 0; rank < count; rank += 1) {
        const partner = partnerOf(shape, how, count, rank, round, seed);
        if (partner === undefined) continue;
        expect(partner).toBeGreaterThanOrEqual(0);
        expect(partner).toBeLessThan(count);
        expect(partner).not.toBe(rank);
        expect(partnerOf(shape, how, count, partner, round, seed)).toBe(rank);
      }
    }),
  );
});

/** Edges that are used within some rounds. */
function edges(shape: 'ring' | 'torus' | 'complete', count: number, rounds: number): Set<string> {
  const used = new Set<string>();
  for (let round = 0; round < rounds; round += 1)
    for (let rank = 0; rank < count; rank += 1) {
      const partner = partnerOf(shape, 'rotating', count, rank, round, 0);
      if (partner !== undefined) used.add(`${Math.min(rank, partner)}-${Math.max(rank, partner)}`);
    }
  return used;
}

test('a ring uses neighbours only, and all of them; a complete graph all pairs, in as few rounds as there can be', () => {
  for (let count = 3; count < 20; count += 1) {
    const neighbours = new Set(Array.from({ length: count }, (_, rank) => [rank, (rank + 1) % count].sort((a, b) => a - b).join('-')));
    expect(edges('ring', count, count % 2 === 0 ? 2 : 3)).toEqual(neighbours);
    expect(edges('complete', count, count % 2 === 0 ? count - 1 : count).size).toBe((count * (count - 1)) / 2);
  }
  expect(edges('ring', 2, 1)).toEqual(new Set(['0-1']));
});

test('a torus of 3 × 4 has the edges of its rows and columns', () => {
  // Four columns of three ranks (three edges each) and three rows of four ranks (four edges each).
  expect(edges('torus', 12, 10).size).toBe(4 * 3 + 3 * 4);
  expect(edges('torus', 7, 3)).toEqual(edges('ring', 7, 3));
});

test('whatever one rank knows reaches all', () => {
  fc.assert(
    fc.property(topology, rule, size, (shape, how, count) => {
      const informed = new Set([0]);
      for (let round = 0; round < 600 && informed.size < count; round += 1)
        for (const rank of [...informed]) {
          const partner = partnerOf(shape, how, count, rank, round, 5);
          if (partner !== undefined) informed.add(partner);
        }
      expect(informed.size).toBe(count);
    }),
  );
});
