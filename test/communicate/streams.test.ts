import { stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Channel } from '../../src/communicate/channel.ts';
import { frameHead } from '../../src/communicate/frames/frame.ts';
import { TYPE } from '../../src/communicate/frames/header.ts';
import { neighboursOf } from '../../src/communicate/messages/collective.ts';
import { type Address, addressText, checkAddress, parseAddress } from '../../src/communicate/streams/address.ts';
import type { StreamChannel } from '../../src/communicate/streams/channel.ts';
import { connect } from '../../src/communicate/streams/connect.ts';
import type { Hello } from '../../src/communicate/streams/greeting.ts';
import { type Key, keyText, newKey, parseKey } from '../../src/communicate/streams/key.ts';
import { type Listener, type ListenOptions, listen } from '../../src/communicate/streams/listen.ts';
import { createMesh, type MeshPort, openPort } from '../../src/communicate/streams/mesh.ts';
import { createSocketFolder, type SocketFolder } from '../../src/engines/socket-folder.ts';
import { ParagradError } from '../../src/errors.ts';
import { helloBytes, rawConnection, withVersion } from './raw.ts';

const HELLO: Hello = { group: 'all', numericsVersion: 1, rank: 1, size: 2, generation: 0 };
const key: Key = newKey();
let folder: SocketFolder;
let sockets = 0;
/** What a test opened. */
let open: { close(): unknown }[] = [];

beforeAll(async () => {
  folder = await createSocketFolder();
});
afterEach(async () => {
  await Promise.all(open.map((it) => it.close()));
  open = [];
});
afterAll(() => folder.remove());

function newAddress(kind: 'unix' | 'tls'): Address {
  sockets += 1;
  return kind === 'unix' ? folder.addressOf(`${sockets}.sock`) : { kind, host: '127.0.0.1', port: 0 };
}

interface Host {
  readonly listener: Listener;
  readonly refusals: ParagradError[];
  /** Those that were let in, in order. */
  next(): Promise<StreamChannel>;
  /** Waits for so many refusals. */
  refused(count: number): Promise<void>;
}

/** A rank 0 of 2 that lets everybody in who has key and version. */
async function host(kind: 'unix' | 'tls', changes: Partial<ListenOptions> = {}): Promise<Host> {
  const refusals: ParagradError[] = [];
  const arrived: StreamChannel[] = [];
  let wake: () => void = () => undefined;
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds())
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
  };
  const listener = await listen({
    address: newAddress(kind),
    key: kind === 'tls' ? key : undefined,
    numericsVersion: 1,
    admit: ({ rank, generation }) => ({ rank: 0, you: rank ?? 1, size: 2, generation }),
    onChannel: (channel) => {
      open.push(channel);
      arrived.push(channel);
      wake();
    },
    onRefused: (error) => {
      refusals.push(error);
      wake();
    },
    ...changes,
  });
  open.push(listener);
  const next = async (): Promise<StreamChannel> => {
    await until(() => arrived.length > 0);
    return arrived.shift() as StreamChannel;
  };
  return { listener, refusals, next, refused: (count) => until(() => refusals.length >= count) };
}

async function join({ listener }: Host, hello = HELLO): Promise<StreamChannel> {
  const { channel } = await connect({ address: listener.address, key, hello, timeoutMs: 5000 });
  open.push(channel);
  return channel;
}

async function pair(kind: 'unix' | 'tls'): Promise<[StreamChannel, StreamChannel]> {
  const it = await host(kind);
  return [await join(it), await it.next()];
}

const MESSAGE = { kind: 3, generation: 4, step: 5 };

describe.each(['unix', 'tls'] as const)('%s channel', (kind) => {
  test('keeps order, counts, joins pieces; small ones may be changed at once', async () => {
    for (const [a, b] of [await pair(kind), (await pair(kind)).reverse()] as unknown as [Channel, Channel][]) {
      const bytes = Uint8Array.of(1, 2);
      const first = a.send(MESSAGE, [bytes, Uint8Array.of(9)]);
      await first;
      bytes.fill(0);
      await a.send({ ...MESSAGE, step: 6 }, []);
      expect(await b.receive(5000)).toEqual({ ...MESSAGE, sequence: 0, body: Uint8Array.of(1, 2, 9) });
      expect(await b.receive(5000)).toEqual({ ...MESSAGE, step: 6, sequence: 1, body: new Uint8Array(0) });
    }
  });

  test('large bodies both ways at once, mixed with small ones', async () => {
    const [a, b] = await pair(kind);
    const large = Float64Array.from({ length: 700_001 }, (_, i) => i);
    const bytes = new Uint8Array(large.buffer);
    const speak = async (from: Channel, to: Channel): Promise<void> => {
      const sent = Promise.all([
        from.send(MESSAGE, [bytes.subarray(8)]),
        from.send(MESSAGE, [bytes.subarray(0, 24)]),
        from.send(MESSAGE, [bytes]),
      ]);
      for (const expected of [large.subarray(1), large.subarray(0, 3), large]) {
        const { body } = await to.receive(20_000);
        expect(Buffer.compare(body, new Uint8Array(expected.buffer, expected.byteOffset, expected.byteLength))).toBe(0);
        expect(body.byteOffset % 8).toBe(0);
      }
      await sent;
    };
    await Promise.all([speak(a, b), speak(b, a)]);
  });

  test('closed: what was sent before still comes, then both ends say so', async () => {
    const [a, b] = await pair(kind);
    const large = new Uint8Array(3_000_000).fill(7);
    const sent = a.send(MESSAGE, [large]);
    await a.send({ ...MESSAGE, kind: 1 }, []);
    const closing = a.close();
    expect((await b.receive(5000)).body.length).toBe(large.length);
    expect((await b.receive(5000)).kind).toBe(1);
    await sent;
    await closing;
    await expect(b.receive(600_000)).rejects.toMatchObject({ code: 'PARAGRAD_PEER_LOST', place: { rank: 1 } });
    await expect(b.send(MESSAGE, [])).rejects.toMatchObject({ code: 'PARAGRAD_PEER_LOST' });
    await expect(a.receive(600_000)).rejects.toMatchObject({ code: 'PARAGRAD_CLOSED' });
    await expect(a.send(MESSAGE, [])).rejects.toMatchObject({ code: 'PARAGRAD_CLOSED' });
    await a.close();
  });

  test('whoever waits hears at once of an end, on either side', async () => {
    const [a, b] = await pair(kind);
    const waits = [expect(a.receive(600_000)).rejects.toMatchObject({ code: 'PARAGRAD_CLOSED' })];
    waits.push(expect(b.receive(600_000)).rejects.toMatchObject({ code: 'PARAGRAD_PEER_LOST' }));
    await a.close();
    await Promise.all(waits);
  });

  test('nothing within the deadline; the channel goes on', async () => {
    const [a, b] = await pair(kind);
    await expect(b.receive(5)).rejects.toMatchObject({ code: 'PARAGRAD_TIMEOUT', place: { rank: 1 } });
    await a.send(MESSAGE, []);
    expect((await b.receive(5000)).sequence).toBe(0);
  });

  test('a listener may close: channels stay, newcomers find nobody', async () => {
    const it = await host(kind);
    const [a, b] = [await join(it), await it.next()];
    it.listener.close();
    await a.send(MESSAGE, []);
    expect((await b.receive(5000)).kind).toBe(3);
    const late = connect({ address: it.listener.address, key, hello: HELLO, timeoutMs: 50 });
    await expect(late).rejects.toMatchObject({ code: 'PARAGRAD_CONNECT' });
  });

  test('another numerics version, and whom the other side does not admit, hear why', async () => {
    const it = await host(kind, {
      admit: () => {
        throw new ParagradError('PARAGRAD_HELLO', 'this run is full');
      },
    });
    await expect(join(it, { ...HELLO, numericsVersion: 2 })).rejects.toThrow(/refused by the other side: numerics version 2 came/);
    await expect(join(it)).rejects.toMatchObject({ code: 'PARAGRAD_HELLO', message: 'refused by the other side: this run is full' });
    await it.refused(2);
    expect(it.refusals.map(({ code }) => code)).toEqual(['PARAGRAD_HELLO', 'PARAGRAD_HELLO']);
  });

  test('without a rank: one is given', async () => {
    const it = await host(kind, { admit: () => ({ rank: 0, you: 7, size: 9, generation: 3 }) });
    const hello = { group: 'join', numericsVersion: 1, generation: 0 };
    const { channel, welcome } = await connect({ address: it.listener.address, key, hello });
    open.push(channel);
    expect(welcome).toEqual({ rank: 0, you: 7, size: 9, generation: 3, numericsVersion: 1 });
    expect([channel.peer, (await it.next()).peer]).toEqual([0, 7]);
  });

  test('a port scanner, an old version and silence get nowhere, are told of once, and disturb nobody', async () => {
    const it = await host(kind, { helloTimeoutMs: 300 });
    const [a, b] = [await join(it), await it.next()];
    const old = withVersion(helloBytes(HELLO), 0);
    const answers = ['GET / HTTP/1.1\r\nHost: a\r\n\r\n', '\0\0\0\0', 'PGRD', '', old].map((bytes) => {
      const { socket, answer } = rawConnection(it.listener.address);
      socket.write(bytes);
      return answer;
    });
    await it.refused(5);
    const said = await Promise.all(answers);
    expect(it.refusals.length).toBe(5);
    expect(JSON.stringify(it.refusals)).not.toContain(keyText(key));
    if (kind === 'unix') {
      expect(it.refusals.map(({ code }) => code).sort()).toEqual([...Array(2).fill('PARAGRAD_FRAME'), ...Array(3).fill('PARAGRAD_HELLO')]);
      expect(it.refusals.filter(({ message }) => /version 0 of the protocol/.test(message)).length).toBe(1);
      expect(said.slice(0, 2).map(({ length }) => length)).toEqual([0, 0]);
      expect(said[4]?.toString('latin1')).toContain('"PARAGRAD_HELLO"');
    } else expect(new Set(it.refusals.map(({ code }) => code))).toEqual(new Set(['PARAGRAD_KEY']));
    await a.send(MESSAGE, []);
    expect((await b.receive(5000)).kind).toBe(3);
  });

  test('more strangers than are waited for are cut off', async () => {
    const it = await host(kind);
    const strangers = Array.from({ length: 280 }, () => rawConnection(it.listener.address));
    await it.refused(24);
    for (const { socket } of strangers) socket.destroy();
    await it.refused(280);
    const channel = await join(it);
    expect(channel.peer).toBe(0);
  });
});

describe('bytes that are no message, on a channel that was let in', () => {
  const frame = { type: TYPE.message, kind: 0, generation: 0, step: 0, sequence: 0, bodyBytes: 4 } as const;
  test.each([
    ['foreign', [Buffer.from('hello world')]],
    ['with a bit flipped', [frameHead(frame).map((byte, i) => (i === 17 ? byte ^ 4 : byte))]],
    ['too large', [frameHead({ ...frame, bodyBytes: 2 ** 50 })]],
    ['cut off', [frameHead(frame), Buffer.from('abc')]],
    ['a second hello', [helloBytes(HELLO)]],
  ])('%s: that channel is closed with an error, the others go on', async (_, bytes) => {
    const it = await host('unix');
    const [a, b] = [await join(it), await it.next()];
    const { socket, answer } = rawConnection(it.listener.address);
    socket.write(helloBytes(HELLO));
    const bad = await it.next();
    const whole = [frameHead({ ...frame, bodyBytes: 1 }), Uint8Array.of(5)];
    for (const piece of [...whole, ...bytes]) socket.write(piece);
    socket.end();
    expect((await bad.receive(5000)).body).toEqual(Uint8Array.of(5));
    const error = { code: 'PARAGRAD_FRAME', place: { rank: 1 } };
    await expect(bad.receive(5000)).rejects.toMatchObject(error);
    await expect(bad.receive(5000)).rejects.toMatchObject(error);
    await expect(bad.send(MESSAGE, [])).rejects.toMatchObject(error);
    await answer;
    await b.send(MESSAGE, []);
    expect((await a.receive(5000)).kind).toBe(3);
  });

  test('a flood before the hello is answered ends it', async () => {
    const it = await host('unix', { admit: () => new Promise(() => undefined) });
    const { socket, answer } = rawConnection(it.listener.address);
    for (let i = 0; i < 10; i += 1) socket.write(helloBytes(HELLO));
    await answer;
    expect(it.refusals).toEqual([]);
  });

  test('a peer that does not read: the send has a deadline, and so has the end', async () => {
    const it = await host('unix', { sendTimeoutMs: 50 });
    const { socket } = rawConnection(it.listener.address);
    socket.write(helloBytes(HELLO));
    const channel = await it.next();
    socket.pause();
    const sent = channel.send(MESSAGE, [new Uint8Array(20_000_000)]);
    await expect(sent).rejects.toMatchObject({ code: 'PARAGRAD_TIMEOUT', place: { rank: 1 } });
    await expect(channel.send(MESSAGE, [])).rejects.toMatchObject({ code: 'PARAGRAD_PEER_LOST' });
    await channel.close();
    socket.destroy();
  });
});

describe('whoever connects', () => {
  test.each([
    ['an old version', withVersion(helloBytes(HELLO), 0), 'PARAGRAD_HELLO', /version 0 of the protocol/],
    ['another program', Buffer.from('220 mail.example.org ESMTP\r\n'), 'PARAGRAD_FRAME', /not a frame/],
    ['a hello instead of a welcome', helloBytes(HELLO), 'PARAGRAD_FRAME', /welcome was due/],
    ['nothing', Buffer.alloc(0), 'PARAGRAD_CONNECT', /no answer to the hello within 100 ms/],
  ] as const)('to %s, is told so', async (_, bytes, code, message) => {
    const address = newAddress('unix') as Address & { kind: 'unix' };
    const server = createServer((socket) => {
      socket.on('error', () => undefined).write(bytes);
    });
    await new Promise<void>((resolve) => {
      server.listen(address.path, resolve);
    });
    open.push(server);
    const joining = connect({ address, hello: HELLO, timeoutMs: 100 });
    await expect(joining).rejects.toMatchObject({ code, message: expect.stringMatching(message) as unknown });
  });
});

describe('keys', () => {
  test('another key, no key and certificates: nobody comes in, each is told of once', async () => {
    const it = await host('tls');
    const { address } = it.listener;
    const other = newKey();
    const wrong = connect({ address, key: other, hello: HELLO, timeoutMs: 5000 });
    await expect(wrong).rejects.toMatchObject({
      code: 'PARAGRAD_KEY',
      message: expect.stringContaining('has another key, or is not paragrad: the keys are not the same'),
    });
    await it.refused(1);
    await expect(connect({ address, hello: HELLO })).rejects.toMatchObject({ code: 'PARAGRAD_KEY' });
    const { host: name, port } = address as Address & { kind: 'tls' };
    const closed = new Promise((resolve) => {
      connectTls({ host: name, port, rejectUnauthorized: false })
        .on('error', () => undefined)
        .on('close', resolve);
    });
    await closed;
    await it.refused(2);
    expect(it.refusals.map(({ code }) => code)).toEqual(['PARAGRAD_KEY', 'PARAGRAD_KEY']);
    // Who it was, and what to look at, without the words of a TLS library.
    expect(it.refusals.map(({ message }) => message)).toEqual([
      'a connection from 127.0.0.1 was refused: it has another key or none (the keys are not the same)',
      'a connection from 127.0.0.1 was refused: it has another key or none (no key that both sides know was offered)',
    ]);
    for (const secret of [key, other]) expect(JSON.stringify(it.refusals)).not.toContain(keyText(secret));
    expect((await join(it)).peer).toBe(0);
  });

  test('a listener without a key is refused', async () => {
    await expect(host('tls', { key: undefined })).rejects.toMatchObject({ code: 'PARAGRAD_KEY' });
    await expect(host('tls', { key: new Uint8Array(16) })).rejects.toMatchObject({ code: 'PARAGRAD_KEY' });
  });

  test('are 32 random bytes, and survive as text', () => {
    expect(newKey()).not.toEqual(newKey());
    expect(parseKey(`${keyText(key)}\n`)).toEqual(key);
    for (const text of ['', 'secret', keyText(key).slice(1)]) {
      expect(() => parseKey(text)).toThrow(expect.objectContaining({ code: 'PARAGRAD_KEY' }));
      if (text !== '') expect(() => parseKey(text)).not.toThrow(text);
    }
  });
});

describe('addresses', () => {
  test('survive as text', () => {
    for (const text of ['unix:/tmp/a b', 'localhost:80', '127.0.0.1:0', '[::1]:65535']) expect(addressText(parseAddress(text))).toBe(text);
    expect(parseAddress('[::1]:80')).toEqual({ kind: 'tls', host: '::1', port: 80 });
  });

  test.each(['', 'localhost', 'localhost:', 'localhost:65536', '::1:80', 'unix:', `unix:/${'a'.repeat(100)}`, `unix:/${'ä'.repeat(50)}`])(
    'not %s',
    (text) => {
      expect(() => parseAddress(text)).toThrow(expect.objectContaining({ code: 'PARAGRAD_ADDRESS' }));
    },
  );

  test('a path of 100 bytes is the longest', () => {
    expect(() => checkAddress({ kind: 'unix', path: 'a'.repeat(100) })).not.toThrow();
    expect(() => folder.addressOf('a'.repeat(100))).toThrow(expect.objectContaining({ code: 'PARAGRAD_ADDRESS' }));
  });

  test('in use', async () => {
    for (const kind of ['unix', 'tls'] as const) {
      const { listener } = await host(kind);
      await expect(host(kind, { address: listener.address })).rejects.toMatchObject({ code: 'PARAGRAD_ADDRESS' });
    }
  });

  test('sockets lie in a folder that only its owner may enter', async () => {
    expect((await stat(folder.path)).mode & 0o777).toBe(0o700);
  });
});

describe('mesh', () => {
  const ports = async (count: number): Promise<MeshPort[]> => {
    const made = await Promise.all(Array.from({ length: count }, () => openPort({ address: newAddress('unix'), numericsVersion: 1 })));
    open.push(...made);
    return made;
  };
  const addressesOf = (list: readonly MeshPort[]): Address[] => list.map((port) => port.address);
  const keep = (channels: (Channel | undefined)[]): (Channel | undefined)[] => {
    for (const channel of channels) if (channel !== undefined) open.push(channel);
    return channels;
  };

  test('of one is nothing', async () => {
    const list = await ports(1);
    expect(await createMesh({ port: list[0] as MeshPort, rank: 0, size: 1, addresses: addressesOf(list) })).toEqual([undefined]);
  });

  test('ranks may come in any order, and be in several groups', async () => {
    const list = await ports(3);
    const addresses = addressesOf(list);
    const make = (group: string, rank: number) => createMesh({ port: list[rank] as MeshPort, rank, size: 3, group, addresses });
    const early = [make('b', 2), make('a', 2), make('a', 1)];
    await new Promise(setImmediate);
    const meshes = await Promise.all([...early, make('a', 0), make('b', 0), make('b', 1)]);
    for (const channels of meshes) keep(channels);
    const [b2, , , , b0] = meshes;
    await b0?.[2]?.send(MESSAGE, [Uint8Array.of(1)]);
    expect((await b2?.[0]?.receive(5000))?.body).toEqual(Uint8Array.of(1));
  });

  test.each([1, 2, 3, 4])('%d servers of 4 ranks: R(P − 1) − R(R − 1)/2 connections', async (servers) => {
    const list = await ports(4);
    const addresses = addressesOf(list);
    const make = (port: MeshPort, rank: number) =>
      createMesh({ port, rank, size: 4, areNeighbours: (a, b) => a < servers || b < servers, addresses });
    const meshes = (await Promise.all(list.map(make))).map(keep);
    for (const [rank, channels] of meshes.entries())
      expect(channels.map((channel) => channel !== undefined)).toEqual(
        channels.map((_, peer) => peer !== rank && (peer < servers || rank < servers)),
      );
    const ends = meshes.flat().filter((channel) => channel !== undefined).length;
    expect(ends / 2).toBe(servers * 3 - (servers * (servers - 1)) / 2);
    // Whoever comes to one that is no server has another idea of the group.
    if (servers < 3)
      await expect(connect({ address: addresses[2] as Address, hello: { ...HELLO, rank: 3, size: 4 } })).rejects.toMatchObject({
        code: 'PARAGRAD_HELLO',
      });
  });

  test('7 ranks in groups: only neighbours are connected', async () => {
    const list = await ports(7);
    const addresses = addressesOf(list);
    const areNeighbours = neighboursOf(7, { algorithm: 'hierarchical' });
    const make = (port: MeshPort, rank: number) => createMesh({ port, rank, size: 7, areNeighbours, addresses });
    const meshes = (await Promise.all(list.map(make))).map(keep);
    for (const [rank, channels] of meshes.entries())
      expect(channels.map((channel) => channel !== undefined)).toEqual(channels.map((_, peer) => areNeighbours(rank, peer)));
    // Groups of 3 and 4: 3 + 6 within, 4 across.
    expect(meshes.flat().filter((channel) => channel !== undefined).length / 2).toBe(13);
    await expect(connect({ address: addresses[0] as Address, hello: { ...HELLO, rank: 6, size: 7 } })).rejects.toMatchObject({
      code: 'PARAGRAD_HELLO',
    });
  });

  test('a rank that is not listening yet is waited for', async () => {
    const [first] = (await ports(1)) as [MeshPort];
    const address = newAddress('unix');
    const addresses = [address, first.address];
    const one = createMesh({ port: first, rank: 1, size: 2, addresses });
    await new Promise(setImmediate);
    const port = await openPort({ address, numericsVersion: 1 });
    open.push(port);
    keep(await createMesh({ port, rank: 0, size: 2, addresses }));
    keep(await one);
  });

  test('a rank that never comes is named, and nothing stays open', async () => {
    const list = await ports(3);
    const addresses = addressesOf(list);
    const make = (rank: number) => createMesh({ port: list[rank] as MeshPort, rank, size: 3, addresses, timeoutMs: 100 });
    const [zero, two] = await Promise.allSettled([make(0), make(2)]);
    expect(zero).toMatchObject({ reason: { code: 'PARAGRAD_CONNECT', place: { rank: 1 } } });
    expect(two).toMatchObject({ reason: { code: 'PARAGRAD_CONNECT' } });
  });

  test('an older generation is refused, on time and too late; a newer one is waited for', async () => {
    const list = await ports(2);
    const addresses = addressesOf(list);
    const make = (rank: number, generation: number) => createMesh({ port: list[rank] as MeshPort, rank, size: 2, generation, addresses });
    const old = expect(make(1, 1)).rejects.toMatchObject({ code: 'PARAGRAD_GENERATION' });
    await new Promise(setImmediate);
    const zero = make(0, 2);
    await old;
    const one = make(1, 2);
    for (const channels of await Promise.all([zero, one])) keep(channels);
    await expect(make(1, 2)).rejects.toMatchObject({ code: 'PARAGRAD_GENERATION' });
    const hello = { ...HELLO, generation: 1 };
    await expect(connect({ address: addresses[0] as Address, hello })).rejects.toMatchObject({ code: 'PARAGRAD_GENERATION' });
  });

  test('another size, a rank that is taken, one out of range: refused', async () => {
    const list = await ports(2);
    const addresses = addressesOf(list);
    const zero = createMesh({ port: list[0] as MeshPort, rank: 0, size: 2, addresses });
    for (const wrong of [{ size: 3 }, { rank: 0 }, { rank: 2 }])
      await expect(connect({ address: addresses[0] as Address, hello: { ...HELLO, ...wrong } })).rejects.toMatchObject({
        code: 'PARAGRAD_HELLO',
      });
    keep(await createMesh({ port: list[1] as MeshPort, rank: 1, size: 2, addresses }));
    keep(await zero);
    await expect(connect({ address: addresses[0] as Address, hello: HELLO })).rejects.toThrow(/rank 1 is already there/);
  });

  test('can be given up', async () => {
    const list = await ports(3);
    const stop = new AbortController();
    const addresses = addressesOf(list);
    const make = (rank: number) => createMesh({ port: list[rank] as MeshPort, rank, size: 3, addresses, signal: stop.signal });
    const both = Promise.allSettled([make(0), make(2)]);
    await new Promise(setImmediate);
    stop.abort(new ParagradError('PARAGRAD_WORKER_LOST', 'rank 1 died'));
    for (const outcome of await both) expect(outcome).toMatchObject({ reason: { code: 'PARAGRAD_WORKER_LOST' } });
    await expect(make(1)).rejects.toMatchObject({ code: 'PARAGRAD_WORKER_LOST' });
  });
});
