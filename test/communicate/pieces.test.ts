import { describe, expect, test } from 'vitest';
import type { Channel } from '../../src/communicate/channel.ts';
import { geometryOf } from '../../src/communicate/geometry.ts';
import { createLoopbackChannels } from '../../src/communicate/loopback/channel.ts';
import { createMessageCollective } from '../../src/communicate/messages/collective.ts';
import { KIND } from '../../src/communicate/messages/links.ts';
import { ADD, scheduleOf } from '../../src/communicate/schedule.ts';
import { Barrier, barrierWords, giveUpBarrier } from '../../src/communicate/shared/barrier.ts';

const part = (level: number, index: number, begin: number, end: number) => ({ node: { level, index }, begin, end, values: undefined });

describe('schedule', () => {
  test('adds in tree order, whichever rank a node comes from', () => {
    const shape = { length: 4, leaves: 3 };
    const ranks = [[part(0, 2, 0, 4)], [part(0, 1, 0, 4), part(0, 0, 0, 4)]].map((parts) => geometryOf(shape, 8, parts));
    expect(scheduleOf(ranks, 0, 4).spans.map(({ begin, end, program }) => [begin, end, ...program])).toEqual([[0, 4, 2, 1, ADD, 0, ADD]]);
  });

  test('a grid is one span per range of elements, cut at the range that is asked for', () => {
    const shape = { length: 10, leaves: 2 };
    const ranks = [part(0, 0, 0, 6), part(0, 0, 6, 10), part(0, 1, 0, 6), part(0, 1, 6, 10)].map((p) => geometryOf(shape, 8, [p]));
    expect(scheduleOf(ranks, 5, 8).spans.map(({ begin, end, program }) => [begin, end, ...program])).toEqual([
      [5, 6, 0, 2, ADD],
      [6, 8, 1, 3, ADD],
    ]);
  });
});

describe('channel', () => {
  const pair = (): [Channel, Channel] => {
    const channels = createLoopbackChannels(2);
    return [channels[0]?.[1] as Channel, channels[1]?.[0] as Channel];
  };

  test('keeps order, counts, joins pieces, and owns what it was given', async () => {
    const [a, b] = pair();
    const bytes = Uint8Array.of(1, 2);
    await a.send({ kind: 3, generation: 4, step: 5 }, [bytes, Uint8Array.of(9)]);
    bytes.fill(0);
    await a.send({ kind: 3, generation: 4, step: 6 }, []);
    expect(await b.receive(1000)).toEqual({ kind: 3, generation: 4, step: 5, sequence: 0, body: Uint8Array.of(1, 2, 9) });
    expect(await b.receive(1000)).toEqual({ kind: 3, generation: 4, step: 6, sequence: 1, body: new Uint8Array(0) });
  });

  test('a closed channel gives what came before, then says so', async () => {
    const [a, b] = pair();
    await a.send({ kind: 1, generation: 0, step: 0 }, []);
    await a.close();
    expect((await b.receive(1000)).kind).toBe(1);
    await expect(b.receive(1000)).rejects.toMatchObject({ code: 'PARAGRAD_PEER_LOST' });
    await expect(b.send({ kind: 1, generation: 0, step: 0 }, [])).rejects.toMatchObject({ code: 'PARAGRAD_PEER_LOST' });
    await expect(a.receive(1000)).rejects.toMatchObject({ code: 'PARAGRAD_CLOSED' });
  });

  test('nothing within the deadline', async () => {
    await expect(pair()[0].receive(5)).rejects.toMatchObject({ code: 'PARAGRAD_TIMEOUT', place: { rank: 1 } });
  });

  test.each([
    ['an older step', KIND.barrier, 1, 0, 'PARAGRAD_GENERATION'],
    ['an older generation', KIND.barrier, 0, 7, 'PARAGRAD_GENERATION'],
    ['an unknown kind', 99, 0, 7, 'PARAGRAD_GENERATION'],
    ['malformed parts', KIND.parts, 1, 7, 'PARAGRAD_CHANNEL'],
  ] as const)('a collective refuses %s', async (_, kind, generation, step, code) => {
    const channels = createLoopbackChannels(2);
    const collective = createMessageCollective(0, channels[0] ?? [], { generation: 1, step: 7, timeoutMs: 1000 });
    await channels[1]?.[0]?.send({ kind, generation, step }, [Uint8Array.of(1)]);
    const done = kind === KIND.parts ? collective.allReduce({ length: 1, leaves: 0 }, [], new Float64Array(1)) : collective.barrier();
    await expect(done).rejects.toMatchObject({ code });
  });
});

describe('barrier', () => {
  test('once given up, nobody waits: it names the lost rank', () => {
    const words = new Int32Array(new SharedArrayBuffer(barrierWords(3) * 4));
    const barrier = new Barrier(words, 0, 3, { spinUs: 0, timeoutMs: 600_000 });
    giveUpBarrier(words, 2);
    expect(() => barrier.wait(4)).toThrow(expect.objectContaining({ code: 'PARAGRAD_PEER_LOST', place: { rank: 2 } }));
  });

  test.each([0, 50])('late ranks are named (spinning %d µs)', (spinUs) => {
    const words = new Int32Array(new SharedArrayBuffer(barrierWords(3) * 4));
    const late = { code: 'PARAGRAD_TIMEOUT', place: { rank: 0 } };
    expect(() => new Barrier(words, 1, 3, { spinUs, timeoutMs: 5 }).wait(0)).toThrow(expect.objectContaining(late));
    // Who comes after the deadline hears the same, instead of waiting for those who left.
    expect(() => new Barrier(words, 2, 3, { spinUs, timeoutMs: 600_000 }).wait(0)).toThrow(expect.objectContaining(late));
  });
});
