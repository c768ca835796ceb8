import fc from 'fast-check';
import { expect, test } from 'vitest';
import { layoutOf, panelsOf } from '../../src/partition/layout.ts';
import { clientPartition, clientsOf, hostedBy, panelRange, participants } from '../../src/strategies/clients.ts';

const shape = fc.record({
  rows: fc.integer({ min: 1, max: 3000 }),
  count: fc.integer({ min: 1, max: 20 }),
  workers: fc.integer({ min: 1, max: 9 }),
});
const layoutFor = (rows: number) => layoutOf({ dtype: 'f32', rows, columns: 3, chunkRows: 32 });

test('every row is one client’s, and every client is one worker’s, with all its rows', () => {
  fc.assert(
    fc.property(shape, ({ rows, count, workers }) => {
      const layout = layoutFor(rows);
      const clients = clientsOf(layout, count);
      expect(clients.reduce((sum, client) => sum + client.rows, 0)).toBe(rows);
      expect(panelRange(layout, clients[0]).begin).toBe(0);
      expect(panelRange(layout, clients[count - 1]).end).toBe(panelsOf(layout));
      const { shares } = clientPartition(layout, clients, workers);
      let next = 0;
      for (let rank = 0; rank < workers; rank += 1) {
        const { begin, end } = hostedBy(rank, workers, count);
        expect(begin).toBe(next);
        next = end;
        for (let c = begin; c < end; c += 1) {
          expect(clients[c].chunkBegin).toBeGreaterThanOrEqual(shares[rank].chunkBegin);
          expect(clients[c].chunkEnd).toBeLessThanOrEqual(shares[rank].chunkEnd);
        }
      }
      expect(next).toBe(count);
      expect(shares[0].chunkBegin).toBe(0);
      expect(shares[workers - 1].chunkEnd).toBe(layout.chunks);
    }),
  );
});

test('weights of those who take part sum to 1; as many take part as asked for', () => {
  fc.assert(
    fc.property(shape, fc.double({ min: 0.01, max: 1, noNaN: true }), fc.nat(50), ({ rows, count }, participation, round) => {
      const clients = clientsOf(layoutFor(rows), count);
      const chosen = participants(clients, participation, round, 3);
      const able = clients.filter((client) => client.rows > 0);
      expect(chosen.size).toBe(Math.max(1, Math.ceil(participation * able.length)));
      // As exact as so many quotients can be.
      expect(Math.abs([...chosen.values()].reduce((sum, weight) => sum + weight, 0) - 1)).toBeLessThanOrEqual(count * 2 ** -53);
      for (const [number, weight] of chosen)
        expect(weight * [...chosen.keys()].reduce((sum, c) => sum + clients[c].rows, 0)).toBeCloseTo(clients[number].rows, 8);
    }),
  );
});

test('with half of four clients all take their turns', () => {
  const clients = clientsOf(layoutFor(256), 4);
  const seen = new Set<number>();
  for (let round = 0; round < 20; round += 1) for (const number of participants(clients, 0.5, round, 0).keys()) seen.add(number);
  expect([...seen].sort()).toEqual([0, 1, 2, 3]);
});
