import { expect, test } from 'vitest';
import { Grace } from '../../src/engines/processes/grace.ts';
import type { Seat } from '../../src/engines/processes/seat.ts';

/** How long a group that has enough waits for more: by a clock that is told. */

const FOREVER = 2 ** 31 - 1;
const seat = (rank: number, attempt: number, isComing = true): Seat => ({ rank, attempt, isComing }) as Seat;

test('a later group waits for those who are on their way when it has enough, for a time', () => {
  const grace = new Grace(100, false);
  expect(grace.leftMs([seat(0, 0, false), seat(1, 0)], 1000)).toBe(100);
  expect(grace.leftMs([seat(1, 0)], 1040)).toBe(60);
  // It came; another one, and its next worker, set out later.
  expect(grace.leftMs([seat(1, 1), seat(2, 0)], 1050)).toBe(0);
  expect(grace.leftMs([seat(1, 0)], 1100)).toBe(0);
  expect(new Grace(100, false).leftMs([seat(1, 0, false)], 1000)).toBe(0);
});

test('the first group gives time to set out, and waits for those who did, but not for ever one after the other', () => {
  const grace = new Grace(100, true);
  expect(grace.leftMs([], 1000)).toBe(100);
  expect(grace.leftMs([], 1070)).toBe(30);
  expect(grace.leftMs([seat(1, 0)], 1090)).toBe(FOREVER);
  expect(grace.leftMs([seat(2, 0)], 1499)).toBe(FOREVER);
  expect(grace.leftMs([seat(2, 0), seat(3, 0)], 1500)).toBe(FOREVER);
  expect(grace.leftMs([seat(3, 0)], 1600)).toBe(0);
});

test('without a grace those are waited for who are on their way to the first group already', () => {
  const grace = new Grace(0, true);
  expect(grace.leftMs([seat(1, 0)], 1000)).toBe(FOREVER);
  expect(grace.leftMs([seat(1, 1)], 1000)).toBe(0);
  expect(new Grace(0, false).leftMs([seat(1, 0)], 1000)).toBe(0);
});
