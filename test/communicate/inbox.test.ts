import { describe, expect, test } from 'vitest';
import type { Channel } from '../../src/communicate/channel.ts';
import { inboxOf } from '../../src/communicate/inbox.ts';
import { createLoopbackChannels } from '../../src/communicate/loopback/channel.ts';
import { createSharedChannels, joinSharedChannels, reportChannelLost } from '../../src/communicate/shared/channels.ts';

const HEAD = { kind: 7, generation: 1, step: 2 };
const bytes = (...values: number[]): Uint8Array[] => [Uint8Array.from(values)];
const there = (channels: readonly (Channel | undefined)[]): Channel[] => channels.filter((channel) => channel !== undefined);

const KINDS: Record<string, (size: number) => (Channel | undefined)[][]> = {
  loopback: (size) => createLoopbackChannels(size),
  shared: (size) => {
    const handle = createSharedChannels(size, 256, { timeoutMs: 20 });
    return Array.from({ length: size }, (_, rank) => joinSharedChannels(handle, rank));
  },
};

describe.each(Object.keys(KINDS))('%s', (kind) => {
  const make = KINDS[kind];

  test('an inbox has the messages of every channel, each once and whole', async () => {
    const channels = make(4);
    const inbox = inboxOf(there(channels[0]));
    const heard: string[] = [];
    for (let round = 0; round < 5; round += 1) {
      for (const rank of [3, 1, 2]) await (channels[rank][0] as Channel).send(HEAD, [...bytes(rank, round), ...bytes()]);
      for (let i = 0; i < 3; i += 1) {
        const mail = await inbox.next(1000);
        expect(mail?.message).toMatchObject({ ...HEAD, sequence: round });
        heard.push(`${mail?.peer}: ${[...(mail?.message.body ?? [])]}`);
      }
    }
    expect(heard.sort()).toEqual([1, 2, 3].flatMap((rank) => [0, 1, 2, 3, 4].map((round) => `${rank}: ${rank},${round}`)));
    expect(await inbox.next(1)).toBeUndefined();
  });

  test('one channel by itself: there and back, and a deadline', async () => {
    const channels = make(2);
    const [there_, back] = [channels[0][1] as Channel, channels[1][0] as Channel];
    await there_.send(HEAD, bytes(1, 2, 3));
    expect([...(await back.receive(1000)).body]).toEqual([1, 2, 3]);
    await back.send(HEAD, []);
    expect((await there_.receive(1000)).body).toHaveLength(0);
    await expect(there_.receive(1)).rejects.toMatchObject({ code: 'PARAGRAD_TIMEOUT' });
    await there_.close();
    await expect(there_.send(HEAD, [])).rejects.toMatchObject({ code: 'PARAGRAD_CLOSED' });
  });
});

test('a slot holds one message: who sends another waits, and not for ever', async () => {
  const channels = KINDS.shared(2);
  const sender = channels[0][1] as Channel;
  await sender.send(HEAD, bytes(1));
  await expect(sender.send(HEAD, bytes(2))).rejects.toMatchObject({ code: 'PARAGRAD_TIMEOUT', place: { rank: 1 } });
  expect([...(await (channels[1][0] as Channel).receive(1000)).body]).toEqual([1]);
});

test('what is longer than a slot is refused', async () => {
  await expect((KINDS.shared(2)[0][1] as Channel).send(HEAD, [new Uint8Array(257)])).rejects.toMatchObject({ code: 'PARAGRAD_INTERNAL' });
});

test('everybody is told of a rank that is gone, after what it sent', async () => {
  const handle = createSharedChannels(3, 64);
  const [mine, other] = [joinSharedChannels(handle, 0), joinSharedChannels(handle, 2)];
  await (other[0] as Channel).send(HEAD, bytes(9));
  reportChannelLost(handle, 2);
  const inbox = inboxOf([mine[2] as Channel, mine[1] as Channel]);
  expect((await inbox.next(1000))?.peer).toBe(2);
  await expect(inbox.next(1000)).rejects.toMatchObject({ code: 'PARAGRAD_PEER_LOST', place: { rank: 2 } });
  await expect((mine[1] as Channel).send(HEAD, [])).rejects.toMatchObject({ code: 'PARAGRAD_PEER_LOST' });
});

test('an inbox of loopback channels throws when a peer has closed', async () => {
  const channels = createLoopbackChannels(2);
  const inbox = inboxOf(there(channels[0]));
  await (channels[1][0] as Channel).send(HEAD, bytes(1));
  await (channels[1][0] as Channel).close();
  expect((await inbox.next(1000))?.peer).toBe(1);
  await expect(inbox.next(1000)).rejects.toMatchObject({ code: 'PARAGRAD_PEER_LOST' });
});
