import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Channel, Message } from '../../src/communicate/channel.ts';
import { HEADER_BYTES } from '../../src/communicate/frames/header.ts';
import { Link, type LinkClock, type LinkOptions, parseLinkDelay, parseLinkRate } from '../../src/communicate/link.ts';
import { createLoopbackChannels } from '../../src/communicate/loopback/channel.ts';

/** Time that goes by only when it is told to. */
class Clock implements LinkClock {
  #now = 0;
  readonly #alarms = new Set<{ readonly time: number; readonly run: () => void }>();

  now(): number {
    return this.#now;
  }

  at(time: number, run: () => void): () => void {
    const alarm = { time, run };
    this.#alarms.add(alarm);
    return () => this.#alarms.delete(alarm);
  }

  /** Lets everything happen that is due until `end`, each at its time. */
  async go(end: number): Promise<void> {
    for (;;) {
      for (let i = 0; i < 3; i += 1) await new Promise(setImmediate);
      const next = [...this.#alarms].sort((a, b) => a.time - b.time)[0];
      if (next === undefined || next.time > end) break;
      this.#alarms.delete(next);
      this.#now = Math.max(this.#now, next.time);
      next.run();
    }
    this.#now = end;
  }
}

const header = (step: number) => ({ kind: 1, generation: 0, step });
/** A body that makes a frame of so many bytes. */
const frameOf = (bytes: number): Uint8Array[] => [new Uint8Array(bytes - HEADER_BYTES)];

/** Ends by rank and peer, each rank with a link of its own: 1000 bytes a second, so a byte takes a millisecond. */
function group(size: number, options: LinkOptions = {}): { clock: Clock; ends: Channel[][] } {
  const clock = new Clock();
  const ends = createLoopbackChannels(size).map((row) => {
    const link = new Link({ delayMs: 50, bytesPerSecond: 1000, clock, ...options });
    return row.map((channel) => (channel === undefined ? undefined : link.wrap(channel))) as Channel[];
  });
  return { clock, ends };
}
const end = (ends: Channel[][], rank: number, peer: number): Channel => ends[rank]?.[peer] as Channel;

/** Steps of messages, and when they came. */
function listen(clock: Clock, channel: Channel): [step: number, at: number][] {
  const came: [number, number][] = [];
  void (async () => {
    for (;;) {
      const message: Message = await channel.receive(1e6);
      came.push([message.step, clock.now()]);
    }
  })().catch(() => undefined);
  return came;
}

describe('a link', () => {
  test('small frames are pipelined: one delay, and the time of each one’s bytes', async () => {
    const { clock, ends } = group(2);
    const came = listen(clock, end(ends, 1, 0));
    for (let step = 0; step < 4; step += 1) await end(ends, 0, 1).send(header(step), frameOf(100));
    await clock.go(1000);
    expect(came).toEqual([
      [0, 150],
      [1, 250],
      [2, 350],
      [3, 450],
    ]);
    // The link is free again.
    await end(ends, 0, 1).send(header(9), frameOf(60));
    await clock.go(2000);
    expect(came.at(-1)).toEqual([9, 1110]);
  });

  test('both directions at once do not disturb each other', async () => {
    const { clock, ends } = group(2);
    const came = [listen(clock, end(ends, 1, 0)), listen(clock, end(ends, 0, 1))];
    await end(ends, 0, 1).send(header(1), frameOf(100));
    await end(ends, 1, 0).send(header(2), frameOf(200));
    await clock.go(1000);
    expect(came).toEqual([[[1, 150]], [[2, 250]]]);
  });

  test('what a rank sends to several shares its rate, and so does what several send to one', async () => {
    const { clock, ends } = group(3);
    const came = [listen(clock, end(ends, 1, 0)), listen(clock, end(ends, 2, 0))];
    await end(ends, 0, 1).send(header(1), frameOf(100));
    await end(ends, 0, 2).send(header(2), frameOf(100));
    await clock.go(1000);
    expect(came).toEqual([[[1, 150]], [[2, 250]]]);
    const back = [listen(clock, end(ends, 0, 1)), listen(clock, end(ends, 0, 2))];
    await end(ends, 1, 0).send(header(3), frameOf(100));
    await end(ends, 2, 0).send(header(4), frameOf(100));
    await clock.go(2000);
    expect(back.flat().sort(([a], [b]) => a - b)).toEqual([
      [3, 1150],
      [4, 1250],
    ]);
  });

  test('a large body is sent when its bytes have left, a small one at once; both may be changed then', async () => {
    const { clock, ends } = group(2, { bufferBytes: 500 });
    const received = end(ends, 1, 0).receive(1e6);
    const bytes = new Uint8Array(952).fill(7);
    let sentAt = -1;
    void end(ends, 0, 1)
      .send(header(0), [bytes])
      .then(() => {
        sentAt = clock.now();
        bytes.fill(0);
      });
    await clock.go(999);
    expect(sentAt).toBe(-1);
    await clock.go(2000);
    expect(sentAt).toBe(1000);
    expect(new Set((await received).body)).toEqual(new Set([7]));
    await end(ends, 0, 1).send(header(1), frameOf(100));
    expect(clock.now()).toBe(2000);
  });

  test('deadlines hold: of who receives, and a message on its way is not lost', async () => {
    const { clock, ends } = group(2);
    await end(ends, 0, 1).send(header(5), frameOf(100));
    const late = expect(end(ends, 1, 0).receive(149)).rejects.toMatchObject({ code: 'PARAGRAD_TIMEOUT', place: { rank: 0 } });
    await clock.go(149);
    await late;
    const next = end(ends, 1, 0).receive(10);
    await clock.go(160);
    expect((await next).step).toBe(5);
  });

  test('deadlines hold: of who sends', async () => {
    const { clock, ends } = group(2, { bufferBytes: 10, sendTimeoutMs: 70 });
    const late = expect(end(ends, 0, 1).send(header(5), frameOf(100))).rejects.toMatchObject({
      code: 'PARAGRAD_TIMEOUT',
      place: { rank: 1 },
    });
    await clock.go(70);
    await late;
    await expect(end(ends, 0, 1).send(header(6), [])).rejects.toMatchObject({ code: 'PARAGRAD_PEER_LOST' });
  });

  test('closed: what was sent before still comes, then both ends say so', async () => {
    const { clock, ends } = group(2);
    const [a, b] = [end(ends, 0, 1), end(ends, 1, 0)];
    const waiting = expect(a.receive(1e6)).rejects.toMatchObject({ code: 'PARAGRAD_CLOSED' });
    await a.send(header(1), frameOf(100));
    let closedAt = -1;
    void a.close().then(() => {
      closedAt = clock.now();
    });
    await clock.go(500);
    await waiting;
    expect(closedAt).toBe(150);
    expect((await b.receive(0)).step).toBe(1);
    await expect(b.receive(1e6)).rejects.toMatchObject({ code: 'PARAGRAD_PEER_LOST', place: { rank: 0 } });
    await expect(a.send(header(2), [])).rejects.toMatchObject({ code: 'PARAGRAD_CLOSED' });
    await expect(b.send(header(2), [])).rejects.toMatchObject({ code: 'PARAGRAD_PEER_LOST' });
  });

  test('an end does not wait for more than a second for what the link cannot carry', async () => {
    const { clock, ends } = group(2);
    await end(ends, 0, 1).send(header(1), frameOf(5000));
    let closedAt = -1;
    void end(ends, 0, 1)
      .close()
      .then(() => {
        closedAt = clock.now();
      });
    await clock.go(4000);
    expect(closedAt).toBe(1050);
    await expect(end(ends, 1, 0).receive(1)).rejects.toMatchObject({ code: 'PARAGRAD_PEER_LOST' });
  });

  test('whatever is sent, when: order is kept, and nothing comes before its time', async () => {
    const sending = fc.record({ bytes: fc.integer({ min: HEADER_BYTES, max: 300 }), pause: fc.nat(400) });
    const property = fc.asyncProperty(fc.array(sending, { minLength: 1, maxLength: 8 }), fc.nat(100), async (list, delayMs) => {
      const { clock, ends } = group(2, { delayMs });
      const came = listen(clock, end(ends, 1, 0));
      const expected: [number, number][] = [];
      let free = 0;
      for (const [step, { bytes, pause }] of list.entries()) {
        await clock.go(clock.now() + pause);
        free = Math.max(free, clock.now()) + bytes;
        expected.push([step, free + delayMs]);
        await end(ends, 0, 1).send(header(step), frameOf(bytes));
      }
      await clock.go(1e5);
      expect(came).toEqual(expected);
    });
    await fc.assert(property, { numRuns: 20 });
  });

  test('by the system’s clock nothing comes earlier than it may', async () => {
    const [[, a], [b]] = createLoopbackChannels(2) as [[undefined, Channel], [Channel]];
    const [from, to] = [new Link({ delayMs: 3, bytesPerSecond: 100_000 }).wrap(a), new Link({ bytesPerSecond: 100_000 }).wrap(b)];
    const begin = performance.now();
    await from.send(header(0), frameOf(500));
    await from.send(header(1), frameOf(500));
    await to.receive(60_000);
    expect(performance.now() - begin).toBeGreaterThanOrEqual(8);
    await to.receive(60_000);
    expect(performance.now() - begin).toBeGreaterThanOrEqual(13);
    await Promise.all([from.close(), to.close()]);
  });
});

test('delays and rates are parsed', () => {
  expect(['2ms', '500us', '1.5s', '0ms'].map(parseLinkDelay)).toEqual([2, 0.5, 1500, 0]);
  expect(['100Mbit', '1Gbit', '12.5MB', '8kbit/s', '64B'].map(parseLinkRate)).toEqual([12.5e6, 125e6, 12.5e6, 1000, 64]);
  for (const text of ['', '2', 'ms', '-1ms', '2m', '4000s'])
    expect(() => parseLinkDelay(text), text).toThrow(
      expect.objectContaining({ code: 'PARAGRAD_OPTION', place: { option: '--link-delay' } }),
    );
  for (const text of ['', '100', '0Mbit', '-1Mbit', '100mbit', '100Mb', '1Tbit'])
    expect(() => parseLinkRate(text), text).toThrow(expect.objectContaining({ code: 'PARAGRAD_OPTION', place: { option: '--link-rate' } }));
});
